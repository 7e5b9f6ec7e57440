"""Attributes that Lightning sets on its trainer from elsewhere and declares no types for."""

import lightning
from lightning.pytorch.callbacks import Callback


def callbacks_of(trainer: lightning.Trainer) -> list[Callback]:
    """List the trainer's callbacks, in the order in which they are called."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return callbacks


def datamodule_of(trainer: lightning.Trainer) -> lightning.LightningDataModule | None:
    """Return the trainer's data module, None for a fit on plain loaders."""
    data: lightning.LightningDataModule | None = trainer.datamodule  # type: ignore[attr-defined]
    return data
