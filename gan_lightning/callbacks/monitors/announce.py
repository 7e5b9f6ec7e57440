"""Verdicts on the terminal, in events.jsonl, as W&B alerts and as pictures.

Nothing here may end a training: what cannot be written or sent is passed over with one warning.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from weakref import WeakKeyDictionary

import lightning
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_warn
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from gan_lightning.callbacks._grid import save_image
from gan_lightning.callbacks._trainer import callbacks_of
from gan_lightning.callbacks.monitors.events import EventsFile
from gan_lightning.callbacks.monitors.history import History
from gan_lightning.callbacks.monitors.picture import draw_verdict
from gan_lightning.callbacks.monitors.verdict import Verdict
from gan_lightning.callbacks.recorder import RunRecorder
from gan_lightning.families.base import AbstractGAN
from gan_lightning.runs import RunDirectory

__all__ = ["announce", "begin"]

_FOLDER = "verdicts"
_TITLE = 63  # characters that a W&B alert's title may have
# What a trainer has been told of, so that it is told once a fit.
_warned: WeakKeyDictionary[lightning.Trainer, set[str]] = WeakKeyDictionary()


def begin(trainer: lightning.Trainer) -> None:
    """Drop events after the step from which a run is resumed, and their pictures.

    Only in the folder of a run recorder, which refuses that of another run: elsewhere nothing is
    ever deleted. Only the first process does anything.

    Args:
        trainer: At the start of its training.
    """
    if not trainer.is_global_zero:
        return
    _warned.pop(trainer, None)
    run = _recorded(trainer)
    if run is None:
        return
    with _spared(trainer, "events.jsonl"):
        for event in EventsFile(run.events).truncate_after(trainer.global_step):
            _forget_picture(run, event.get("picture"))


def announce(
    trainer: lightning.Trainer,
    module: AbstractGAN,
    verdict: Verdict,
    history: History,
    samples: Tensor,
    real: Tensor | None = None,
) -> None:
    """Tell people and files of a verdict; on the first process alone.

    It is written to stderr without tearing a progress bar, drawn as
    ``verdicts/step_001840_mode_collapse.png``, appended to ``events.jsonl`` with the time (UTC) and
    the name of its picture, and sent to every W&B logger as an alert and a picture. A recovery has
    no picture. Files are written into the folder of the run recorder, else beside what the first
    logger with a folder writes (its version's folder, where lines of an earlier fit stay), else
    nowhere.

    Args:
        trainer: The trainer.
        module: The family.
        verdict: What was found and done.
        history: The signals so far.
        samples: Of that moment, `(n, ...)` on the CPU.
        real: Real samples to draw behind points.
    """
    if not trainer.is_global_zero:
        return
    with _spared(trainer, "words on the terminal"):
        tqdm.write(str(verdict), file=sys.stderr)  # above tqdm's and rich's bars, or without any
    picture, name, run = None, None, _directory(trainer)
    boards = [logger for logger in trainer.loggers if isinstance(logger, WandbLogger)]
    if (run is not None or boards) and not verdict.recovered:
        with _spared(trainer, "pictures of verdicts"):
            picture = draw_verdict(verdict, history, samples, real)
    if run is not None:
        if picture is not None:
            with _spared(trainer, "pictures of verdicts"):
                name = _save(run, verdict, picture)
        with _spared(trainer, "events.jsonl"):
            time = datetime.now(timezone.utc).isoformat(timespec="seconds")
            event = {"time": time, **verdict.as_dict(), "picture": name}
            EventsFile(run.events).append(event)
    for board in boards:
        with _spared(trainer, "W&B alerts"):
            _send(board, verdict, picture, trainer.global_step)


def _directory(trainer: lightning.Trainer) -> RunDirectory | None:
    """Where files of this run belong; None if nowhere."""
    recorded = _recorded(trainer)
    if recorded is not None:
        return recorded
    with _spared(trainer, "files of verdicts"):
        for logger in trainer.loggers:
            if logger.save_dir is not None:
                # Not `trainer.log_dir`, which would wait for the other processes.
                version = logger.version
                folder = version if isinstance(version, str) else f"version_{version}"
                return RunDirectory(Path(logger.save_dir) / str(logger.name) / folder)
    return None


def _recorded(trainer: lightning.Trainer) -> RunDirectory | None:
    recorders = (c for c in callbacks_of(trainer) if isinstance(c, RunRecorder))
    return next((recorder.run for recorder in recorders), None)


def _save(run: RunDirectory, verdict: Verdict, picture: Image.Image) -> str:
    """Write the picture; return its path in the run directory."""
    kind = "_".join("".join(c if c.isalnum() else " " for c in verdict.kind).split())
    name = f"{_FOLDER}/step_{verdict.step:06d}_{kind}.png"
    save_image(picture, run.path / name)
    return name


def _forget_picture(run: RunDirectory, name: object) -> None:
    """Delete the picture that a dropped event names, and nothing else."""
    if isinstance(name, str) and Path(name).parent == Path(_FOLDER):
        (run.path / name).unlink(missing_ok=True)


def _send(board: WandbLogger, verdict: Verdict, picture: Image.Image | None, step: int) -> None:
    """An alert, whose title has the step because W&B holds back equal ones, and the picture."""
    title = f"step {verdict.step:,}: {'recovered from ' * verdict.recovered}{verdict.kind}"
    level = "INFO" if verdict.recovered else "WARN"
    board.experiment.alert(title=title[:_TITLE], text="\n".join(verdict.paragraphs), level=level)
    if picture is not None:
        board.log_image("verdicts", [picture], step=step, caption=[verdict.headline])


@contextlib.contextmanager
def _spared(trainer: lightning.Trainer, what: str) -> Iterator[None]:
    """Go on with the training whatever fails inside; warn once a fit."""
    try:
        yield
    except Exception as error:
        told = _warned.setdefault(trainer, set())
        if what not in told:
            told.add(what)
            rank_zero_warn(f"The monitors go on without {what} in this run: {error!r}")
