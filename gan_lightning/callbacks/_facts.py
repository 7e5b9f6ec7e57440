"""What the run recorder can find out about a run before its first step."""

import platform
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import lightning
import torch
from lightning.pytorch.loggers import WandbLogger

from gan_lightning import __version__
from gan_lightning.callbacks._trainer import datamodule_of
from gan_lightning.families.base import AbstractGAN

__all__ = ["HasFacts", "class_path", "data_facts", "describe"]


@runtime_checkable
class HasFacts(Protocol):
    """A data module that states what networks are built for."""

    @property
    def image_shape(self) -> Sequence[int]:
        """Shape of one sample."""

    @property
    def num_classes(self) -> int | None:
        """Number of classes, None for unlabelled data."""


@runtime_checkable
class _HasIdentity(Protocol):
    @property
    def identity(self) -> Mapping[str, str | int]:
        """What must not change on a resume."""


def class_path(cls: type) -> str:
    """Return the import path of a class.

    Args:
        cls: any class.

    Returns:
        Module and qualified name.

    Example:
        >>> class_path(torch.optim.Adam)
        'torch.optim.adam.Adam'
    """
    return f"{cls.__module__}.{cls.__qualname__}"


def describe(trainer: lightning.Trainer, module: AbstractGAN) -> dict[str, Any]:
    """Collect what stays the same during a run.

    Args:
        trainer: set up to fit.
        module: the family.

    Returns:
        Plain values for run.json. No path of the machine is among them.
    """
    return {
        "family": type(module).__name__,
        "class_path": class_path(type(module)),
        "dataset": _dataset(trainer),
        "data_facts": data_facts(trainer),
        "labels_used": module.uses_labels,
        "seed": module.run_seed,
        "versions": _versions(),
        "device": _device(module.device),
        "world_size": trainer.world_size,
        "precision": str(trainer.precision),
        "git": _git_state(),
        "wandb_id": _wandb_id(trainer),
    }


def data_facts(trainer: lightning.Trainer) -> dict[str, Any]:
    """Collect what networks are built for.

    Args:
        trainer: one whose data module, if it has one, may state its facts.

    Returns:
        ``{"image_shape": [...], "num_classes": ...}``, empty when the data do not say.
    """
    data = datamodule_of(trainer)
    if not isinstance(data, HasFacts):
        return {}
    return {"image_shape": list(data.image_shape), "num_classes": data.num_classes}


def _dataset(trainer: lightning.Trainer) -> dict[str, Any] | None:
    data = datamodule_of(trainer)
    if data is None:
        return None
    identity = dict(data.identity) if isinstance(data, _HasIdentity) else {}
    return {"class_path": class_path(type(data)), "identity": identity}


def _versions() -> dict[str, str]:
    return {
        "gan_lightning": __version__,
        "torch": torch.__version__,
        "lightning": lightning.__version__,
        "python": platform.python_version(),
    }


def _device(device: torch.device) -> str:
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return device.type


def _git_state() -> dict[str, Any] | None:
    """Commit of the checkout around the current directory, and whether tracked files differ."""
    try:
        commit = _git("rev-parse", "HEAD")
        changes = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None  # no git, no checkout, or no commit yet
    return {"commit": commit, "dirty": bool(changes)}


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def _wandb_id(trainer: lightning.Trainer) -> str | None:
    """The run's id, with which a resumed run continues the same W&B run."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger) and isinstance(logger.version, str):
            return logger.version
    return None
