"""How many images a second reach training: samples in memory against PIL and a DataLoader.

Both paths end with float32 batches in [-1, 1] of the same images of 28x28 pixels, shuffled.
The second one is what torchvision's MNIST class and its usual transforms do. They are measured in
turns in one run, and the best round of each counts.

    python benchmarks/data_loading.py            # writes results/data_loading.md
    python benchmarks/data_loading.py --quick    # seconds; prints a table of no meaning
"""

import argparse
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import gan_lightning  # noqa: F401  (before torchvision, see gan_lightning/_torchvision.py)

# isort: split

import torch
from machine import describe
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from gan_lightning.data.base import AbstractGANData
from gan_lightning.data.batches import MemorySamples

RESULTS = Path(__file__).parent / "results" / "data_loading.md"
SAMPLES = 60_000


class RandomImages(AbstractGANData):
    """Random 28x28 images in memory, served as the library's own sets are."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor, batch_size: int) -> None:
        super().__init__((1, 28, 28), 10, batch_size, {})
        self._images = images, labels

    def read(self) -> MemorySamples:
        """The images as they are."""
        return MemorySamples(*self._images)


class PILImages(Dataset):
    """The same images by way of PIL, as torchvision.datasets.MNIST serves them."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        self.images = images[:, 0]
        self.labels = labels
        self.transform = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        image = Image.fromarray(self.images[row].numpy())
        return self.transform(image), int(self.labels[row])


def in_memory(
    images: torch.Tensor, labels: torch.Tensor, batch_size: int
) -> Callable[[], Iterable]:
    data = RandomImages(images, labels, batch_size)
    loader = data.train_dataloader()
    return lambda: (data.on_after_batch_transfer(batch, 0) for batch in loader)


def through_pil(
    images: torch.Tensor, labels: torch.Tensor, batch_size: int, workers: int
) -> Callable[[], Iterable]:
    loader = DataLoader(
        PILImages(images, labels),
        batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    return lambda: loader


def speed(epoch: Callable[[], Iterable]) -> float:
    """Images per second over one epoch."""
    begin = time.perf_counter()
    count = sum(len(x) for x, _ in epoch())
    return count / (time.perf_counter() - begin)


def measure(samples: int, rounds: int) -> dict[tuple[str, int], float]:
    images = torch.randint(0, 256, (samples, 1, 28, 28), dtype=torch.uint8)
    labels = torch.randint(0, 10, (samples,))
    few = images[: samples // 4], labels[: samples // 4]  # the slow path needs no whole epoch
    paths = {}
    for size in (64, 256):
        paths["in memory, with the conversion", size] = in_memory(images, labels, size)
        paths["PIL, DataLoader, 0 workers", size] = through_pil(*few, size, 0)
        paths["PIL, DataLoader, 2 workers", size] = through_pil(*few, size, 2)
    best = dict.fromkeys(paths, 0.0)
    for _ in range(rounds):
        for path, epoch in paths.items():
            best[path] = max(best[path], speed(epoch))
    return best


def table(best: dict[tuple[str, int], float], rounds: int) -> str:
    lines = [
        describe("Images per second that reach training", f"best of {rounds} interleaved rounds"),
        "",
        "28x28, one channel, shuffled, up to the float32 batch in [-1, 1] on the CPU; a round "
        "is an epoch of 60,000 images in memory, of 15,000 through PIL.",
        "",
        "| Path | Batch 64 | Batch 256 |",
        "|---|---:|---:|",
    ]
    for name in dict.fromkeys(name for name, _ in best):
        lines.append(f"| {name} | {best[name, 64]:,.0f} | {best[name, 256]:,.0f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="a try-out, which writes nothing")
    quick = parser.parse_args().quick
    rounds = 1 if quick else 5
    report = table(measure(2048 if quick else SAMPLES, rounds), rounds)
    print(report)
    if not quick:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
