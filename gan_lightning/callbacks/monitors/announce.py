"""Verdicts on the terminal, in events.jsonl, as W&B alerts and as pictures."""

from __future__ import annotations

import lightning
from torch import Tensor

from gan_lightning.callbacks.monitors.history import History
from gan_lightning.callbacks.monitors.verdict import Verdict
from gan_lightning.families.base import AbstractGAN

__all__ = ["announce", "begin"]


def begin(trainer: lightning.Trainer) -> None:
    """Drop events after the step from which a run is resumed; on the first process alone."""


def announce(
    trainer: lightning.Trainer,
    module: AbstractGAN,
    verdict: Verdict,
    history: History,
    samples: Tensor,
) -> None:
    """Tell people and files of a verdict; on the first process alone."""
