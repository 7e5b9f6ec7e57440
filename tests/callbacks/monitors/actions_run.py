"""A run on two processes that goes back and is stopped: `actions_run.py FOLDER` under torchrun."""

import sys
import warnings
from pathlib import Path

import gan_lightning  # noqa: F401  (before torchvision, see gan_lightning/_torchvision.py)

# isort: split

import lightning
import torch
from support import mlp_game, points

from gan_lightning.callbacks import GANCheckpoint, RunRecorder
from gan_lightning.callbacks.monitors.actions import Rollback
from gan_lightning.callbacks.monitors.changes import SetDiscriminatorSteps
from gan_lightning.callbacks.monitors.monitor import AbstractMonitor
from gan_lightning.callbacks.monitors.observer import Observer
from gan_lightning.callbacks.monitors.verdict import Finding
from gan_lightning.families import NonSaturatingGAN


class At(AbstractMonitor):
    """Finds a collapse at some looks; judges on the first process alone."""

    def judge(self, history):
        now = history.steps[-1]
        return [Finding("mode collapse", now, (), 1.0)] if now in (4, 20, 22) else []


def main(folder: str) -> None:
    """Train; save what this rank ends with."""
    torch.set_num_threads(1)
    action = Rollback(tries=2, changes=[SetDiscriminatorSteps(2)])
    monitor = At(action, observer=Observer(every_n_steps=2, number=16))
    checkpoint = GANCheckpoint(Path(folder) / "checkpoints", every_n_steps=3)
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=2,
        strategy="ddp_find_unused_parameters_true",
        max_steps=30,
        max_epochs=-1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[monitor, RunRecorder(folder), checkpoint],
    )
    game = mlp_game(NonSaturatingGAN)
    trainer.fit(game, datamodule=points())
    found = {
        "state": game.state_dict(),
        "step": trainer.global_step,
        "updates": game.discriminator_updates,
        "steps": checkpoint.steps,
        "used": action.used,
        "did": [verdict.action for verdict in monitor.driver.verdicts],
    }
    torch.save(found, Path(folder) / f"rank-{trainer.global_rank}.pt")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1])
