"""A progress bar in generator updates."""

import os
import sys
import time
from collections import deque
from datetime import timedelta
from typing import Any, final

import lightning
from lightning.pytorch.callbacks import ProgressBar, Timer
from tqdm import tqdm

from gan_lightning.callbacks._trainer import callbacks_of
from gan_lightning.families.base import AbstractAlternatingGAN, AbstractGAN

__all__ = ["GANProgressBar"]

_REFRESH = 0.2  # seconds between two drawings of the bar
_WINDOW = 10.0  # seconds over which the speed is measured
_LINE = 60.0  # seconds between two plain lines when the end is not known
_FORMAT = "{desc} {n_fmt}/{total_fmt} {percentage:3.0f}%|{bar}| {status}"
_FORMAT_OPEN = "{desc} {n_fmt} | {status}"


class _Bar(tqdm):  # type: ignore[misc]  # tqdm has no types
    """A bar with a status of its own: tqdm's postfix begins with a comma."""

    status = ""

    @property
    def format_dict(self) -> dict[str, Any]:
        return {**super().format_dict, "status": self.status}


@final
class GANProgressBar(ProgressBar):
    """Show generator updates, images per second, time left and the last losses.

    The images are those that the discriminator has seen, on all processes. On a terminal this is a
    bar; elsewhere (a log file, a pipe, a terminal that does not know its width) a plain line about
    every tenth of the run.
    """

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._bar: Any = None
        self._total: int | None = None
        self._recent: deque[tuple[float, int, int]] = deque()  # time, steps, images seen
        self._next_draw = 0.0
        self._tenths = 0  # of the run, when the last line was written
        self._line_step = -1
        self._start = 0.0

    def enable(self) -> None:
        """Show it again."""
        self._enabled = True

    def disable(self) -> None:
        """Show nothing."""
        self._enabled = False

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Print without breaking the bar."""
        text = str(kwargs.get("sep", " ")).join(map(str, args))
        if self._enabled:
            tqdm.write(text, file=sys.stderr)

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Begin, on a resume where the run was."""
        if not self._enabled or not isinstance(pl_module, AbstractGAN):
            return
        self._total = total_steps(trainer, pl_module)
        self._start = time.monotonic()
        self._recent.clear()
        self._recent.append((self._start, trainer.global_step, pl_module.images_seen))
        self._next_draw = 0.0
        self._tenths, self._line_step = _tenths(_share(trainer, self._total)), -1
        if _can_show_a_bar():
            self._bar = _Bar(
                desc="Training",
                total=self._total,
                initial=trainer.global_step,
                bar_format=_FORMAT_OPEN if self._total is None else _FORMAT,
                dynamic_ncols=True,
                mininterval=0,
                file=sys.stderr,
            )

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Redraw, at most five times a second."""
        if not self._enabled or not isinstance(pl_module, AbstractGAN):
            return
        if pl_module.generator_stepped and time.monotonic() >= self._next_draw:
            self._next_draw = time.monotonic() + _REFRESH
            self._show(trainer, pl_module)

    def on_train_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Show the end."""
        if self._enabled and isinstance(pl_module, AbstractGAN):
            self._show(trainer, pl_module, last=True)
        self._close()

    def on_exception(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        """Leave the bar as it stands."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _show(self, trainer: lightning.Trainer, module: AbstractGAN, last: bool = False) -> None:
        now = time.monotonic()
        self._recent.append((now, trainer.global_step, module.images_seen))
        while len(self._recent) > 2 and now - self._recent[0][0] > _WINDOW:
            self._recent.popleft()
        if self._bar is not None:
            self._bar.status = self._status(trainer)
            self._bar.n = trainer.global_step
            self._bar.refresh()
        else:
            self._show_line(trainer, last)

    def _show_line(self, trainer: lightning.Trainer, last: bool) -> None:
        share, step = _share(trainer, self._total), trainer.global_step
        if share < 0:
            due = time.monotonic() - self._start >= _LINE
        else:
            due = _tenths(share) > self._tenths
        if step == self._line_step or not (due or last):
            return
        self._start, self._tenths, self._line_step = time.monotonic(), _tenths(share), step
        done = f"/{self._total}" if self._total is not None else ""
        line = f"step {step}{done}{_percent(share)}, {self._status(trainer)}"
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    def _status(self, trainer: lightning.Trainer) -> str:
        (then, steps, images), (now, steps_now, images_now) = self._recent[0], self._recent[-1]
        duration = max(now - then, 1e-9)
        parts = [f"{(images_now - images) / duration:,.0f} images/s"]
        left = self._time_left(trainer, (steps_now - steps) / duration)
        if left is not None:
            parts.append(f"{timedelta(seconds=round(left))} left")
        for name, label in (("loss/discriminator", "D"), ("loss/generator", "G")):
            if name in trainer.callback_metrics:
                parts.append(f"loss {label} {float(trainer.callback_metrics[name]):.3f}")
        return ", ".join(parts)

    def _time_left(self, trainer: lightning.Trainer, steps_per_second: float) -> float | None:
        limits = []
        if self._total is not None and steps_per_second > 0:
            limits.append(max(0, self._total - trainer.global_step) / steps_per_second)
        timer = _timer(trainer)
        if timer is not None and (remaining := timer.time_remaining()) is not None:
            limits.append(max(0.0, remaining))
        return min(limits, default=None)


def _can_show_a_bar() -> bool:
    """Whether stderr is a terminal with a width; some (serial lines, containers) have none."""
    if not sys.stderr.isatty():
        return False
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns > 0
    except OSError:
        return False


def total_steps(trainer: lightning.Trainer, module: AbstractGAN) -> int | None:
    """Count the generator updates at which a fit will end.

    Args:
        trainer: one whose data have been set up.
        module: the family.

    Returns:
        The smaller of ``max_steps`` and the whole updates in ``max_epochs``; None when only time,
        or nothing, ends the fit.
    """
    limits = []
    if trainer.max_steps >= 0:
        limits.append(trainer.max_steps)
    batches = trainer.num_training_batches
    if trainer.max_epochs is not None and trainer.max_epochs >= 0 and isinstance(batches, int):
        k = module.discriminator_steps if isinstance(module, AbstractAlternatingGAN) else 1
        limits.append(trainer.max_epochs * batches // k)
    return min(limits, default=None)


def _tenths(share: float) -> int:
    return int(10 * share + 1e-9)


def _percent(share: float) -> str:
    return f" ({100 * share:.0f} %)" if share >= 0 else ""


def _timer(trainer: lightning.Trainer) -> Timer | None:
    """The callback that Lightning makes of ``max_time``."""
    return next((c for c in callbacks_of(trainer) if isinstance(c, Timer)), None)


def _share(trainer: lightning.Trainer, total: int | None) -> float:
    """The part of the run that is done, 0 to 1; -1 when its end is not known."""
    shares = []
    if total:
        shares.append(trainer.global_step / total)
    timer = _timer(trainer)
    if timer is not None and (remaining := timer.time_remaining()) is not None:
        elapsed = timer.time_elapsed()
        shares.append(elapsed / max(elapsed + remaining, 1e-9))
    return min(1.0, max(shares, default=-1.0))
