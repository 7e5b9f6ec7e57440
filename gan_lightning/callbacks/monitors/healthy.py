"""Which checkpoint of a run is the last healthy one, and how it outlives `keep`.

A failure is named some looks after it began, so the newest checkpoint need not be healthy when
nothing has been named yet, and those of a run that has never been seen healthy are not trusted at
all. One that lies seven looks back is trusted, and gets a second name, `healthy.ckpt`. Younger ones
may be deleted before they are as old as that; one of them waits for its day as `healthy-next.ckpt`.
Both are hard links where the file system has them, and cost no room while the numbered file is
there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import lightning
from lightning.pytorch.utilities import rank_zero_warn

from gan_lightning.callbacks._atomic import link_or_copy
from gan_lightning.callbacks._trainer import callbacks_of
from gan_lightning.callbacks.checkpoint import GANCheckpoint
from gan_lightning.families.base import read_checkpoint

__all__ = ["HEALTHY", "NEXT", "Healthy", "HealthyCheckpoint", "checkpoint_of"]

HEALTHY, NEXT = "healthy.ckpt", "healthy-next.ckpt"
_KEY = "gan_lightning"  # what a family writes into its checkpoints
_TRUSTED = 7  # looks after which a checkpoint is believed: patience, and two for an onset told late


@final
@dataclass(frozen=True)
class HealthyCheckpoint:
    """A checkpoint that was written before a failure began.

    Attributes:
        step: Generator updates.
        path: The file.
    """

    step: int
    path: Path

    def __str__(self) -> str:
        name = self.path.name
        return name if name == f"step={self.step}.ckpt" else f"{name} (step {self.step:,})"


@final
class Healthy:
    """Keeps and finds healthy checkpoints; each action that stops or goes back has one."""

    def __init__(self) -> None:
        self._checkpoint: GANCheckpoint | None = None
        self._steps: list[int] | None = None  # of its checkpoints, from before a resume
        self._looks: list[int] = []  # the newest ones at which nothing was wrong
        self._first: int | None = None  # the first such look
        self._interval: int | None = None  # between two looks
        self._jumped = False  # to an earlier checkpoint, since the last look
        self._known: dict[tuple[int, int, int], int] = {}  # steps of files seen before

    def start(self, trainer: lightning.Trainer) -> None:
        """Find who writes checkpoints; after a resume say which ones are of the run's own past."""
        self._checkpoint = checkpoint_of(trainer)
        if self._checkpoint is not None and self._steps is not None:
            self._checkpoint.steps = list(self._steps)
        self._steps = None
        if trainer.global_step == 0:  # a run of its own, whatever was seen in an earlier fit
            self._looks, self._first, self._interval, self._jumped = [], None, None, False

    def look(self, trainer: lightning.Trainer) -> None:
        """Note that nothing is wrong now, on every rank; the first one keeps a checkpoint."""
        checkpoint = self._checkpoint
        now = trainer.global_step
        if checkpoint is None or now in self._looks:  # several monitors may share an action
            return
        if self._looks and not self._jumped:
            gap = now - self._looks[-1]
            if self._interval is not None and gap > self._interval:
                # There was a failure, of which the run has recovered by itself.
                self.disown(self._looks[-1])
            self._interval = min(gap, self._interval or gap)
        self._jumped = False
        self._looks = [*self._looks, now][-1 - _TRUSTED :]
        self._first = now if self._first is None else self._first
        if trainer.is_global_zero:
            try:
                self._keep(checkpoint)
            except (
                OSError,
                ValueError,
            ) as error:  # else the others wait for ever
                rank_zero_warn(f"No {HEALTHY} could be kept: {error}")

    def find(self, trainer: lightning.Trainer, since: int) -> HealthyCheckpoint | None:
        """The newest checkpoint of before a failure, the same on all ranks; it is kept from now on.

        Args:
            trainer: With its callbacks.
            since: Generator updates at the first look at which the failure was there.

        Returns:
            None if there is none, or no `GANCheckpoint`, or if the run was not seen healthy before.

        Raises:
            OSError: On all ranks, if a file cannot be read or linked on the first one.
        """
        checkpoint = self._checkpoint
        if checkpoint is None:
            return None
        told: tuple[tuple[int, str] | None, Exception | None] = (None, None)
        if trainer.is_global_zero:
            try:
                found = self._newest(checkpoint, since)
                told = (None if found is None else (found.step, str(found.path)), None)
            except (OSError, ValueError) as failure:  # the others wait for it
                told = (None, failure)
        answer, error = trainer.strategy.broadcast(told)
        if error is not None:
            raise error
        return None if answer is None else HealthyCheckpoint(answer[0], Path(answer[1]))

    def gone_back(self, to: int) -> None:
        """Forget what belongs to the future that a run has left.

        Args:
            to: Generator updates of the checkpoint to which it has gone; 0 is its beginning, after
                which nobody has seen it healthy.
        """
        self.disown(to)
        self._looks = [look for look in self._looks if look <= to]
        self._jumped = True  # checkpoints since then go on from a healthy one
        if to == 0:
            self._first = None

    def disown(self, after: int) -> None:
        """Forget the checkpoints after a step, which do not belong to the run's past any more.

        Args:
            after: Generator updates of the last one that does. The files stay.
        """
        assert self._checkpoint is not None  # they are its
        self._checkpoint.steps = [step for step in self._checkpoint.steps if step <= after]

    def state_dict(self) -> dict[str, Any]:
        """Plain types, for the checkpoint."""
        steps = self._steps if self._checkpoint is None else list(self._checkpoint.steps)
        return {
            "steps": steps,
            "looks": list(self._looks),
            "interval": self._interval,
            "first": self._first,
            "jumped": self._jumped,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint."""
        self._steps = state.get("steps")
        self._looks = list(state.get("looks", []))
        self._interval = state.get("interval")
        self._first = state.get("first")
        self._jumped = state.get("jumped", False)

    def _newest(self, checkpoint: GANCheckpoint, since: int) -> HealthyCheckpoint | None:
        if self._first is None or since <= self._first:
            return None  # nobody knows whether the run was ever healthy
        # What was written while another failure stood is not healthy either.
        last = min([since - 1, *self._looks[-1:]])
        files = self._files(checkpoint)
        step = max((n for n in files if n <= last), default=None)
        if step is None:
            return None
        checkpoint.hold(step)
        kept = checkpoint.folder / HEALTHY
        if self._step(kept, checkpoint) != step:
            self._link(files[step], kept, step)
        return HealthyCheckpoint(step, files[step])

    def _keep(self, checkpoint: GANCheckpoint) -> None:
        files = self._files(checkpoint)
        kept, waiting = checkpoint.folder / HEALTHY, checkpoint.folder / NEXT
        healthy = self._step(kept, checkpoint) or -1
        if len(self._looks) > _TRUSTED:
            trusted = max((n for n in files if n <= self._looks[0]), default=-1)
            if trusted > healthy:
                self._link(files[trusted], kept, trusted)
                healthy = trusted
        if (self._step(waiting, checkpoint) or -1) <= healthy:
            newest = max(files, default=-1)
            if newest > healthy:
                self._link(files[newest], waiting, newest)
            else:
                waiting.unlink(missing_ok=True)

    def _files(self, checkpoint: GANCheckpoint) -> dict[int, Path]:
        """Checkpoints of the run's own past that are still there, by their steps."""
        folder = checkpoint.folder
        files = {}
        for path in (folder / NEXT, folder / HEALTHY):
            step = self._step(path, checkpoint)
            if step is not None:
                files[step] = path
        there = {path.name for path in folder.glob("step=*.ckpt")}
        names = {step: f"step={step}.ckpt" for step in checkpoint.steps}
        return files | {step: folder / name for step, name in names.items() if name in there}

    def _step(self, path: Path, checkpoint: GANCheckpoint) -> int | None:
        """The step at which a file was written; None if it is not of the run's own past."""
        try:
            key = _identity(path)
        except FileNotFoundError:
            return None
        if key not in self._known:
            self._known[key] = _step_of(path)
        return self._known[key] if self._known[key] in checkpoint.steps else None

    def _link(self, source: Path, target: Path, step: int) -> None:
        link_or_copy(source, target)
        self._known[_identity(target)] = step  # needs not be read


def checkpoint_of(trainer: lightning.Trainer) -> GANCheckpoint | None:
    """The callback that writes the checkpoints of a run, or None."""
    found = (c for c in callbacks_of(trainer) if isinstance(c, GANCheckpoint))
    return next(found, None)


def _identity(path: Path) -> tuple[int, int, int]:
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _step_of(path: Path) -> int:
    """The step of a GAN's checkpoint; -1 of a file that is torn or of another kind."""
    try:
        saved = read_checkpoint(path, mmap=True)
    except ValueError:
        return -1
    step = saved.get("global_step")
    return step if _KEY in saved and isinstance(step, int) else -1
