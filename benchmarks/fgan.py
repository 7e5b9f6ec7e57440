"""Does each divergence fit what it should? A Gaussian fitted to a mixture by every f-GAN.

The data are 0.5 N(-2, 0.7^2) + 0.5 N(1.5, 1.3^2), the model is G(z) = m + s z, as in Nowozin et al.
2016 (their mixture is not in the article). The exact divergence of any two densities on the line is
a quadrature, so the optimum (m*, s*) of each divergence is known, and so is what a fitted Gaussian
is worth under every other one. A row of the matrix is a divergence that tests, a column one that
trained; the smallest value of a row should be the one on the diagonal.

    python benchmarks/fgan.py            # writes results/fgan.md
"""

from __future__ import annotations

import argparse
import math
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import mean
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import gan_lightning  # noqa: F401  (before lightning)

# isort: split

import lightning
import numpy as np
import torch
from machine import describe, quiet
from scipy.optimize import minimize
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from gan_lightning.families import FGAN
from gan_lightning.losses import f_divergence
from gan_lightning.optim import GANAdam

DIVERGENCES = {
    name: getattr(f_divergence, name)()
    for name in (
        "KullbackLeibler",
        "ReverseKullbackLeibler",
        "JensenShannon",
        "GANDivergence",
        "Jeffreys",
        "Pearson",
        "Neyman",
        "SquaredHellinger",
        "TotalVariation",
    )
}
WEIGHTS, MEANS, STDS = (0.5, 0.5), (-2.0, 1.5), (0.7, 1.3)
GRID = torch.linspace(-30, 35, 130_001, dtype=torch.float64)
TOLERANCE = 0.10
RESULTS = Path(__file__).parent / "results" / "fgan.md"


def log_normal(x: Tensor, m: float, s: float) -> Tensor:
    """The log density of N(m, s^2)."""
    return -((x - m) / s).square() / 2 - np.log(s * np.sqrt(2 * np.pi))


def log_data(x: Tensor) -> Tensor:
    """The log density of the mixture."""
    parts = [np.log(w) + log_normal(x, m, s) for w, m, s in zip(WEIGHTS, MEANS, STDS, strict=True)]
    return torch.stack(parts).logsumexp(0)


def divergence(name: str, m: float, s: float) -> float:
    """D_f(data || N(m, s^2)) by the trapezoidal rule, where f has a limit in the tails."""
    # The widest component decides both tails, beyond which the integral has no limit.
    infinite = {"Neyman": s**2 >= 2 * max(STDS) ** 2, "Pearson": 2 * s**2 <= max(STDS) ** 2}
    if infinite.get(name, False):
        return math.inf
    log_p, log_q = log_data(GRID), log_normal(GRID, m, s)
    inside = (log_p > -600) & (log_q > -600)
    ratio = (log_p - log_q)[inside].clamp(-600, 600).exp()
    values = log_q[inside].exp() * DIVERGENCES[name].f(ratio)
    return float(torch.trapezoid(values, GRID[inside]))


def optimum(name: str) -> tuple[float, float]:
    """The mean and standard deviation of the closest Gaussian."""
    found = minimize(
        lambda v: divergence(name, v[0], np.exp(v[1])),
        x0=[0.0, np.log(1.8)],
        method="Nelder-Mead",
        options={"xatol": 1e-6, "fatol": 1e-12},
    )
    return float(found.x[0]), float(np.exp(found.x[1]))


class Affine(nn.Module):
    """G(z) = m + s z."""

    def __init__(self) -> None:
        super().__init__()
        self.m = nn.Parameter(torch.zeros(1))
        self.log_s = nn.Parameter(torch.zeros(1))

    def forward(self, z: Tensor) -> Tensor:
        """`(N, 1)` to `(N, 1)`."""
        return self.m + self.log_s.exp() * z


