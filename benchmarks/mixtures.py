"""Which game covers the modes of a Gaussian mixture? Families side by side, equal seconds each.

PacGAN's ring of 8 and grid of 25 (and a grid of 100), fixed sets of 100,000 points, divided so
that they have about unit size. All players are fully connected networks of 3 x 128, z ~ N(0, I_2),
batches of 256 (512 samples for a family that packs 2, 1,024 for 4: as many logits for each),
learning rates that fall to 0 along a cosine, and a generator averaged with a half-life of 180,000
images; 2,500 samples of it are judged. A budget is seconds of the processor's time on one thread,
which other programs do not change: the number of steps that fit into it is measured first, for each
run anew.

    python benchmarks/mixtures.py --tune       # which settings each method gets (one seed each)
    python benchmarks/mixtures.py              # the comparison, with the settings in CHOSEN
    python benchmarks/mixtures.py --data grid100 --only relativistic --seconds 240

Results of single runs are kept under runs/benchmark-mixtures, so each of these can be stopped and
started again.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import gan_lightning

# isort: split

import lightning
import torch
from machine import describe, quiet
from mixtures_tables import RESULTS, comparison, tuning
from torch.optim.lr_scheduler import CosineAnnealingLR

from gan_lightning import families, networks
from gan_lightning.callbacks import GammaAnnealing
from gan_lightning.data import GaussianGrid, GaussianRing
from gan_lightning.metrics.functional.modes import mode_coverage
from gan_lightning.optim import GANAdam, GANRMSProp
from gan_lightning.regularizers import R1, R2

HALFLIFE = 180_000
SAMPLES, SEED_OF_SAMPLES = 2500, 2333
DATA: dict[str, Callable[[int], Any]] = {
    "ring": lambda n: GaussianRing(batch_size=n),
    "grid": lambda n: GaussianGrid(batch_size=n, scale=2.828),
    "grid100": lambda n: GaussianGrid(side=10, batch_size=n, scale=5.745),
}


@dataclass(frozen=True)
class Method:
    """A family, what is fixed about it, and the settings among which `--tune` chooses."""

    family: type
    settings: list[dict[str, Any]]
    fixed: dict[str, Any] = field(default_factory=dict)
    pack: int = 1
    optimizer: type = GANAdam


RATES = [{"lr": lr, "beta1": 0.5} for lr in (5e-4, 1e-3, 2e-3)]
METHODS = {
    "non_saturating": Method(families.NonSaturatingGAN, RATES),
    "lsgan": Method(families.LSGAN, RATES),
    "wgan": Method(
        families.WGAN,
        [{"lr": lr, "clip": clip} for lr in (2e-4, 1e-3) for clip in (0.03, 0.1)],
        {"discriminator_steps": 5},
        optimizer=GANRMSProp,
    ),
    "wgan_gp": Method(
        families.WGANGP,
        [{"lr": lr, "beta1": 0.0, "penalty_weight": w} for lr in (5e-4, 1e-3) for w in (0.1, 1.0)],
        {"discriminator_steps": 5},
    ),
    "pacgan_2": Method(families.PacGAN, RATES, pack=2),
    "pacgan_4": Method(families.PacGAN, RATES, pack=4),
    "unrolled_5": Method(families.UnrolledGAN, RATES, {"unrolling": 5}),
    "relativistic": Method(
        families.RelativisticGAN,
        [{"lr": 1e-3, "beta1": 0.0, "gamma": g} for g in (0.02, 0.05, 0.1)],
    ),
}
# By --tune, see results/mixtures_tuning.md.
CHOSEN: dict[str, dict[str, int]] = {
    "ring": {
        "non_saturating": 2,
        "lsgan": 2,
        "wgan": 2,
        "wgan_gp": 3,
        "pacgan_2": 0,
        "pacgan_4": 1,
        "unrolled_5": 2,
        "relativistic": 0,
    },
    "grid": {
        "non_saturating": 2,
        "lsgan": 1,
        "wgan": 2,
        "wgan_gp": 3,
        "pacgan_2": 0,
        "pacgan_4": 1,
        "unrolled_5": 2,
        "relativistic": 1,
    },
    "grid100": dict.fromkeys(METHODS, 0),  # not tuned
}


def build(method: Method, settings: dict[str, Any], steps: int) -> tuple[Any, list[Any]]:
    """The family for a run of so many steps, and its callbacks."""
    own = dict(settings)
    gamma = own.pop("gamma", None)
    rate = {name: own.pop(name) for name in ("lr", "beta1") if name in own}
    if method.optimizer is GANAdam:
        rate["beta2"] = 0.99
    k = method.fixed.get("discriminator_steps", 1)
    generator = networks.MLPGenerator((2,), 2, width=128, depth=3)
    discriminator: torch.nn.Module = networks.MLPDiscriminator((2 * method.pack,))
    if method.pack > 1:
        discriminator = networks.Packed(discriminator, method.pack)
    model = method.family(
        generator=generator,
        discriminator=discriminator,
        latent_dim=2,
        generator_optimizer=lambda p: method.optimizer(p, **rate),
        discriminator_optimizer=lambda p: method.optimizer(p, **rate),
        generator_scheduler=lambda o: CosineAnnealingLR(o, steps),
        discriminator_scheduler=lambda o: CosineAnnealingLR(o, steps * k),
        regularizers=[] if gamma is None else [R1(gamma), R2(gamma)],
        ema_halflife=HALFLIFE * k * method.pack,
        **method.fixed,
        **own,
    )
    annealing = [] if gamma is None else [GammaAnnealing(gamma, gamma / 10, steps, shape="log")]
    return model, annealing


def fit(data: str, method: Method, settings: dict[str, Any], steps: int, seed: int) -> Any:
    """Train."""
    quiet()
    lightning.seed_everything(seed, verbose=False)
    model, callbacks = build(method, settings, steps)
    trainer = lightning.Trainer(
        max_steps=steps,
        max_epochs=-1,
        accelerator="cpu",
        devices=1,
        logger=False,
        log_every_n_steps=500,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=callbacks,
    )
    trainer.fit(model, DATA[data](256 * method.pack))
    return model


def run(
    data: str, name: str, setting: int, seed: int, seconds: float, folder: Path
) -> dict[str, Any]:
    """One run, unless its result is there; a run that raises is a result, too."""
    file = folder / f"{data}-{name}-{setting}-{seconds:g}s-{seed}.json"
    method = METHODS[name]
    result: dict[str, Any] = {"data": data, "method": name, "setting": setting, "seed": seed}
    result["settings"] = method.settings[setting] | method.fixed
    if file.exists():
        old = dict(json.loads(file.read_text()))
        if old.get("settings") == result["settings"]:  # else it is of an older script
            return old
    try:
        result |= score(data, method, method.settings[setting], seed, seconds)
    except (RuntimeError, ValueError) as error:
        result["error"] = str(error)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(result))
    return result


def score(
    data: str, method: Method, settings: dict[str, Any], seed: int, seconds: float
) -> dict[str, Any]:
    """Train for so many seconds and judge the samples."""
    times = {}
    for trial in (50, 250):  # the difference leaves out what a start costs
        begin = time.process_time()
        fit(data, method, settings, trial, seed)
        times[trial] = time.process_time() - begin
    steps = max(100, int(seconds * 200 / (times[250] - times[50])))
    begin = time.process_time()
    model = fit(data, method, settings, steps, seed)
    taken = time.process_time() - begin
    mixture = DATA[data](256)
    points = model.sample(SAMPLES, seed=SEED_OF_SAMPLES)
    found = mode_coverage(points, mixture.centres, mixture.std)
    return {
        "modes": found.modes,
        "high_quality": found.high_quality,
        "reverse_kl": found.reverse_kl,
        "spread": found.mean_spread,
        "steps": steps,
        "seconds": taken,
    }


def jobs(args: argparse.Namespace) -> Iterator[tuple[str, str, int, int]]:
    """Data, method, setting and seed of every run that is asked for."""
    for data in args.data:
        for name in args.only or METHODS:
            settings = range(len(METHODS[name].settings))
            for setting in settings if args.tune else [CHOSEN[data][name]]:
                for seed in [100] if args.tune else range(args.seeds):
                    yield data, name, setting, seed


def main() -> None:
    """Run everything, two runs at a time, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tune", action="store_true", help="try every setting with one seed")
    parser.add_argument("--data", nargs="+", default=["ring", "grid"], choices=list(DATA))
    parser.add_argument("--only", nargs="+", choices=list(METHODS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark-mixtures"))
    parser.add_argument("--output", type=Path, help="a file; - writes none")
    args = parser.parse_args()
    with ProcessPoolExecutor(args.workers) as pool:
        futures = [pool.submit(run, *job, args.seconds, args.runs) for job in jobs(args)]
        results = []
        for future in futures:
            results.append(future.result())
            print(json.dumps(results[-1]), flush=True)
    settings = {name: method.settings for name, method in METHODS.items()}
    table = tuning(results, settings) if args.tune else comparison(results, settings)
    print(table)
    output = args.output or RESULTS / ("mixtures_tuning.md" if args.tune else "mixtures.md")
    if str(output) != "-":
        head = describe(
            "Mixtures", f"{args.seconds:g} s a run, version {gan_lightning.__version__}"
        )
        output.write_text(f"{head}\n\n{table}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
