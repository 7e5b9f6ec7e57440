"""What do the metrics see? Known faults of Fashion-MNIST, and values that theory gives.

Four tables:

- Real test images, made worse step by step (noise, blur, dropped classes), against real training
  images, in the features of the classifier in the package. Does every distance rise at every step,
  and which fault does it not see? Noise and blur have 5,000 images on each side. Dropped classes
  have 2,000 test images at every step, as many as two classes have, so that only the classes
  change. Classes are dropped in an order of the seed. The same noise is scaled, not drawn anew.
- NDB on pixels: other real images have to pass, images without a class and a fitted Gaussian not.
- KL of the class shares of samples with perfect labels, beside (K - 1) / 2N.
- Share of high quality of samples of ring and grid themselves, beside 1 - exp(-4.5).

    python benchmarks/calibration.py --root /usr/share/datasets/fashion-mnist  # 7 minutes of a core
    python benchmarks/calibration.py --root ... --quick    # few images; writes nothing

Writes results/calibration.md and docs/images/calibration_*.png.
"""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path
from statistics import mean
from typing import Literal, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gan_lightning  # noqa: F401  (before torchvision)

# isort: split

import torch
from calibration_tables import Curves, fault_table, markdown, plot, spread, with_error
from machine import describe
from torch import Tensor
from torch.nn import functional

from gan_lightning.data import FashionMNIST, GaussianGrid, GaussianRing
from gan_lightning.data.base import to_unit_range
from gan_lightning.metrics import functional as metrics
from gan_lightning.metrics.extractors.classifiers import FashionClassifier

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "calibration.md"
IMAGES = HERE.parent / "docs" / "images"
NOISE, BLUR, DROPPED = (0, 0.05, 0.1, 0.2, 0.4), (0, 0.5, 1, 2), (0, 1, 2, 4, 6, 8)
CLASSES, BINS = 10, 100
FEW = 2500  # rows for the kernel distance, whose cost is quadratic and whose mean has no bias
ASSIGNED = 300  # rows for the exact Wasserstein distance, whose cost is cubic
PATCHED, DIRECTIONS = 1000, 32  # images and projections for patches, 128 of each image
NDB_TITLE = (
    "## NDB on pixels: different bins of 100, and Jensen-Shannon divergence in nats; mean over "
    "k-means seeds (and range)"
)
NOTES = (
    "Values of faults are means over the seeds. A fault is seen from the first level from which on "
    "all seeds lie above all seeds at level 0; a metric rises if it does so at every step with "
    f"every seed. Kernel distance: at most {FEW:,} images of each side; 1-NN accuracy: equally "
    f"many of each; exact Wasserstein: {ASSIGNED} features of each; patch SWD: {PATCHED:,} images "
    f"of each and {DIRECTIONS} projections, on 28 x 28 pixels, which is one level of the pyramid. "
    "CMMD (`clip_mmd`): in the features of the classifier, not of CLIP, sigma 10. Drop of the mode "
    "score: the reals' own minus the fakes'. The classifier was trained on the training images, "
    "not on the test images. Own bins: the 10,000 reals that are compared are those that k-means "
    "saw; other bins: the same centres, and 40,000 training images compared that are neither those "
    "nor the fakes of the first line."
)
AXES = {
    "noise": "standard deviation of the noise, share of the grey range",
    "blur": "standard deviation of the blur, pixels",
    "dropped classes": "classes dropped, of 10",
}


class Seen(NamedTuple):
    """Images ``(N, 784)``, their features and their logits."""

    pixels: Tensor
    features: Tensor
    logits: Tensor


