"""Does supervision help? Fashion-MNIST with and without labels, the same networks.

NonSaturatingGAN sees no labels; CGAN and ACGAN hand them to the generator; SemiSupervisedGAN has an
unconditional one, and its discriminator tells the classes of all training images. That family has
another cost for G (feature matching), so it has a control of its own: the same game without labels.
All have DCGAN's networks of width 32 for 16x16 images (a run takes 4 to 6 minutes on one core;
32x32 would take about four times as long), spectral norm in D and no batch norm there, since a
semi-supervised D with batch norm tells batches and not samples; Adam(2e-4, betas (0.5, 0.999)),
batches of 64, equally many updates, and the averaged generator. Labels are one-hot codes beside z
and constant channels beside the image.

10,000 samples (of conditional generators 1,000 of each class, as in the test set) are compared with
the 10,000 test images by a Fréchet distance in 64 features of a small classifier, which this script
trains on the training images. It is no FID: its numbers compare rows of this table and no other.

    python benchmarks/supervision.py --root /usr/share/datasets/fashion-mnist
    python benchmarks/supervision.py --root ... --quick    # 20 steps; writes nothing

Finished runs and the classifier are kept under runs/benchmark-supervision.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import gan_lightning  # noqa: F401  (before lightning)

# isort: split

import lightning
import torch
from frechet import Classifier, Seen, cached, distance, look, resampled, save
from machine import describe, quiet
from supervision_tables import table
from torch import Tensor

from gan_lightning import families, networks
from gan_lightning.callbacks._grid import to_uint8
from gan_lightning.data import FashionMNIST, SemiSupervised
from gan_lightning.data.base import AbstractGANData, to_unit_range
from gan_lightning.networks.conditional import ConditionalDiscriminator, ConditionalGenerator

SIZE, LATENT, WIDTH, CLASSES, SAMPLES = 16, 100, 32, 10, 10_000
SHAPE = (1, SIZE, SIZE)
RESULTS = Path(__file__).parent / "results" / "supervision.md"


@dataclass(frozen=True)
class Arm:
    """A family and who is told the labels."""

    family: Callable[..., Any]
    generator_told: bool = False
    discriminator_told: bool = False
    outputs: int = 1
    labels: Literal["all"] | int | None = None  # of SemiSupervised; None: the set as it is
    fixed: dict[str, Any] = field(default_factory=dict)


ARMS = {
    "NonSaturatingGAN": Arm(families.NonSaturatingGAN),
    "CGAN": Arm(families.CGAN, True, True),
    "ACGAN": Arm(families.ACGAN, True),
    "SemiSupervisedGAN, all labels": Arm(families.SemiSupervisedGAN, outputs=10, labels="all"),
    "SemiSupervisedGAN, no labels": Arm(families.SemiSupervisedGAN, outputs=10, labels=0),
}


def build(arm: Arm) -> Any:
    """The family with its networks."""
    generator = partial(networks.DCGANGenerator, width=WIDTH)
    discriminator = partial(
        networks.DCGANDiscriminator,
        width=WIDTH,
        outputs=arm.outputs,
        batch_norm=False,
        spectral_norm=True,
    )
    told = {True: partial(ConditionalGenerator, num_classes=CLASSES, network=generator)}
    judges = {True: partial(ConditionalDiscriminator, num_classes=CLASSES, network=discriminator)}
    return arm.family(
        generator=told.get(arm.generator_told, generator)(SHAPE, LATENT),
        discriminator=judges.get(arm.discriminator_told, discriminator)(SHAPE),
        latent_dim=LATENT,
        num_classes=CLASSES,
    )


def serve(arm: Arm, root: Path) -> AbstractGANData:
    """The training images, with the labels that the arm may see."""
    images = FashionMNIST(root, image_size=SIZE, batch_size=64)
    if arm.labels is None:
        return images
    return SemiSupervised(images, labels=arm.labels, labelled_per_batch=0, validation=0.0)


def run(name: str, seed: int, steps: int, root: Path, folder: Path) -> Path | str:
    """Train unless that is done; a run that fails is a result, too.

    Returns:
        The file of the averaged generator's samples, or why there are none.
    """
    file = folder / f"{name.replace(', ', '-').replace(' ', '-')}-{steps}-{seed}.pt"
    if file.exists():
        return file
    quiet()
    lightning.seed_everything(seed, verbose=False)
    model = build(ARMS[name])
    begin = time.perf_counter()
    try:
        trainer(steps).fit(model, serve(ARMS[name], root))
        seconds = time.perf_counter() - begin
        asked = torch.arange(SAMPLES) % CLASSES if model.conditional else None
        x = to_uint8(finite(model.sample(SAMPLES, asked, seed=0)))
    except (RuntimeError, ValueError) as error:
        return f"failed: {error}"
    save(file, {"x": x, "asked": asked, "seconds": seconds})
    return file


def trainer(steps: int) -> lightning.Trainer:
    """A quiet one for so many updates of G."""
    return lightning.Trainer(
        max_steps=steps,
        max_epochs=-1,
        accelerator="cpu",
        devices=1,
        logger=False,
        log_every_n_steps=500,
        limit_val_batches=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def finite(samples: Tensor) -> Tensor:
    """The same.

    Raises:
        RuntimeError: If some are not finite: as bytes they would look like any others.
    """
    if not samples.isfinite().all():
        raise RuntimeError("samples that are not finite")
    return samples


def score(file: Path, network: Classifier, real: Tensor) -> dict[str, float]:
    """What samples are worth."""
    kept = torch.load(file, weights_only=True)
    seen = look(network, to_unit_range(kept["x"], torch.float32))
    shares = torch.bincount(seen.classes, minlength=CLASSES).double() / SAMPLES
    result = {
        "distance": distance(seen.features, real),
        "resampled": resampled(seen.features, real),
        "kl": float(torch.special.xlogy(shares, shares * CLASSES).sum()),
        "seconds": kept["seconds"],
    }
    if kept["asked"] is not None:
        result["agreement"] = float((seen.classes == kept["asked"]).double().mean())
    return result


def images(root: Path, split: Literal["train", "test"]) -> tuple[Tensor, Tensor]:
    """Pixels in [-1, 1] and classes."""
    memory = FashionMNIST(root, image_size=SIZE, split=split).read()
    assert memory.labels is not None
    return to_unit_range(memory.x, torch.float32), memory.labels


def truth(args: argparse.Namespace, folder: Path) -> tuple[Classifier, Seen, dict[str, float]]:
    """The classifier, the test images in its features, and what real images reach."""
    (x, labels), (other, other_labels) = (images(args.root, s) for s in ("train", "test"))
    few = 2000 if args.quick else len(x)
    network = cached(folder / "classifier.pt", x[:few], labels[:few], 1 if args.quick else 6)
    train, test = look(network, x), look(network, other)
    rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    floors = [distance(train.features[part], test.features) for part in rows.split(SAMPLES)]
    right = float((test.classes == other_labels).double().mean())
    facts = {f"floor {i}": floor for i, floor in enumerate(floors)}
    return network, test, {"accuracy": right, **facts}


def measure(args: argparse.Namespace, folder: Path) -> str:
    """Train every arm with every seed, judge, and make the table."""
    network, test, facts = truth(args, folder)
    jobs = [(name, seed) for seed in range(args.seeds) for name in args.only or ARMS]
    results: dict[str, list[dict[str, float] | None]] = defaultdict(list)
    with ProcessPoolExecutor(args.workers) as pool:
        futures = [pool.submit(run, *job, args.steps, args.root, folder) for job in jobs]
        for (name, seed), future in zip(jobs, futures, strict=True):
            found = future.result()
            good = isinstance(found, Path)
            results[name].append(score(found, network, test.features) if good else None)
            print(name, seed, results[name][-1] or found, flush=True)
    return table(dict(results), facts, args.steps)


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path("data"), help="folder of the IDX files")
    parser.add_argument("--only", nargs="+", choices=list(ARMS), metavar="FAMILY")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--workers", type=int, default=2, help="runs at a time, one thread each")
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark-supervision"))
    parser.add_argument("--output", type=Path, help="a file; - writes none, as with --only")
    parser.add_argument("--quick", action="store_true", help="20 steps, one seed; writes nothing")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        if args.quick:
            args.seeds, args.steps = 1, 20
        text = measure(args, Path(temporary) if args.quick else args.runs)
    print(text)
    output = args.output or (Path("-") if args.only else RESULTS)
    if not args.quick and str(output) != "-":
        head = describe("Does supervision help?", f"{args.seeds} seeds, {args.steps} updates of G")
        output.write_text(f"{head}\n\n{text}\n", "utf-8")


if __name__ == "__main__":
    main()
