"""Train the small classifiers that come with the package, and say how good they are.

Digits are trained on three quarters of scikit-learn's digits, drawn class by class with the seed,
and judged on the other quarter; Fashion-MNIST on its 60,000 training images and judged on its
10,000 test images. Nothing is chosen by the held-out images: neither the epoch nor the seed.

    python benchmarks/embedded_classifiers.py                # both, about a quarter of an hour
    python benchmarks/embedded_classifiers.py --only digits

Weights go to gan_lightning/metrics/extractors/weights, the table to
results/embedded_classifiers.md (with `--only`, the other line of the table stays as it is). One
seed gives the same bytes again on the same machine and version of torch.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gan_lightning  # noqa: F401  (before torchvision)

# isort: split

import torch
from machine import describe
from safetensors.torch import save
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional

from gan_lightning.data import Digits, FashionMNIST
from gan_lightning.data.base import to_unit_range
from gan_lightning.metrics.extractors.classifiers import SmallClassifier
from gan_lightning.runs import write_atomically

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "embedded_classifiers.md"
WEIGHTS = HERE.parent / "gan_lightning" / "metrics" / "extractors" / "weights"
ROOT = Path("/usr/share/datasets/fashion-mnist")
COLUMNS = (
    "classifier | accuracy | held-out images | trained on | parameters | bytes | SHA-256 "
    "| epochs | seed | seconds of training"
)


class Recipe(NamedTuple):
    """How a classifier is trained.

    Mirror images are not among the changes: a mirrored shoe is a mistake that the features of a
    classifier should show.
    """

    size: int
    epochs: int
    shift: int  # pixels at most, in both directions
    turn: float  # degrees at most
    scale: float  # relative change at most
    dropout: float
    rate: float
    batch: int
    decay: float  # of the average of the weights


RECIPES = {
    "digits": Recipe(16, 120, 1, 10.0, 0.1, 0.3, 5e-3, 64, 0.99),
    "fashion": Recipe(28, 14, 2, 0.0, 0.0, 0.3, 5e-3, 128, 0.998),
}


class Split(NamedTuple):
    """Images `(N, 1, S, S)` in [-1, 1] and labels, to train on and held out."""

    x: Tensor
    labels: Tensor
    held_out: Tensor
    held_out_labels: Tensor


def digits(seed: int = 0) -> Split:
    """Three quarters and one quarter of the digits, each class in its share."""
    memory = Digits(image_size=16).read()
    assert memory.labels is not None
    rows, held_out = train_test_split(
        torch.arange(len(memory.x)), test_size=0.25, stratify=memory.labels, random_state=seed
    )
    x = to_unit_range(memory.x, torch.float32)
    return Split(x[rows], memory.labels[rows], x[held_out], memory.labels[held_out])


def fashion(root: Path = ROOT) -> Split:
    """The training and the test images of Fashion-MNIST."""
    parts: list[Tensor] = []
    for split in ("train", "test"):
        memory = FashionMNIST(root=root, image_size=28, split=split).read()
        assert memory.labels is not None
        parts += [to_unit_range(memory.x, torch.float32), memory.labels]
    return Split(*parts)


def shifted(x: Tensor, most: int) -> Tensor:
    """Each image moved by up to so many pixels; what comes in is black."""
    size = x.shape[-1]
    padded = functional.pad(x, (most,) * 4, value=-1.0)
    windows = padded.unfold(2, size, 1).unfold(3, size, 1)  # a view (N, 1, places, places, S, S)
    down, right = torch.randint(2 * most + 1, (2, len(x)))
    return windows[torch.arange(len(x)), :, down, right]


def turned(x: Tensor, degrees: float, scale: float) -> Tensor:
    """Each image turned by up to so many degrees and made larger or smaller."""
    angle = (torch.rand(len(x)) * 2 - 1) * torch.pi / 180 * degrees
    factor = 1 + (torch.rand(len(x)) * 2 - 1) * scale
    cos, sin, zero = angle.cos() * factor, angle.sin() * factor, torch.zeros(len(x))
    matrix = torch.stack([cos, -sin, zero, sin, cos, zero], 1).view(-1, 2, 3)
    grid = functional.affine_grid(matrix, list(x.shape), align_corners=False)
    return functional.grid_sample(x + 1, grid, align_corners=False) - 1  # outside is black


def batches(data: Split, recipe: Recipe) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch."""
    whole = len(data.x) // recipe.batch * recipe.batch
    for rows in torch.randperm(len(data.x))[:whole].split(recipe.batch):
        x = shifted(data.x[rows], recipe.shift)
        if recipe.turn:
            x = turned(x, recipe.turn, recipe.scale)
        yield x, data.labels[rows]


