"""Which folder a run gets, the same on all processes, and its config.yaml."""

from __future__ import annotations

import contextlib
import itertools
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import lightning
import yaml
from jsonargparse import Namespace
from lightning.pytorch.callbacks import Callback

from gan_lightning import __version__
from gan_lightning.cli.errors import PROG
from gan_lightning.runs import RunDirectory, write_atomically

__all__ = ["SaveConfig", "choose", "is_first_process", "rerunnable"]

_CHOSEN = (
    "GAN_LIGHTNING_RUN_DIR"  # tells the processes that Lightning starts what the first one chose
)
_RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID")


def is_first_process() -> bool:
    """Whether this is the process that writes; asked before there is a trainer that knows."""
    return all(int(os.environ.get(name) or 0) == 0 for name in _RANKS)


def choose(given: str | None, name: str) -> RunDirectory:
    """Choose the folder of a new run.

    Args:
        given: what the user asked for; None takes ``runs/<name>/<date>_<time>``.
        name: of the recipe.

    Returns:
        The folder; one that was not given has been made, so that no other run takes it.

    Raises:
        ValueError: if the folder holds a run, or is a file.
    """
    if not is_first_process():
        return RunDirectory(given or os.environ.get(_CHOSEN) or _dated(name))
    run = RunDirectory(given) if given else _claimed(name)
    if run.path.exists() and not run.path.is_dir():
        raise ValueError(f"`--run_dir` must be a folder, got the file '{run.path}'.")
    held = (run.config, run.run_json, run.metrics, run.last_checkpoint)
    if any(file.exists() for file in held):
        go_on = (
            f"to go on with that run: `{PROG} fit --resume {run.path}`."
            if run.last_checkpoint.is_file()
            else "that run left no checkpoint to go on from."
        )
        raise ValueError(f"`--run_dir` must not hold a run already, got '{run.path}'; {go_on}")
    os.environ[_CHOSEN] = str(run.path)
    return run


def forget(run: RunDirectory) -> None:
    """Remove the folder if nothing was written to it."""
    with contextlib.suppress(OSError):
        run.path.rmdir()


def _dated(name: str) -> Path:
    folder = Path("runs") / name
    while RunDirectory(folder).run_json.exists():  # a run itself, made with --run_dir
        folder = folder.with_name(f"{folder.name}-again")
    return folder / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")


def _claimed(name: str) -> RunDirectory:
    """Make a folder that nobody else has, also when several runs start in the same second."""
    wanted = _dated(name)
    wanted.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        path = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            return RunDirectory(path)
    raise AssertionError("unreachable")


# --- config.yaml ---------------------------------------------------------------------------------


def rerunnable(parser: Any, config: Namespace) -> str:
    """Write down a configuration so that ``fit --config`` runs it again, in a folder of its own.

    Args:
        parser: of the sub-command.
        config: as parsed, before anything was decided for this run alone.

    Returns:
        YAML. Values that are linked (``image_shape``, ``num_classes``) are not in it.
    """
    content = yaml.safe_load(_dumped(parser, config))
    for key in ("run_dir", "resume"):
        content.pop(key, None)
    for logger in logger_specs(content["trainer"].get("logger")):
        init_args = logger.get("init_args") or {}
        for name, undecided in (("save_dir", ""), ("offline", None)):
            if name in init_args and init_args[name] == undecided:
                del init_args[name]
    header = f"# Written by gan_lightning {__version__}; run it again: {PROG} fit --config FILE\n"
    return header + yaml.safe_dump(content, sort_keys=False, width=100)


def _dumped(parser: Any, config: Namespace) -> str:
    """All of a configuration; without its nulls, a null in the place of a default would be lost."""
    try:
        return str(parser.dump(config, skip_unset=False))
    except TypeError:  # the argument's name before jsonargparse 4.50
        return str(parser.dump(config, skip_none=False))


def logger_specs(value: Any) -> list[Any]:
    """The loggers of ``trainer.logger`` that have a class, whether one was given or a list."""
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, dict | Namespace) and "class_path" in item]


class SaveConfig(Callback):
    """Write config.yaml when training starts; a resumed run keeps the one it began with.

    Args:
        run: the folder.
        text: the file.
    """

    def __init__(self, run: RunDirectory, text: str) -> None:
        super().__init__()
        self.run = run
        self.text = text

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Write it, on the first process; a run that was refused before leaves nothing behind."""
        if trainer.is_global_zero and not self.run.config.exists():
            write_atomically(self.run.config, self.text)