class Mixture(lightning.LightningDataModule):
    """Fresh samples of the mixture in every batch."""

    def __init__(self, batch_size: int, batches: int, seed: int) -> None:
        super().__init__()
        self.batch_size, self.batches, self.seed = batch_size, batches, seed

    def train_dataloader(self) -> Any:
        """Batches `(batch_size, 1)`."""
        random = torch.Generator().manual_seed(self.seed)
        for _ in range(self.batches):
            second = torch.rand(self.batch_size, 1, generator=random) >= WEIGHTS[0]
            noise = torch.randn(self.batch_size, 1, generator=random)
            yield torch.where(second, MEANS[1] + STDS[1] * noise, MEANS[0] + STDS[0] * noise)


def fit(name: str, seed: int, steps: int) -> tuple[float, float]:
    """Mean and standard deviation that the game arrives at (the averaged generator's)."""
    quiet()
    lightning.seed_everything(seed, verbose=False)
    k, batch = 5, 1024
    critic = nn.Sequential(
        nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
    )
    model = FGAN(
        generator=Affine(),
        discriminator=critic,
        latent_dim=1,
        divergence=DIVERGENCES[name],
        discriminator_steps=k,
        generator_optimizer=lambda p: GANAdam(p, lr=0.01, beta1=0.5, beta2=0.99),
        discriminator_optimizer=lambda p: GANAdam(p, lr=0.01, beta1=0.5, beta2=0.99),
        generator_scheduler=lambda o: CosineAnnealingLR(o, steps),
        discriminator_scheduler=lambda o: CosineAnnealingLR(o, steps * k),
        ema_halflife=100 * k * batch,
    )
    lightning.Trainer(
        max_steps=steps,
        max_epochs=1,
        accelerator="cpu",
        devices=1,
        logger=False,
        log_every_n_steps=steps,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    ).fit(model, Mixture(batch, steps * k, seed))
    average = model.generator_ema
    return float(average.m), float(average.log_s.exp())


def table(fitted: dict[str, list[tuple[float, float]]]) -> str:
    """The fits beside the optima, and the matrix at the fits' means over the seeds."""
    lines = [
        f"| divergence | m* | s* | m (each seed) | s (each seed) | all within {TOLERANCE:.2f} |",
        "|---|---|---|---|---|---|",
    ]
    for name, fits in fitted.items():
        m, s = optimum(name)
        near = all(abs(a - m) <= TOLERANCE and abs(b - s) <= TOLERANCE for a, b in fits)
        ms, ss = (", ".join(f"{f[i]:.3f}" for f in fits) for i in (0, 1))
        lines.append(f"| {name} | {m:.3f} | {s:.3f} | {ms} | {ss} | {'yes' if near else 'no'} |")
    lines += ["", "Rows test, columns trained; mean over the seeds of the exact divergence.", ""]
    lines += ["| | " + " | ".join(fitted) + " | smallest on the diagonal, seed by seed |"]
    lines += ["|---" * (len(fitted) + 2) + "|"]
    for test in fitted:
        values = {train: [divergence(test, *f) for f in fits] for train, fits in fitted.items()}
        wins = sum(
            values[test][i] <= min(v[i] for v in values.values()) + 1e-12  # twins tie
            for i in range(len(fitted[test]))
        )
        cells = [f"{mean(v):.5f}" for v in values.values()]
        lines.append(f"| **{test}** | {' | '.join(cells)} | {wins} of {len(fitted[test])} |")
    return "\n".join(lines)


def main() -> None:
    """Fit, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULTS, help="a file; - writes none")
    args = parser.parse_args()
    jobs = [(name, seed) for name in DIVERGENCES for seed in range(args.seeds)]
    fitted: dict[str, list[tuple[float, float]]] = {name: [] for name in DIVERGENCES}
    with ProcessPoolExecutor(args.workers) as pool:
        futures = [pool.submit(fit, *job, args.steps) for job in jobs]
        for (name, seed), future in zip(jobs, futures, strict=True):
            fitted[name].append(future.result())
            print(name, seed, *(f"{value:.4f}" for value in fitted[name][-1]), flush=True)
    text = table(fitted)
    print(text)
    if str(args.output) != "-":
        head = describe("f-GAN", f"{args.seeds} seeds, {args.steps} generator updates each")
        args.output.write_text(f"{head}\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
