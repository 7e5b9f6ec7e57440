"""One training run of the DDP tests, alone or under torchrun: `ddp_run.py FOLDER CASE...`."""

import os
import sys
import time
import warnings
from pathlib import Path

import gan_lightning  # noqa: F401  (before torchvision, see gan_lightning/_torchvision.py)

# isort: split

import cases as families
import lightning
import torch
from lightning.pytorch.callbacks import Callback
from support import Rows, mlp_game, points

from gan_lightning import metrics
from gan_lightning.callbacks import EvaluationCallback, GANCheckpoint
from gan_lightning.families import NonSaturatingGAN
from gan_lightning.metrics.extractors import PointExtractor
from gan_lightning.metrics.suite import MetricSuite
from gan_lightning.regularizers import R1

CASES = {
    "k1": {"dtype": torch.float32},
    "k5": {"dtype": torch.float32, "discriminator_steps": 5},
    "k1-float64": {},
    "k5-float64": {"discriminator_steps": 5, "regularizers": [R1(0.1)], "clip_generator": 0.05},
    "simultaneous": {"updates": "simultaneous", "discriminator_steps": 2},
    "micro-batches": {"micro_batches": 2},
}
STEPS, GLOBAL_BATCH = 20, 20


class Noise(Callback):
    """Keeps what each rank drew in its first turn."""

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if module.discriminator_updates == 0:
            noise = type(module).noise
            self.z = []

            def record(n):
                z = noise(module, n)
                self.z.append(z.detach().clone())
                return z

            module.noise = record

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if module.discriminator_updates == 1:
            del module.noise


def a_trainer(world: int, **kwargs) -> lightning.Trainer:
    """A quiet trainer on all processes."""
    torch.set_num_threads(1)
    return lightning.Trainer(
        accelerator="cpu",
        devices=world,
        strategy="ddp_find_unused_parameters_true" if world > 1 else "auto",
        max_steps=STEPS,
        max_epochs=-1,
        log_every_n_steps=STEPS,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        **kwargs,
    )


def every_family(folder: str, world: int) -> None:
    """All families in turn; saves their weights."""
    states = {}
    for name in several_processes():
        rows = Rows()
        game = families.CASES[name].make()
        data = families.CASES[name].data(GLOBAL_BATCH // world, 11 * world)
        trainer = a_trainer(world, logger=[rows])
        trainer.fit(game, datamodule=data)
        states[name] = {"state": game.state_dict(), "rows": rows.rows}
    torch.save(states, Path(folder) / f"families-{trainer.global_rank}-of-{world}.pt")


def evaluated(folder: str, world: int) -> None:
    """A conditional family with scores, first with real samples to extract, then from the cache."""
    scores = []
    for _ in range(2):
        suite = MetricSuite(
            PointExtractor(),
            [metrics.FrechetDistance(), metrics.KernelDistanceSubsets(subset_size=20)],
        )
        callback = EvaluationCallback(number=70, suite=suite, chunk=16)
        trainer = a_trainer(world, logger=False, callbacks=[callback])
        data = families.CASES["cgan"].data(GLOBAL_BATCH // world, 11 * world)
        trainer.fit(families.CASES["cgan"].make(), datamodule=data)
        scores.append({name: float(score) for name, score in callback.scores.items()})
        numbers = callback.scores["FD-points"].protocol
    found = {"scores": scores, "protocol": numbers}
    torch.save(found, Path(folder) / f"evaluation-{trainer.global_rank}-of-{world}.pt")


def several_processes() -> list[str]:
    """The families that must equal one process on two."""
    return [name for name, case in families.CASES.items() if case.several_processes]


def main(case: str, folder: str) -> None:
    """Train and save what this rank ends with."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if case == "families":
        every_family(folder, world)
        return
    if case == "evaluation":
        evaluated(folder, world)
        return
    noise, rows = Noise(), Rows()
    trainer = a_trainer(world, logger=[rows], callbacks=[noise])
    game = mlp_game(NonSaturatingGAN, ema_halflife=100.0, **CASES[case])
    trainer.fit(game, datamodule=points(batch_size=GLOBAL_BATCH // world, batches=11 * world))
    torch.save(
        {
            "state": game.state_dict(),
            "z": torch.cat(noise.z),
            "rows": rows.rows,
            "images": game.images_seen,
            "step": trainer.global_step,
        },
        Path(folder) / f"{case}-{trainer.global_rank}-of-{world}.pt",
    )


class Tell(Callback):
    """Says how far rank 0 is."""

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if trainer.is_global_zero:
            print("update", module.discriminator_updates, flush=True)
        time.sleep(0.05)


def until_stopped(folder: str) -> None:
    """Two processes, the second one launched by Lightning, that run until a signal."""
    lightning.Trainer(
        accelerator="cpu",
        devices=2,
        strategy="ddp_find_unused_parameters_true",
        max_steps=2000,
        max_epochs=-1,
        logger=False,
        callbacks=[Tell(), GANCheckpoint(folder)],
        enable_progress_bar=False,
        enable_model_summary=False,
    ).fit(mlp_game(NonSaturatingGAN), datamodule=points())


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[2:] == ["--stop"]:
        until_stopped(sys.argv[1])
        sys.exit()
    for case in sys.argv[2:]:
        main(case, sys.argv[1])
