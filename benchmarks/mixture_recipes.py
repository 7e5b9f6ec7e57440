"""Do the packaged recipes for mixtures reach every mode, with every seed?

Each recipe is trained through the command line as it stands, on one thread. 2,500 samples of the
averaged generator are judged by VEEGAN's and PacGAN's rules (`metrics.functional.mode_coverage`).

    python benchmarks/mixture_recipes.py            # writes results/mixture_recipes.md

Runs that are finished are kept under runs/benchmark-mixture-recipes, so the command can be stopped
and started again.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from machine import describe
from mixtures import DATA, SAMPLES, SEED_OF_SAMPLES
from trained import QUICK, Failed, train

import gan_lightning
from gan_lightning.metrics.functional.modes import mode_coverage
from gan_lightning.runs import RunDirectory

RECIPES = ("ring/relativistic", "grid/relativistic")
RESULTS = Path(__file__).parent / "results" / "mixture_recipes.md"
HEAD = (
    "| seed | modes | high quality (%) | reverse KL (nats) | spread per mode, mean (smallest) "
    "| seconds of training |\n|---|---|---|---|---|---|"
)


def run(folder: Path, recipe: str, seed: int, quick: bool) -> dict[str, float] | str:
    """What one run reaches, or why it failed."""
    try:
        run_dir = train(folder, recipe, seed, QUICK if quick else ())
    except Failed as error:
        return str(error)
    mixture = DATA[recipe.partition("/")[0]](256)
    points = gan_lightning.load(run_dir).sample(SAMPLES, seed=SEED_OF_SAMPLES)
    found = mode_coverage(points, mixture.centres, mixture.std)
    return {
        "modes": found.modes,
        "quality": found.high_quality,
        "kl": found.reverse_kl,
        "spread": found.mean_spread,
        "smallest": float(found.spread.nan_to_num(0.0).min()),
        "seconds": RunDirectory(run_dir).read_run()["seconds"],
    }


def table(recipe: str, results: list[dict[str, float] | str]) -> str:
    """One row a seed, and how many seeds meet the goal."""
    total = len(DATA[recipe.partition("/")[0]](256).centres)
    lines, met = [f"## {recipe}", "", HEAD], 0
    for seed, r in enumerate(results):
        if isinstance(r, str):
            lines.append(f"| {seed} | failed: {r} | | | | |")
            continue
        met += r["modes"] == total and r["kl"] <= 0.01 and r["quality"] >= 0.97
        lines.append(
            f"| {seed} | {r['modes']:.0f} | {100 * r['quality']:.1f} | {r['kl']:.4f} "
            f"| {r['spread']:.3f} ({r['smallest']:.3f}) | {r['seconds']:.0f} |"
        )
    goal = f"all {total} modes, reverse KL of at most 0.01 and 97 % of high quality"
    return "\n".join([*lines, "", f"{goal[0].upper()}{goal[1:]}: {met} of {len(results)} seeds."])


def main() -> None:
    """Train, judge, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", nargs="+", default=list(RECIPES), metavar="RECIPE")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark-mixture-recipes"))
    parser.add_argument("--output", type=Path, default=RESULTS, help="a file; - writes none")
    parser.add_argument("--quick", action="store_true", help="20 steps; writes nothing")
    args = parser.parse_args()
    texts = []
    with ThreadPoolExecutor(args.workers) as pool:
        for recipe in args.only:
            jobs = [pool.submit(run, args.runs, recipe, s, args.quick) for s in range(args.seeds)]
            texts.append(table(recipe, [job.result() for job in jobs]))
            print(texts[-1], flush=True)
    if str(args.output) != "-" and not args.quick:
        head = describe("Recipes for mixtures", f"{args.seeds} seeds, {args.workers} at a time")
        args.output.write_text("\n\n".join([head, *texts]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
