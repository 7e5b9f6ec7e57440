"""Ends a run about which there is a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import lightning

from gan_lightning.callbacks._outcome import summarise_outcome
from gan_lightning.callbacks._trainer import callbacks_of
from gan_lightning.callbacks.monitors.action import AbstractAction, Done
from gan_lightning.callbacks.monitors.healthy import Healthy
from gan_lightning.callbacks.monitors.verdict import Verdict
from gan_lightning.callbacks.recorder import RunRecorder
from gan_lightning.families.base import AbstractGAN

__all__ = ["Stop", "end"]


@final
class Stop(AbstractAction):
    """End the run after this batch, with a checkpoint; run.json and W&B say why.

    A trainer's `min_steps` and `min_epochs` are waited for. A resumed run goes on.
    """

    def __init__(self) -> None:
        self._healthy = Healthy()

    def start(self, trainer: lightning.Trainer, module: AbstractGAN) -> None:
        """Find the checkpoints."""
        self._healthy.start(trainer)

    def act(self, trainer: lightning.Trainer, module: AbstractGAN, verdict: Verdict) -> Done:
        """Ask the trainer to stop; name the last healthy checkpoint."""
        found = self._healthy.find(trainer, verdict.since)
        end(trainer, verdict)
        last = "no healthy checkpoint" if found is None else f"last healthy checkpoint {found}"
        return Done(f"stopped; {last}")

    def healthy(self, trainer: lightning.Trainer, module: AbstractGAN) -> None:
        """See to it that a healthy checkpoint is kept."""
        self._healthy.look(trainer)

    def state_dict(self) -> dict[str, Any]:
        """At which looks nothing was wrong."""
        return {"healthy": self._healthy.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint."""
        self._healthy.load_state_dict(state.get("healthy", {}))


def end(trainer: lightning.Trainer, verdict: Verdict) -> None:
    """Stop after this batch; call it on every rank.

    Args:
        trainer: Who is to stop.
        verdict: Why.
    """
    trainer.should_stop = True
    outcome = f"stopped: {verdict.kind} (since step {verdict.since:,})"
    for callback in callbacks_of(trainer):
        if isinstance(callback, RunRecorder):
            callback.conclude(outcome)
    if trainer.is_global_zero:
        summarise_outcome(trainer, outcome)