class Images(NamedTuple):
    """Both splits in [-1, 1] with their labels."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor


# --- the images and their faults ----------------------------------------------------------------


def read(root: Path) -> Images:
    """All of Fashion-MNIST."""
    parts: list[Tensor] = []
    splits: tuple[Literal["train", "test"], ...] = ("train", "test")
    for split in splits:
        memory = FashionMNIST(root, image_size=28, split=split).read()
        assert memory.labels is not None
        parts += [to_unit_range(memory.x, torch.float32), memory.labels]
    return Images(*parts)


def noisy(x: Tensor, level: float, noise: Tensor) -> Tensor:
    """Noise of a standard deviation in shares of the range of 2, cut off at black and white."""
    return (x + 2 * level * noise).clamp(-1, 1)


def blurred(x: Tensor, sigma: float) -> Tensor:
    """A Gaussian of so many pixels over the images; outside is black."""
    if not sigma:
        return x
    reach = math.ceil(4 * sigma)
    window = torch.exp(-torch.arange(-reach, reach + 1).square() / (2 * sigma**2))
    window = window / window.sum()
    x = functional.conv2d(x + 1, window.view(1, 1, -1, 1), padding=(reach, 0))
    x = functional.conv2d(x, window.view(1, 1, 1, -1), padding=(0, reach))
    return (x - 1).clamp(-1, 1)


def remaining(labels: Tensor, dropped: int, samples: int, random: torch.Generator) -> Tensor:
    """Rows of images when the first classes of an order that the generator gives are dropped."""
    order = torch.randperm(CLASSES, generator=random)
    shuffled = torch.randperm(len(labels), generator=random)
    kept = ~torch.isin(labels[shuffled], order[:dropped])
    return shuffled[kept][:samples]


@torch.no_grad()
def look(network: FashionClassifier, x: Tensor) -> Seen:
    outputs = [network(part) for part in x.split(500)]
    features, logits = (torch.cat([o[k] for o in outputs]) for k in ("features", "logits"))
    return Seen(x.flatten(1), features, logits)


# --- the distances ------------------------------------------------------------------------------


def distances(real: Seen, fake: Seen, centres: Tensor) -> dict[str, float]:
    """Everything that should rise when fakes become worse."""
    x, y = real.features, fake.features
    shares = [torch.bincount(s.logits.argmax(1), minlength=CLASSES) for s in (fake, real)]
    precision, recall = metrics.precision_recall(x, y)
    density, coverage = metrics.density_coverage(x, y)
    bins = metrics.ndb(x, y, centres)
    number = min(len(x), len(y))
    some = min(number, ASSIGNED)
    images = [s.pixels[:PATCHED].view(-1, 1, 28, 28) for s in (real, fake)]
    mode_scores = [metrics.mode_score(real.logits, s.logits) for s in (real, fake)]
    values = {
        "FD-FashionMNIST": metrics.frechet_distance(x, y),
        "FD of pixels": metrics.frechet_distance(real.pixels, fake.pixels),
        "MiFID": metrics.mifid(x, y),
        "KD": metrics.kernel_distance(x[:FEW], y[:FEW]),
        "CMMD": metrics.clip_mmd(x, y),
        "sliced Wasserstein": metrics.sliced_wasserstein(x, y, projections=200),
        "exact Wasserstein": metrics.wasserstein_exact(x[:some], y[:some]),
        "patch SWD": metrics.multiscale_patch_swd(*images, projections=DIRECTIONS).mean,
        "1-NN accuracy": metrics.one_nearest_neighbour(x[:number], y[:number])[0],
        "1 - precision": 1 - precision,
        "1 - density": 1 - density,
        "1 - recall": 1 - recall,
        "1 - coverage": 1 - coverage,
        "NDB/K": bins.share,
        "JSD of the bins": bins.jsd,
        "class KL": metrics.kl_divergence(*shares),
        "AM score": metrics.am_score(real.logits, fake.logits),
        "drop of the mode score": mode_scores[0] - mode_scores[1],
    }
    return {name: float(value) for name, value in values.items()}


def faults(data: Images, seed: int, samples: int, few: int) -> dict[str, dict[float, Tensor]]:
    """Test images of every fault and level."""
    random = torch.Generator().manual_seed(seed)
    x = data.test[torch.randperm(len(data.test), generator=random)[:samples]]
    noise = torch.randn(x.shape, generator=random)

    def without(dropped: int) -> Tensor:
        same = torch.Generator().manual_seed(seed)
        return data.test[remaining(data.test_labels, dropped, few, same)]

    return {
        "noise": {level: noisy(x, level, noise) for level in NOISE},
        "blur": {sigma: blurred(x, sigma) for sigma in BLUR},
        "dropped classes": {dropped: without(dropped) for dropped in DROPPED},
    }


def degrade(data: Images, seeds: int, samples: int, few: int, bins: int) -> dict[str, Curves]:
    """Each fault's curves: for each metric, each seed's values at all levels."""
    network = FashionClassifier()
    curves: dict[str, Curves] = {name: {} for name in AXES}
    for seed in range(seeds):
        random = torch.Generator().manual_seed(1000 + seed)
        rows = torch.randperm(len(data.train), generator=random)[:samples]
        real = look(network, data.train[rows])
        centres = metrics.ndb_bins(real.features, bins, seed)
        for fault, levels in faults(data, seed, samples, few).items():
            for level, x in levels.items():
                for metric, value in distances(real, look(network, x), centres).items():
                    of_seeds = curves[fault].setdefault(metric, [])
                    if len(of_seeds) == seed:
                        of_seeds.append([])
                    of_seeds[seed].append(value)
                print(seed, fault, level, flush=True)
    return curves


# --- values that theory gives -------------------------------------------------------------------


def gaussian(x: Tensor, samples: int, random: torch.Generator) -> Tensor:
    """Samples of the Gaussian with the images' mean and covariance."""
    values, vectors = torch.linalg.eigh(torch.cov(x.double().T))
    noise = torch.randn(samples, x.shape[1], generator=random, dtype=torch.float64)
    return x.double().mean(0) + noise * values.clamp(min=0).sqrt() @ vectors.T


