"""The run recorder: what a run was, how far it came, and its metrics, in the run directory."""

import contextlib
import time
from argparse import Namespace
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, final

import lightning
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from gan_lightning.callbacks._facts import describe
from gan_lightning.callbacks._outcome import summarise_outcome
from gan_lightning.callbacks._python_config import python_config
from gan_lightning.families.base import AbstractGAN
from gan_lightning.runs import MetricsFile, RunDirectory, write_atomically

__all__ = ["RunRecorder"]

_REFRESH = 30.0  # seconds between two writings of run.json, beside those at checkpoints
_COUNTERS = ("images_seen", "seconds", "epoch")


@final
class RunRecorder(Callback):
    """Keep run.json and metrics.csv of a run, and write a config.yaml if there is none.

    Every row that a family or a callback logs becomes a row of metrics.csv with the columns
    ``step`` (generator updates), ``images_seen`` (by the discriminator) and ``seconds`` (wall time
    of training, over all resumes), then the metrics. A resume drops the rows after the resumed step
    and goes on from there.

    run.json says what was run (family, data, seed, versions, device, git state), how far it came,
    and its outcome: "running", "finished", "interrupted", "failed: <exception>", or what `conclude`
    was told, such as "stopped: mode collapse (since step 1,600)". A W&B summary gets it too. Only
    the first process writes.

    Args:
        run_dir: the folder; made when training starts.

    Raises:
        ValueError: when training starts from scratch, or from another run's checkpoint, in a folder
            that holds a run.
    """

    def __init__(self, run_dir: str | Path) -> None:
        super().__init__()
        self.run = RunDirectory(run_dir)
        self._metrics = MetricsFile(self.run.metrics)
        self._trainer: lightning.Trainer | None = None  # the one that this recorder records
        self._module: AbstractGAN | None = None
        self._facts: dict[str, Any] = {}
        self._found: dict[str, Any] | None = None  # the run.json that was there before
        self._start: str | None = None
        self._seconds_before = 0.0
        self._clock: float | None = None  # None: not running
        self._next_write = 0.0
        self._outcome = "finished"  # what a fit that ends by itself is said to be
        self._last: dict[str, float] = {}
        self._best: dict[str, dict[str, Any]] = {}

    @property
    def seconds(self) -> float:
        """Wall time of training so far, over all resumes."""
        running = 0.0 if self._clock is None else time.monotonic() - self._clock
        return self._seconds_before + running

    def record_score(
        self, name: str, value: float, *, higher_is_better: bool, protocol: str = ""
    ) -> None:
        """Note a score; the best one goes into run.json with its step.

        Args:
            name: the score, for example ``"fid_10k"``.
            value: its value now; NaN is never the best.
            higher_is_better: whether larger values win.
            protocol: how it was measured.
        """
        best = self._best.get(name)
        sign = 1 if higher_is_better else -1
        self._last[name] = value
        if value == value and (best is None or sign * value > sign * best["value"]):
            step = 0 if self._trainer is None else self._trainer.global_step
            self._best[name] = {"value": value, "step": step, "protocol": protocol}

    def add_row(self, row: Mapping[str, float]) -> None:
        """Write a row of metrics at the present step.

        Args:
            row: numbers by name.
        """
        if self._clock is None or self._trainer is None or self._module is None:
            return  # before training: the rows of an earlier run may still be there
        if not self._trainer.is_global_zero:
            return
        counters = {"images_seen": self._module.images_seen, "seconds": round(self.seconds, 3)}
        self._metrics.append(self._trainer.global_step, {**counters, **row})
        self._last.update({k: float(v) for k, v in row.items() if k not in _COUNTERS})

    def conclude(self, outcome: str) -> None:
        """Say how this fit ends, if neither an exception nor Ctrl-C comes first.

        Args:
            outcome: what run.json gets instead of "finished".
        """
        self._outcome = outcome

    def setup(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        """Join the trainer's loggers; see what the folder holds before any process writes."""
        self._found = self.run.read_run() if self.run.run_json.exists() else None
        if stage == "fit" and not any(_records(logger, self) for logger in trainer.loggers):
            trainer.loggers = [*trainer.loggers, _MetricsLogger(self)]

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Refuse a folder with another run, drop rows after the resumed step, write the facts."""
        if not isinstance(pl_module, AbstractGAN):
            raise TypeError(f"`RunRecorder` records GANs, got a {type(pl_module).__name__}.")
        self._refuse_other_run(trainer)
        self._start = self._start or _now()
        self._trainer, self._module = trainer, pl_module
        self._outcome = "finished"
        self._clock = time.monotonic()
        if not trainer.is_global_zero:
            return
        self._facts = describe(trainer, pl_module)
        self._metrics.truncate_after(trainer.global_step)
        if not self.run.config.exists():
            write_atomically(self.run.config, python_config(pl_module))
        self._write("running")

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Refresh run.json now and then."""
        if trainer.is_global_zero and time.monotonic() >= self._next_write:
            self._write("running")

    def on_save_checkpoint(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        """Refresh run.json with every checkpoint."""
        if self._clock is not None and trainer.is_global_zero:
            with contextlib.suppress(OSError):  # on a full disk the checkpoint has the say
                self._write("running")

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write how it ended."""
        self._end(self._outcome)

    def on_exception(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        """Write that it was interrupted, or what failed."""
        interrupted = isinstance(exception, KeyboardInterrupt | SystemExit | SIGTERMException)
        with contextlib.suppress(OSError):  # the exception at hand says more than a full disk here
            self._end("interrupted" if interrupted else f"failed: {type(exception).__name__}")

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run goes on from."""
        return {
            "start": self._start,
            "seconds": self.seconds,
            "last": dict(self._last),
            "best": {name: dict(best) for name, best in self._best.items()},
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self._start = state_dict["start"]
        self._seconds_before = state_dict["seconds"]
        self._last = dict(state_dict["last"])
        self._best = {name: dict(best) for name, best in state_dict["best"].items()}

    def _refuse_other_run(self, trainer: lightning.Trainer) -> None:
        if self._found is None or trainer is self._trainer:
            return  # a second `fit` of the same trainer goes on with its own run
        if trainer.ckpt_path is None:
            raise ValueError(
                f"`run_dir` must not hold a run already unless it is resumed with `ckpt_path`, "
                f"got '{self.run.path}'."
            )
        there = self._found.get("start")
        if self._start is not None and there != self._start:
            raise ValueError(
                f"`run_dir` must hold the run that is resumed (started {self._start}), "
                f"got '{self.run.path}' with a run started {there}."
            )

    def _end(self, outcome: str) -> None:
        if self._clock is None or self._trainer is None:
            return  # never started: what lies in the folder is not this run's
        self._seconds_before, self._clock = self.seconds, None
        if self._trainer.is_global_zero:
            self._write(outcome)
            summarise_outcome(self._trainer, outcome)

    def _write(self, outcome: str) -> None:
        if self._trainer is None or self._module is None:
            return
        self._next_write = time.monotonic() + _REFRESH
        progress = {
            "start": self._start,
            "seconds": round(self.seconds, 3),
            "steps": self._trainer.global_step,
            "discriminator_updates": self._module.discriminator_updates,
            "images_seen": self._module.images_seen,
            "outcome": outcome,
            "scores": {"last": self._last, "best": self._best},
        }
        self.run.write_run({**self._facts, **progress})


class _MetricsLogger(Logger):
    """Hands what goes to the trainer's loggers to the recorder."""

    def __init__(self, recorder: RunRecorder) -> None:
        super().__init__()
        self.recorder = recorder

    # An empty name and version make Lightning's own ModelCheckpoint save in run_dir/checkpoints.
    @property
    def name(self) -> str:
        return ""

    @property
    def version(self) -> str:
        return ""

    @property
    def save_dir(self) -> str:
        return str(self.recorder.run.path)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        # The recorder takes the trainer's step: Lightning's own `self.log` passes its count of
        # batches.
        self.recorder.add_row(metrics)

    def log_hyperparams(
        self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any
    ) -> None:
        """config.yaml holds them."""


def _records(logger: Logger, recorder: RunRecorder) -> bool:
    return isinstance(logger, _MetricsLogger) and logger.recorder is recorder


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