def average(mean: nn.Module, network: nn.Module, decay: float) -> None:
    """Move a moving average of weights and statistics on."""
    for old, new in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1 - decay)
        else:
            old.copy_(new)


def fit(data: Split, recipe: Recipe, seed: int) -> SmallClassifier:
    """The averaged classifier after the last epoch."""
    torch.manual_seed(seed)
    network = SmallClassifier(recipe.size, recipe.dropout)
    mean = SmallClassifier(recipe.size).eval()
    mean.load_state_dict(network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.rate, recipe.epochs * (len(data.x) // recipe.batch)
    )
    for epoch in range(recipe.epochs):
        for x, labels in batches(data, recipe):
            loss = functional.cross_entropy(network(x)[1], labels, label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            average(mean, network, recipe.decay)
        print(f"epoch {epoch + 1} of {recipe.epochs}: loss {loss.item():.3f}", flush=True)
    return mean.requires_grad_(False)


def accuracy(network: SmallClassifier, data: Split) -> float:
    """Share of the held-out images whose class is found."""
    logits = torch.cat([network(part)[1] for part in data.held_out.split(1000)])
    return float((logits.argmax(1) == data.held_out_labels).double().mean())


def measure(name: str, epochs: int | None, seed: int) -> str:
    """Train one classifier, write its weights, and make its line of the table."""
    recipe = RECIPES[name] if epochs is None else RECIPES[name]._replace(epochs=epochs)
    data = digits() if name == "digits" else fashion()
    start = time.perf_counter()
    network = fit(data, recipe, seed)
    seconds = time.perf_counter() - start
    content = save(network.state_dict())
    write_atomically(WEIGHTS / f"{name}.safetensors", content)
    cells = [
        name,
        f"{accuracy(network, data):.4f}",
        f"{len(data.held_out):,}",
        f"{len(data.x):,}",
        f"{sum(p.numel() for p in network.parameters()):,}",
        f"{len(content):,}",
        hashlib.sha256(content).hexdigest()[:16],
        str(recipe.epochs),
        str(seed),
        f"{seconds:.0f}",
    ]
    return " | ".join(cells)


def old_lines(file: Path) -> dict[str, str]:
    """The lines of a table that was written before."""
    if not file.exists():
        return {}
    cells = [line.strip("| ") for line in file.read_text("utf-8").splitlines()]
    return {cell.split(" | ")[0]: cell for cell in cells if cell.split(" | ")[0] in RECIPES}


def table(lines: dict[str, str]) -> str:
    """One line a classifier."""
    head = [f"| {COLUMNS} |", "|" + "---|" * (COLUMNS.count("|") + 1)]
    rows = [f"| {lines[name]} |" for name in RECIPES if name in lines]
    recipes = {name: RECIPES[name]._asdict() for name in RECIPES}
    notes = [
        "Accuracy is that of the averaged weights after the last epoch on images that took no part "
        "in training: a quarter of scikit-learn's digits at 16x16 (each class in its share), and "
        "the test images of Fashion-MNIST. Bytes and digest are those of the file of weights. Aim: "
        "at least 0.985 and 0.92. A table may hold lines of two commands.",
        "",
        f"Settings: `{json.dumps(recipes)}`.",
    ]
    return "\n".join([*head, *rows, "", *notes])


def main() -> None:
    """Train, judge, print and write weights and table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(RECIPES))
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULTS, help="a file; - writes none")
    args = parser.parse_args()
    torch.set_num_threads(1)
    new = {}
    for name in [args.only] if args.only else list(RECIPES):
        new[name] = measure(name, args.epochs, args.seed)
        print(new[name], flush=True)
    if str(args.output) != "-":
        text = describe("The classifiers in the package", "trained on one thread")
        lines = old_lines(args.output) | new
        args.output.write_text(f"{text}\n\n{table(lines)}\n", "utf-8")


if __name__ == "__main__":
    main()
