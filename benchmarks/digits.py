"""What do the packaged recipes for digits reach? Every family, several seeds.

Each recipe `digits/<family>` is trained through the command line as it stands. A support vector
machine that has never seen the first half of the digits (its accuracy there is printed) then
names the class of 2,000 samples of the averaged generator. Reported are the mean over seeds and
the smallest and largest value; a run that fails counts as a failure and is not replaced.

    python benchmarks/digits.py            # writes results/digits.md

Runs that are finished are kept under runs/benchmark-digits, so the command can be stopped and
started again.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import mean

import gan_lightning

# isort: split

import torch
from machine import describe
from sklearn.svm import SVC

from gan_lightning.data import Digits
from gan_lightning.data.base import to_unit_range
from gan_lightning.metrics.functional.pairwise import mean_pairwise_distance
from gan_lightning.runs import RunDirectory

RUNS = {
    "minimax": [],
    "non_saturating": [],
    "maximum_likelihood": [],
    "maximum_likelihood_without_R1": [
        "--model.regularizers=[]",
        "--model.generator_optimizer.lr=0.0002",
        "--trainer.max_steps=4000",
    ],
}
SAMPLES = 2000
RESULTS = Path(__file__).parent / "results" / "digits.md"


def judge() -> tuple[SVC, torch.Tensor, torch.Tensor, float]:
    """A classifier of digits trained on their second half, the pixels, classes and its accuracy."""
    data = Digits(image_size=16)
    data.setup()
    memory = data.read()
    x = to_unit_range(memory.x, torch.float64).flatten(1)
    labels = memory.labels
    half = len(x) // 2
    svm = SVC(gamma="scale", C=10.0).fit(x[half:].numpy(), labels[half:].numpy())
    accuracy = float((svm.predict(x[:half].numpy()) == labels[:half].numpy()).mean())
    return svm, x, labels, accuracy


def train(name: str, seed: int, run_dir: Path) -> None:
    """One run of a recipe, in a process of its own, unless it is there already."""
    if (run_dir / "run.json").exists() and RunDirectory(run_dir).read_run()[
        "outcome"
    ] == "finished":
        return
    shutil.rmtree(run_dir, ignore_errors=True)
    command = [sys.executable, "-m", "gan_lightning", "fit", "--run_dir", str(run_dir)]
    command += ["--config", f"digits/{name.partition('_without')[0]}", *RUNS[name]]
    command += ["--seed_everything", str(seed), "--trainer.enable_progress_bar", "false"]
    subprocess.run(command, check=True, capture_output=True)


def score(run_dir: Path, svm: SVC, x: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """What 2,000 samples of a run are like."""
    samples = gan_lightning.load(run_dir).sample(SAMPLES, seed=0).double().flatten(1)
    classes = torch.from_numpy(svm.predict(samples.numpy()))
    q = torch.bincount(classes, minlength=10).double() / SAMPLES
    p = torch.bincount(labels, minlength=10).double() / len(labels)
    kl = (q * (q / p).log()).nan_to_num().sum()
    few = samples[: len(x)]
    return {
        "classes": float((q >= 0.01).sum()),
        "kl": float(kl),
        "diversity": float(mean_pairwise_distance(few) / mean_pairwise_distance(x[: len(few)])),
        "seconds": RunDirectory(run_dir).read_run()["seconds"],
    }


def table(results: dict[str, list[dict[str, float] | None]], accuracy: float) -> str:
    """Mean over seeds, with the smallest and largest value."""
    lines = [
        "| recipe | runs (failed) | classes of 10 with 1 % or more | KL of the class shares (nats) "
        "| pairwise distance over that of real digits | seconds of training |",
        "|---|---|---|---|---|---|",
    ]
    for family, runs in results.items():
        good = [r for r in runs if r is not None]
        cells = [f"{len(runs)} ({len(runs) - len(good)})"]
        for name, digits in (("classes", 0), ("kl", 3), ("diversity", 3), ("seconds", 0)):
            values = [r[name] for r in good]
            cells.append(
                f"{mean(values):.{max(digits, 1) if name == 'classes' else digits}f} "
                f"({min(values):.{digits}f} to {max(values):.{digits}f})"
                if values
                else "-"
            )
        lines.append(f"| digits/{family} | " + " | ".join(cells) + " |")
    lines.append("")
    lines.append(
        f"The classifier's accuracy on the digits that it has not seen: {accuracy:.3f}. The recipe "
        "`digits/dcgan` is `digits/non_saturating` under its usual name: the same game on the same "
        "networks. Seconds are on one thread beside other jobs."
    )
    return "\n".join(lines)


def main() -> None:
    """Train, judge, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark-digits"))
    parser.add_argument("--output", type=Path, default=RESULTS, help="a file; - writes none")
    args = parser.parse_args()
    svm, x, labels, accuracy = judge()
    results: dict[str, list[dict[str, float] | None]] = {}
    for name in RUNS:
        results[name] = []
        for seed in range(args.seeds):
            run_dir = args.runs / f"{name}-{seed}"
            try:
                train(name, seed, run_dir)
                results[name].append(score(run_dir, svm, x, labels))
            except subprocess.CalledProcessError:
                results[name].append(None)
            print(name, seed, results[name][-1], flush=True)
    text = f"{table(results, accuracy)}\n"
    print(text)
    if args.output != Path("-"):
        head = describe("The digits recipes", f"{args.seeds} seeds a recipe")
        args.output.write_text(f"{head}\n\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