def ndb_table(data: Images, seeds: int, centre_images: int, bins: int) -> str:
    """Real and unreal images in bins of pixels; bins of the compared reals, and of others."""
    found: dict[str, list[list[float]]] = {}
    test, labels = data.test.flatten(1), data.test_labels
    for seed in range(seeds):
        random = torch.Generator().manual_seed(seed)
        rows = torch.randperm(len(data.train), generator=random)
        own, validation, others = data.train.flatten(1)[rows].split(
            [centre_images, centre_images, len(rows) - 2 * centre_images]
        )
        centres = metrics.ndb_bins(own, bins, seed)
        fakes = {
            "other training images": validation,
            "test images": test,
            "test images without class 9": test[labels != 9],
            "test images without class 0": test[labels != 0],
            "a fitted Gaussian": gaussian(others, len(validation), random),
        }
        for name, fake in fakes.items():
            row = []
            for real in (own, others):
                for z in (None, 4.0):
                    result = metrics.ndb(real, fake, centres, z_threshold=z)
                    row.append(float(result.different))
                row.append(result.jsd)
            found.setdefault(name, []).append(row)
        print("NDB", seed, flush=True)
    columns = ["p < 0.05", "z > 4", "JSD"]
    head = ["fakes", *(f"{c}, own bins" for c in columns), *(f"{c}, other bins" for c in columns)]
    lines = [head, ["---"] * len(head)]
    for name, row_of_seeds in found.items():
        column = [list(values) for values in zip(*row_of_seeds, strict=True)]
        lines.append([name, *(spread(v, 4 if i % 3 == 2 else 0) for i, v in enumerate(column))])
    return markdown(lines)


def kl_table(seeds: int) -> str:
    """KL to the uniform shares of N perfect labels."""
    lines = [["classes", "N", "mean KL ± standard error", "(K - 1) / 2N", "mean modes"]]
    lines.append(["---"] * 5)
    for classes, numbers in {10: (100, 1000, 10_000), 1000: (1000, 5000, 26_000, 100_000)}.items():
        for n in numbers:
            found = []
            for seed in range(seeds):
                random = torch.Generator().manual_seed(seed)
                labels = torch.randint(classes, (n,), generator=random)
                found.append(metrics.class_coverage(labels, classes))
            kl, modes = [f.kl for f in found], mean(f.modes for f in found)
            floor = f"{found[0].kl_floor:.5f}"
            lines.append([f"{classes:,}", f"{n:,}", with_error(kl, 5), floor, f"{modes:.1f}"])
    return markdown(lines)


def ceiling_table(seeds: int, samples: int = 2500) -> str:
    """What samples of the mixtures themselves reach."""
    lines = [["mixture", "modes", "high quality ± standard error", "range", "1 - exp(-4.5)"]]
    lines[0] += ["mean reverse KL", "(K - 1) / 2N", "mean spread"]
    lines.append(["---"] * 8)
    for i, (name, mixture) in enumerate({"ring": GaussianRing(), "grid": GaussianGrid()}.items()):
        found = []
        for seed in range(i * seeds, (i + 1) * seeds):
            points = mixture.draw(samples, torch.Generator().manual_seed(seed))
            found.append(metrics.mode_coverage(points, mixture.centres, mixture.std))
        quality, count = [f.high_quality for f in found], len(mixture.centres)
        cells = [name, f"{min(f.modes for f in found)} of {count}", with_error(quality, 4)]
        cells += [f"{min(quality):.4f} to {max(quality):.4f}", f"{1 - math.exp(-4.5):.4f}"]
        cells += [f"{mean(f.reverse_kl for f in found):.4f}", f"{(count - 1) / 2 / samples:.4f}"]
        lines.append([*cells, f"{mean(f.mean_spread for f in found):.3f}"])
    return markdown(lines)


def main() -> None:
    """Measure, print, and write table and plots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path("data"), help="folder of the IDX files")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="few images; writes nothing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = read(args.root)
    samples, few, centres, bins = (400, 200, 1000, 20) if args.quick else (5000, 2000, 10_000, BINS)
    seeds = 1 if args.quick else args.seeds
    curves = degrade(data, seeds, samples, few, bins)
    sections = []
    for (fault, label), levels in zip(AXES.items(), (NOISE, BLUR, DROPPED), strict=True):
        number = few if levels == DROPPED else samples
        title = f"## {fault.capitalize()}: {label}; {number:,} against {samples:,} images"
        sections.append(f"{title}\n\n{fault_table(curves[fault], levels)}")
        if not args.quick:
            file = IMAGES / f"calibration_{fault.replace(' ', '_')}.png"
            plot(curves[fault], levels, label, file)
    more = {
        NDB_TITLE: ndb_table(data, seeds, centres, bins),
        "## KL of the class shares of perfect labels, in nats": kl_table(2 if args.quick else 20),
        "## Samples of the mixtures themselves": ceiling_table(2 if args.quick else 20),
    }
    sections += [f"{title}\n\n{table}" for title, table in more.items()]
    text = "\n\n".join(sections)
    print(text)
    if not args.quick:
        head = describe("What the metrics see", f"{seeds} seeds, of images and of k-means")
        RESULTS.write_text(f"{head}\n\n{NOTES}\n\n{text}\n", "utf-8")


if __name__ == "__main__":
    main()
