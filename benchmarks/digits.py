"""What do the packaged recipes for digits reach? Every recipe, several seeds.

Each recipe `digits/<name>` is trained through the command line as it stands. A support vector
machine that has never seen the first half of the digits (its accuracy there is printed) then
names the class of 2,000 samples of the averaged generator. Reported are the mean over seeds and
the smallest and largest value; a run that fails counts as a failure and is not replaced. InfoGAN's
categorical code is judged as a clustering of the real digits, beside k-means on the same pixels.

    python benchmarks/digits.py                        # writes results/digits.md and pictures
    python benchmarks/digits.py --only cgan acgan      # these alone; writes their pictures only
    python benchmarks/digits.py --quick                # 20 steps each; writes nothing

The pictures, docs/images/digits_<name>.png, are of the first seed's run, not chosen: one class or
one value of InfoGAN's code a row, or 8 x 8 samples. Runs that are finished (or have failed) are
kept under runs/benchmark-digits, so the command can be stopped and started again.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from digits_scores import clustering_table, k_means, picture, real_digits, score, table
from machine import describe
from trained import QUICK, train

from gan_lightning.cli.recipes import recipes

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "digits.md"
PICTURES = HERE.parent / "docs" / "images"
WITHOUT_R1 = (
    "--model.regularizers=[]",
    "--model.generator_optimizer.lr=0.0002",
    "--trainer.max_steps=4000",
)


def runs() -> dict[str, tuple[str, tuple[str, ...]]]:
    """The recipe and the arguments of every line of the table."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for recipe in recipes():
        room, _, name = recipe.partition("/")
        if room == "digits":
            found[name] = (recipe, ())
        if recipe == "digits/maximum_likelihood":
            found[f"{name}_without_R1"] = (recipe, WITHOUT_R1)
    return found


def measure(args: argparse.Namespace, names: list[str]) -> str:
    """Train so many runs at a time, judge each when its turn comes, and make the tables."""
    real, known = real_digits(), runs()
    more = QUICK if args.quick else ()
    results: dict[str, list[dict[str, float] | None]] = {name: [] for name in names}
    with ThreadPoolExecutor(args.workers) as pool:
        futures: dict[tuple[str, int], Future[Path]] = {}
        for name in names:
            recipe, arguments = known[name]
            for seed in range(args.seeds):
                job = pool.submit(train, args.runs, recipe, seed, (*arguments, *more))
                futures[name, seed] = job
        for (name, seed), future in futures.items():
            try:
                found = score(future.result(), real)
                if seed == 0 and not args.quick and not known[name][1]:
                    picture(future.result(), PICTURES / f"digits_{name}.png")
            except RuntimeError as error:  # Failed is one
                found = None
                print(name, seed, error, flush=True)
            results[name].append(found)
            print(name, seed, found, flush=True)
    text = table(results, real.accuracy)
    if "infogan" in results:
        text += "\n\n" + clustering_table(results["infogan"], k_means(real, 2 if args.quick else 5))
    return text


def main() -> None:
    """Train, judge, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=list(runs()), metavar="NAME")
    parser.add_argument("--workers", type=int, default=2, help="runs at a time, one thread each")
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark-digits"))
    parser.add_argument("--output", type=Path, help="a file; - writes none, as with --only")
    parser.add_argument("--quick", action="store_true", help="20 steps, one seed; writes nothing")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        if args.quick:
            args.seeds, args.runs = 1, Path(temporary)
        text = measure(args, args.only or list(runs()))
    print(text)
    output = args.output or (Path("-") if args.only else RESULTS)
    if not args.quick and str(output) != "-":
        protocol = f"{args.seeds} seeds a recipe, {args.workers} runs at a time on one thread each"
        output.write_text(f"{describe('The digits recipes', protocol)}\n\n{text}\n", "utf-8")


if __name__ == "__main__":
    main()
