"""What does BiGAN's encoder know? Codes and reconstructions of the digits, several seeds.

`digits/bigan` is trained through the command line as it stands, without labels. Its encoder's codes
are judged by the label of each digit's nearest neighbour among all others (leave-one-out), beside
the pixels and beside the codes of an encoder of the same network, not trained: initialised with the
run's seed, its batch norm fitted to the digits, without which it would be at a disadvantage that
needs no training to mend. Reconstructions G(E(x)) are judged by the squared error per pixel (of
values in [-1, 1]) beside the mean image, beside the trained generator on the untrained encoder's
codes (brought to mean 0 and variance 1 in every coordinate, as z has) and beside its samples of
random z; and by their class, named by a support vector machine that has not seen half the digits.

    python benchmarks/bigan.py            # writes results/bigan.md and a picture
    python benchmarks/bigan.py --quick    # 20 steps, one seed; writes nothing

The runs are those of `benchmarks/digits.py`, kept under runs/benchmark-digits.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import gan_lightning

# isort: split

import torch
from digits_scores import Real, real_digits
from machine import describe
from statistics_of_runs import with_spread
from torch import Tensor, nn
from trained import QUICK, Failed, train

from gan_lightning.callbacks._grid import save_grid
from gan_lightning.networks import DCGANEncoder
from gan_lightning.runs import RunDirectory

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "bigan.md"
PICTURE = HERE.parent / "docs" / "images" / "bigan_reconstructions.png"
SHOWN = 16
Numbers = dict[str, list[float]]


def neighbour_accuracy(codes: Tensor, labels: Tensor) -> float:
    """Share of samples whose nearest other one (Euclidean) has the same label."""
    rows = codes.double().flatten(1)
    distances = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")
    nearest = distances.fill_diagonal_(float("inf")).argmin(1)
    return float((labels[nearest] == labels).double().mean())


def squared_error(x: Tensor, y: Tensor) -> float:
    """Per pixel."""
    return float((x.double() - y.double()).square().mean())


def standardised(codes: Tensor) -> Tensor:
    """Every coordinate with mean 0 and variance 1; one that does not vary becomes 0."""
    deviation = codes - codes.mean(0)
    return deviation / codes.std(0, correction=0).clamp(min=torch.finfo(codes.dtype).tiny)


def untrained(run_dir: Path, seed: int, x: Tensor) -> Tensor:
    """Codes of samples by an encoder like the run's, with nothing learnt but batch norm's means."""
    init_args = RunDirectory(run_dir).read_config()["model"]["init_args"]
    arguments = dict(init_args["encoder"]["init_args"])
    arguments |= {"image_shape": tuple(x.shape[1:]), "latent_dim": init_args["latent_dim"]}
    torch.manual_seed(seed)
    encoder = DCGANEncoder(**arguments).double()
    for layer in encoder.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0  # the statistics of the one batch that it sees
    with torch.no_grad():
        encoder(x)
        return encoder.eval()(x)


def score(run_dir: Path, seed: int, real: Real) -> tuple[Numbers, Tensor]:
    """The numbers of a run, each in a list of its own, and the reconstructions."""
    model: Any = gan_lightning.load(run_dir)
    x, labels = real.x, real.labels
    codes, random = model.encode(x.float()), untrained(run_dir, seed, x)
    z = standardised(random).float()
    pictures = {
        "BiGAN's encoder": model.reconstruct(x.float()),
        "untrained encoder": model.sample(len(x), z=z),
        "random z": model.sample(len(x), seed=0),
    }
    numbers = {"neighbour, BiGAN's encoder": [neighbour_accuracy(codes, labels)]}
    numbers["neighbour, untrained encoder"] = [neighbour_accuracy(random, labels)]
    for name, y in pictures.items():
        numbers[f"error, {name}"] = [squared_error(x, y)]
        guessed = torch.from_numpy(real.svm.predict(y.double().flatten(1).numpy()))
        numbers[f"class, {name}"] = [float((guessed == labels).double().mean())]
    return numbers, pictures["BiGAN's encoder"]


def constant(real: Real) -> Numbers:
    """What needs no run: the pixels themselves, and the mean image."""
    mean_image = real.x.mean(0, keepdim=True).expand_as(real.x)
    guessed = torch.from_numpy(real.svm.predict(real.x.flatten(1).numpy()))
    return {
        "neighbour, pixels": [neighbour_accuracy(real.x, real.labels)],
        "error, mean image": [squared_error(real.x, mean_image)],
        "class, the digits themselves": [float((guessed == real.labels).double().mean())],
    }


def table(numbers: Numbers, failed: int) -> str:
    """What the numbers say, one line a thing that is judged."""
    kinds = {
        "neighbour": "label of the nearest neighbour right (%), leave-one-out",
        "error": "squared error per pixel of the reconstruction",
        "class": "reconstructions of the digit's class (%)",
    }
    lines = []
    for kind, title in kinds.items():
        lines += [f"| {title} | mean ± sd over the seeds |", "|---|---|"]
        factor, places = (1, 4) if kind == "error" else (100, 1)
        for name, values in numbers.items():
            room, _, what = name.partition(", ")
            if room == kind:
                lines.append(f"| {what} | {with_spread([factor * v for v in values], places)} |")
        lines.append("")
    return "\n".join(
        [
            *lines,
            f"Failed runs: {failed}. All 1,797 digits are encoded, and BiGAN was trained on them "
            "without labels. The untrained encoder's codes have mean 0 and variance 1 before the "
            "generator sees them; its batch norm is fitted to the digits.",
        ]
    )


def measure(args: argparse.Namespace, folder: Path) -> str:
    """Train or find the runs, judge them, and make the table and the picture."""
    real = real_digits()
    numbers, failed, rows = constant(real), 0, [real.x[:SHOWN].float()]
    arguments = QUICK if args.quick else ()
    with ThreadPoolExecutor(args.workers) as pool:
        jobs = [
            pool.submit(train, folder, "digits/bigan", seed, arguments)
            for seed in range(args.seeds)
        ]
        for seed, job in enumerate(jobs):
            try:
                found, pictures = score(job.result(), seed, real)
            except Failed as error:
                failed += 1
                print(seed, error, flush=True)
                continue
            rows.append(pictures[:SHOWN].float())
            for name, values in found.items():
                numbers.setdefault(name, []).extend(values)
            print(seed, found, flush=True)
    if not args.quick:
        save_grid(torch.cat(rows), PICTURE, nrow=SHOWN)
    return table(numbers, failed)


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="runs at a time, one thread each")
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark-digits"))
    parser.add_argument("--output", type=Path, default=RESULTS, help="a file; - writes none")
    parser.add_argument("--quick", action="store_true", help="20 steps, one seed; writes nothing")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        args.seeds = 1 if args.quick else args.seeds
        text = measure(args, Path(temporary) if args.quick else args.runs)
    print(text)
    if not args.quick and str(args.output) != "-":
        head = describe("BiGAN's codes of the digits", f"{args.seeds} seeds")
        note = "\n\nThe picture docs/images/bigan_reconstructions.png: the first 16 digits, and "
        note += "below them their reconstructions, a row a seed."
        args.output.write_text(f"{head}\n\n{text}{note}\n", "utf-8")


if __name__ == "__main__":
    main()
