"""Checkpoints by steps and by time, from which a run resumes bit for bit."""

from __future__ import annotations

import re
import time
import warnings
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.utilities import rank_zero_warn

from gan_lightning.callbacks._arguments import positive
from gan_lightning.callbacks._atomic import AtomicCheckpointIO, link_or_copy, sweep
from gan_lightning.callbacks._finite import not_finite
from gan_lightning.callbacks._interrupt import DeferredInterrupt
from gan_lightning.callbacks._run_directory import run_directory
from gan_lightning.callbacks.evaluation import direction_of
from gan_lightning.families.base import AbstractGAN

_NUMBERED = re.compile(r"step=\d+\.ckpt")
_REMEMBERED = 10_000  # steps of checkpoints
_AGREE_EVERY = 20  # batches between two agreements of several processes on clock and Ctrl-C


class GANCheckpoint(Checkpoint):
    """Save every so many steps or minutes, at the end, on Ctrl-C and on SIGTERM.

    Checkpoints are written only between training steps: inside one, D has moved and G has not. So
    Ctrl-C and SIGTERM wait for the end of the step (several processes agree on it every twenty
    batches; a second Ctrl-C stops at once), and what an exception leaves goes to `crash.ckpt`,
    never over `last.ckpt`.

    Lightning's own `ModelCheckpoint` warns at every save under manual optimization, ignores its
    time interval there, and can save at an epoch's end, where its counters are ahead of the
    game's.

    Files: `step=<generator updates>.ckpt`, the newest `keep` of them, `last.ckpt`, the newest, and
    with `monitor` `best.ckpt`, the one of the best score. None is written of weights that are not
    finite, so that after a divergence `last.ckpt` is one to go on from.

    Args:
        directory: Folder for the files; None takes `checkpoints/` of the run directory.
        every_n_steps: Generator updates between checkpoints.
        every_n_minutes: Save also when this much time has passed since the last one; None does
            not.
        keep: How many `step=...ckpt` to keep; -1 keeps all.
        monitor: Name of a score, such as "FD-Digits" of an `EvaluationCallback`; whenever it is
            better than ever before, what it was taken of becomes `best.ckpt`.
        mode: Whether a low or a high score is good, "min" or "max"; None asks the
            `EvaluationCallback` whose score it is.

    Attributes:
        best: The best score so far, or None.
        steps: Generator updates at which checkpoints of the run's own past were written, ascending.
            A callback that goes back in time forgets those that it leaves behind, and puts them
            back after a resume.

    Raises:
        ValueError: When an interval or `keep` is out of range, or, at the start of a run that
            does not resume, when the folder holds the checkpoints of another run.
        OSError: When the disk is full; older checkpoints stay readable.
    """

    def __init__(
        self,
        directory: str | Path | None = None,
        every_n_steps: int = 500,
        every_n_minutes: float | None = 2.0,
        keep: int = 3,
        monitor: str | None = None,
        mode: Literal["min", "max"] | None = None,
    ) -> None:
        super().__init__()
        if mode not in ("min", "max", None):
            raise ValueError(f"`mode` must be 'min', 'max' or None, got {mode!r}.")
        positive("every_n_steps", every_n_steps)
        if every_n_minutes is not None and not every_n_minutes > 0:
            raise ValueError(f"`every_n_minutes` must be positive or None, got {every_n_minutes}.")
        if keep != -1:
            positive("keep", keep)
        self.directory = None if directory is None else Path(directory)
        self.every_n_steps = every_n_steps
        self.every_n_minutes = every_n_minutes
        self.keep = keep
        self.monitor = monitor
        self.mode = mode
        self.best: float | None = None
        self.steps: list[int] = []
        self._held: int | None = None  # a step whose file is not deleted
        self._warned = False
        self._folder = Path()
        self._began = False  # an error before training has nothing to save
        self._interrupt = DeferredInterrupt()
        self._saved_at = -1  # D updates
        self._clock = 0.0

    @property
    def folder(self) -> Path:
        """Where the files are; known from `setup` on."""
        return self._folder

    def hold(self, step: int) -> None:
        """Do not delete the file of a step in this fit, beside the newest `keep`; one at a time."""
        self._held = step

    def refuse_another_run(self, trainer: lightning.Trainer) -> None:
        """To be called before anything is written into the folder.

        Raises:
            ValueError: If it holds the checkpoints of another run, which this one does not resume.
        """
        last = self._folder / "last.ckpt"
        if trainer.ckpt_path is None and last.exists():
            raise ValueError(
                f"`directory` must hold no checkpoints of another run, unless this one resumes it, "
                f"but {last} exists."
            )

    def setup(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        """Find the folder; replace Lightning's way of writing files."""
        if stage != "fit" or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        self.steps = []
        self._folder = self.directory or run_directory(trainer).checkpoints
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = AtomicCheckpointIO()
        if trainer.is_global_zero and self._folder.is_dir():
            sweep(self._folder)

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Refuse another run's folder (here Lightning knows of a resume); defer Ctrl-C."""
        if trainer.fast_dev_run:  # type: ignore[attr-defined]  # a trial run leaves nothing behind
            return
        self.refuse_another_run(trainer)
        self._clock = time.monotonic()
        self._saved_at = _updates(pl_module)
        self._began = True
        self._held, self._warned = None, False
        self._interrupt.install()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save when it is time; stop here if Ctrl-C was pressed or SIGTERM came.

        Raises:
            KeyboardInterrupt: After saving, when it was.
        """
        assert isinstance(pl_module, AbstractGAN)
        if not self._began:
            return
        stop, late = self._agreed(trainer, pl_module)
        by_steps = pl_module.generator_stepped and trainer.global_step % self.every_n_steps == 0
        better = self._is_better(trainer)
        if by_steps or stop or late or better or _ends_here(trainer):
            self._save(trainer, pl_module)
        if better:
            self._keep_best(trainer)
        if stop:
            self._interrupt.remove()
            raise KeyboardInterrupt

    def on_train_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Save the last state, if a callback has stopped the run after the batch's end.

        By now Lightning has counted the epoch as finished. Resumed to more steps such a file is
        exact, resumed to more epochs it makes fewer batches.
        """
        self._interrupt.remove()
        if self._began:
            better = self._is_better(trainer)
            self._save(trainer, pl_module)
            if better:
                self._keep_best(trainer)
            if self.monitor is not None and self.best is None:
                rank_zero_warn(
                    f"No best.ckpt: `monitor='{self.monitor}'` never had a value, among "
                    f"{', '.join(sorted(trainer.callback_metrics))}."
                )

    def state_dict(self) -> dict[str, Any]:
        """The best score so far."""
        return {} if self.best is None else {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.best = state_dict.get("best")

    def on_exception(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        """Keep what there is as `crash.ckpt`; `last.ckpt` is for states between two steps."""
        self._interrupt.remove()
        if not self._began or _updates(pl_module) == self._saved_at:
            return
        if trainer.world_size > 1:
            return  # processes need not fail together, and saving would wait for all of them
        if not self._finite(trainer, pl_module):
            return
        try:
            trainer.save_checkpoint(self._folder / "crash.ckpt")
        except (OSError, ValueError) as error:
            warnings.warn(f"No crash.ckpt could be written: {error}", stacklevel=1)

    def teardown(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        """Give Ctrl-C back, whatever happened."""
        self._interrupt.remove()

    def _agreed(self, trainer: lightning.Trainer, module: AbstractGAN) -> tuple[bool, bool]:
        """Whether Ctrl-C was pressed, and whether the time is up; the same on all ranks."""
        minutes = (time.monotonic() - self._clock) / 60
        stop = self._interrupt.requested
        late = self.every_n_minutes is not None and minutes >= self.every_n_minutes
        if trainer.world_size == 1:
            return stop, late and module.generator_stepped
        if module.discriminator_updates % _AGREE_EVERY:
            return False, False
        flags = torch.tensor([float(stop), float(late)], device=module.device)
        flags = trainer.strategy.reduce(flags, reduce_op="sum")
        return bool(flags[0] > 0), bool(flags[1] > 0)

    def _is_better(self, trainer: lightning.Trainer) -> bool:
        """Whether the score has never been better; it is the same on all ranks."""
        if self.monitor is None or self.monitor not in trainer.callback_metrics:
            return False
        score = float(trainer.callback_metrics[self.monitor])
        sign = -1 if self._higher_is_better(trainer) else 1
        if score != score or (self.best is not None and sign * score >= sign * self.best):
            return False
        self.best = score
        return True

    def _higher_is_better(self, trainer: lightning.Trainer) -> bool:
        known = direction_of(trainer, str(self.monitor))
        given = None if self.mode is None else self.mode == "max"
        if given is None and known is None:
            raise ValueError(
                f"`mode` must be 'min' or 'max' for `monitor='{self.monitor}'`, of which nobody "
                "knows which way is better, got None."
            )
        if None not in (given, known) and given != known:
            raise ValueError(
                f"`mode` must be '{'max' if known else 'min'}' for `monitor='{self.monitor}'`, got "
                f"'{self.mode}'."
            )
        return bool(known if given is None else given)

    def _keep_best(self, trainer: lightning.Trainer) -> None:
        if trainer.is_global_zero and trainer.global_step in self.steps[-1:]:  # it was written
            source = self._folder / f"step={trainer.global_step}.ckpt"
            link_or_copy(source, self._folder / "best.ckpt")

    def _save(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        if _updates(module) == self._saved_at:
            return
        self._clock = time.monotonic()
        if not self._finite(trainer, module):
            module.on_save_checkpoint({})  # data that were not finite either are refused by name
            return
        step = trainer.global_step
        if step not in self.steps[-1:]:
            self.steps = [*self.steps, step][-_REMEMBERED:]  # before it goes into the file
        path = self._folder / f"step={step}.ckpt"
        trainer.save_checkpoint(path)
        if trainer.is_global_zero:
            link_or_copy(path, self._folder / "last.ckpt")
            self._forget_old()
        self._saved_at = _updates(module)
        self._clock = time.monotonic()

    def _finite(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> bool:
        """Whether all weights are; parameters are equal on all ranks, buffers may differ."""
        bad = not_finite(module)
        if bad is not None and not self._warned:
            self._warned = True
            rank_zero_warn(f"No checkpoint of step {trainer.global_step}: `{bad}` is not finite.")
        return bad is None

    def _forget_old(self) -> None:
        if self.keep == -1:
            return
        # By age, not by number: a run resumed at an earlier step keeps what it writes.
        numbered = [p for p in self._folder.glob("step=*.ckpt") if _NUMBERED.fullmatch(p.name)]
        for path in sorted(numbered, key=lambda p: p.stat().st_mtime_ns)[: -self.keep]:
            if path.name != f"step={self._held}.ckpt":
                path.unlink(missing_ok=True)


def _ends_here(trainer: lightning.Trainer) -> bool:
    """Whether the fit ends with this batch; callbacks that stop it have spoken before this one."""
    last_epoch = trainer.max_epochs is not None and trainer.current_epoch + 1 == trainer.max_epochs
    return (
        trainer.should_stop
        or trainer.global_step == trainer.max_steps
        or (trainer.is_last_batch and last_epoch)
    )


def _updates(module: lightning.LightningModule) -> int:
    assert isinstance(module, AbstractGAN)
    return module.discriminator_updates
