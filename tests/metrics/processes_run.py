"""What 1, 2 and 3 processes compute of the same samples: `processes_run.py FOLDER`."""

import sys
from pathlib import Path

import gan_lightning  # noqa: F401  (before torchmetrics, see gan_lightning/_torchvision.py)

# isort: split

import torch
from torch import distributed, multiprocessing

from gan_lightning import metrics
from gan_lightning.metrics.extractors import PointExtractor
from gan_lightning.metrics.suite import MetricSuite

N, D = 60, 5


def a_suite() -> MetricSuite:
    """Metrics of moments, of rows, of subsets and of bins."""
    return MetricSuite(
        PointExtractor(),
        [
            metrics.FrechetDistance(),
            metrics.KernelDistanceSubsets(subsets=7, subset_size=20),
            metrics.PrecisionRecall(),
            metrics.DensityCoverage(),
            metrics.NDB(bins=6),
            metrics.OneNearestNeighbour(),
            metrics.VendiScore(),
            metrics.SlicedWasserstein(projections=8),
        ],
    )


def another_suite() -> MetricSuite:
    """Metrics of class scores and of three sets; the five coordinates are the logits of classes."""
    return MetricSuite(
        PointExtractor(),
        [
            metrics.InceptionScore(splits=3, output="features"),
            metrics.ClassCoverage(D, output="features"),
            metrics.KLDivergence(output="features"),
            metrics.DataCopying(cells=2, min_fakes=5),
            metrics.BirthdayParadox(),
        ],
    )


def samples() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(N, D, generator=generator, dtype=torch.float64) for _ in range(2))


def shares(world: int) -> list[slice]:
    """Uneven; the last of three has nothing."""
    return {
        1: [slice(None)],
        2: [slice(0, 41), slice(41, N)],
        3: [slice(0, 13), slice(13, N), slice(0, 0)],
    }[world]


def values(suite: MetricSuite, world: int, rank: int) -> dict[str, float]:
    real, fake = samples()
    part = shares(world)[rank]
    if len(real[part]):
        suite.update(real[part], real=True)
        suite.update(fake[part] + 0.3)
        suite.update(real[part].flip(1) - 0.1, real=True, test=True)
    state = suite.real_state()
    found = {name: float(score) for name, score in suite.compute().items()}
    again = {name: float(score) for name, score in suite.compute().items()}
    assert found == again  # what one rank holds is not what all hold
    return found | {f"kept {name}": float(kept.sum()) for name, kept in state.items()}


def padded(world: int, rank: int) -> dict[str, float]:
    """A sampler gave some samples to two ranks."""
    real, fake = samples()
    index = torch.arange(rank, N + 7, world) % N
    suite = MetricSuite(PointExtractor(), [metrics.KernelDistance()])
    suite.update(real[index], real=True, index=index)
    suite.update(fake[index] + 0.3, index=index)
    return {"padded": float(suite.compute()["KD-points"])}


def paths(world: int, rank: int) -> dict[str, float]:
    """Paths of latents, whose ends must stay together."""
    metric = metrics.PerceptualPathLength(lambda x, y: (x - y).square().sum(1), epsilon=1e-3)
    ends = torch.stack(samples(), 1)[shares(world)[rank]]
    if len(ends):
        metric.update(torch.tanh, ends.flatten(0, 1))
    return {name: float(value) for name, value in metric.compute().items()}


def run(rank: int, world: int, folder: str) -> None:
    torch.set_num_threads(1)
    if world > 1:
        store = f"file://{folder}/store{world}"
        distributed.init_process_group("gloo", store, rank=rank, world_size=world)
    found = values(a_suite(), world, rank) | padded(world, rank) | paths(world, rank)
    found |= {f"second {k}": v for k, v in values(another_suite(), world, rank).items()}
    torch.save(found, Path(folder) / f"{world}-{rank}.pt")
    if world > 1:
        distributed.destroy_process_group()


if __name__ == "__main__":
    (target,) = sys.argv[1:]
    run(0, 1, target)
    for number in (2, 3):
        # Forked: the imports are there, and no threads have run.
        multiprocessing.start_processes(run, (number, target), nprocs=number, start_method="fork")
