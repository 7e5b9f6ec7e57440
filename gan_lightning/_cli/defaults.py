"""What a run gets without asking: settings, callbacks, strategy, no false alarms."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback, ProgressBar

from gan_lightning.callbacks import (
    GANCheckpoint,
    GANProgressBar,
    LossPlot,
    RunRecorder,
    SampleDiversity,
    SampleLogger,
)
from gan_lightning.runs import RunDirectory

__all__ = ["TRAINER", "default_callbacks", "several_processes", "without_false_alarms"]

TRAINER: dict[str, Any] = {
    "logger": False,  # metrics.csv is the run recorder's
    "num_sanity_val_steps": 0,
    "max_epochs": -1,  # steps are the usual limit
    "log_every_n_steps": 25,
}
_NOT_FOR_USERS = ("Tip: For seamless cloud", "`weights_only` was not set")
_TALKERS = (
    "lightning.pytorch.utilities.rank_zero",
    "lightning.pytorch.trainer.connectors.checkpoint_connector",
)
_STRATEGY = (
    "ddp_find_unused_parameters_true"  # each player's backward leaves the other's parameters out
)

# True of automatic optimization, or of data that worker processes read from files; false here.
_FALSE_ALARMS = (
    r"The number of training batches \(\d+\) is smaller than the logging interval",
    r"The '\w+' does not have many workers",  # samples in memory need none
    r"`max_epochs` was not set",
    r"You defined a `validation_step` but have no",  # few who train a classifier hold samples out
    r"You passed in a `val_dataloader` but have no",  # `SemiSupervised` offers one to every family
    r"Total length of `list` across ranks is zero",  # its answer where nothing is held out
    r"Starting from v1\.9\.0, `tensorboardX` has been removed",  # there is always the recorder
    r"\s*By default only one JsonargparseDeprecationWarning",  # Lightning's calls, not the user's
    r"\s*``instantiate_classes`` was deprecated",
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # Lightning's own, of torch 2.13
)


def default_callbacks(
    run: RunDirectory, given: Sequence[Callback], trainer: dict[str, Any]
) -> list[Callback]:
    """Make the callbacks that a run gets without asking.

    Args:
        run: the run directory.
        given: the user's callbacks; a default gives way to one of its type.
        trainer: arguments of the trainer.

    Returns:
        The defaults that are to be added. A trial run (``fast_dev_run``) gets those that write
        nothing.
    """
    wanted: list[Callback] = []
    if trainer.get("enable_progress_bar") is not False and not _has(given, ProgressBar):
        wanted.append(GANProgressBar())
    if trainer.get("fast_dev_run"):
        return wanted
    if trainer.get("enable_checkpointing") is not False:
        wanted.append(GANCheckpoint())
    wanted += [RunRecorder(run.path), SampleDiversity(), SampleLogger(), LossPlot()]
    return [callback for callback in wanted if not _has(given, type(callback))]


def several_processes(trainer: dict[str, Any]) -> dict[str, Any]:
    """Choose what "auto" means for several devices, also under torchrun.

    Args:
        trainer: arguments of the trainer.

    Returns:
        The arguments to change.
    """
    changed: dict[str, Any] = {}
    if trainer.get("devices") == "auto" and "LOCAL_WORLD_SIZE" in os.environ:  # torchrun's
        changed["devices"] = int(os.environ["LOCAL_WORLD_SIZE"])
        changed["num_nodes"] = int(os.environ.get("GROUP_WORLD_SIZE", trainer["num_nodes"]))
    settings = {**trainer, **changed}
    devices = _count(settings["accelerator"], settings["devices"])
    if settings["strategy"] == "auto" and devices * settings["num_nodes"] > 1:
        changed["strategy"] = _STRATEGY
    return changed


def _count(accelerator: Any, devices: Any) -> int:
    """How many devices a node contributes."""
    if isinstance(devices, Sequence) and not isinstance(devices, str):
        return len(devices)
    number = str(devices)
    if "," in number:
        return len([part for part in number.split(",") if part.strip()])
    if number.isdigit():
        return int(number)
    on_gpu = accelerator in ("auto", "gpu", "cuda")  # "auto" or -1: all there are
    return max(1, torch.cuda.device_count()) if on_gpu else 1


def _has(callbacks: Sequence[Callback], kind: type) -> bool:
    return any(isinstance(callback, kind) for callback in callbacks)


@contextlib.contextmanager
def without_false_alarms() -> Iterator[None]:
    """Silence warnings and advertisements that are not true of, or not about, this loop."""
    with warnings.catch_warnings():
        for message in _FALSE_ALARMS:
            warnings.filterwarnings("ignore", message=message)
        for name in _TALKERS:
            logging.getLogger(name).addFilter(_for_users)
        try:
            yield
        finally:
            for name in _TALKERS:
                logging.getLogger(name).removeFilter(_for_users)


def _for_users(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return not any(part in message for part in _NOT_FOR_USERS)
