"""Goes back to the last healthy checkpoint and changes something, lest the failure come again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import lightning

from gan_lightning.callbacks._arguments import positive
from gan_lightning.callbacks._finite import not_finite
from gan_lightning.callbacks._trainer import callbacks_of
from gan_lightning.callbacks.checkpoint import GANCheckpoint
from gan_lightning.callbacks.monitors.action import AbstractAction, Done
from gan_lightning.callbacks.monitors.changes import AbstractChange, ScaleLearningRates
from gan_lightning.callbacks.monitors.healthy import Healthy, checkpoint_of
from gan_lightning.callbacks.monitors.stop import end
from gan_lightning.callbacks.monitors.verdict import Verdict
from gan_lightning.families.base import AbstractGAN, read_checkpoint

__all__ = ["Rollback", "go_back"]


@final
class Rollback(AbstractAction):
    """Put both players back to where they were before the failure, then change something.

    Networks, heads, averages, buffers, both optimizers' states and the fp16 loss scale are those of
    the checkpoint, to the last bit. The run's counters go on: noise and data, which are functions
    of them, are fresh ones (the same ones would repeat the failure), loggers see no step twice, and
    schedules follow the run as planned, with the learning rates of now.

    A run that was never seen healthy goes back to its beginning, `untrained.ckpt`, which is written
    when training starts. After `tries` rollbacks, or without any checkpoint, the run is stopped, as
    by `Stop`.

    Args:
        tries: Rollbacks at most, in the whole run and over all resumes.
        changes: What is changed after each of them, on top of what was changed before; None halves
            both learning rates; an empty list leaves it at fresh noise and data.

    Raises:
        ValueError: If an argument is out of range, or, when training starts, without a
            `GANCheckpoint` among the callbacks or with a change that the family does not allow.
    """

    def __init__(self, tries: int = 3, changes: Sequence[AbstractChange] | None = None) -> None:
        self.tries = positive("tries", tries)
        # No default instance in the signature: a command line could not write it into a file.
        self.changes = (ScaleLearningRates(),) if changes is None else tuple(changes)
        for change in self.changes:
            if not isinstance(change, AbstractChange):
                raise ValueError(f"`changes` must hold changes, got {change!r}.")
        self.used = 0
        self._healthy = Healthy()
        self._module: AbstractGAN | None = None
        self._loaded: list[tuple[str, dict[str, Any]]] = []

    def start(self, trainer: lightning.Trainer, module: AbstractGAN) -> None:
        """Refuse what could not be done later; after a resume change again what is not in a file.

        Raises:
            ValueError: Without checkpoints, in a folder with those of another run, or with a change
                that the family does not allow.
            OSError: If the untrained players cannot be written.
        """
        if checkpoint_of(trainer) is None:
            names = [type(callback).__name__ for callback in callbacks_of(trainer)]
            raise ValueError(
                "`callbacks` must hold a GANCheckpoint for the action 'rollback', which goes back "
                f"to its files, got {names}."
            )
        self._healthy.start(trainer)
        if trainer.global_step == 0:
            self._begin(trainer, module)
        for change in self.changes:
            change.start(trainer, module)
        for change, (name, state) in zip(self.changes, self._loaded, strict=False):
            if type(change).__name__ == name:
                change.restore(module, state)
        self._loaded, self._module = [], module

    def act(self, trainer: lightning.Trainer, module: AbstractGAN, verdict: Verdict) -> Done:
        """Go back, or stop when that has not helped.

        Raises:
            OSError: If the checkpoint cannot be read.
            ValueError: If it is not one of this game.
        """
        found = self._healthy.find(trainer, verdict.since)
        if self.used >= self.tries:
            end(trainer, verdict)
            times = "1 rollback" if self.used == 1 else f"{self.used} rollbacks"
            last = "no healthy checkpoint" if found is None else f"last healthy checkpoint {found}"
            return Done(f"stopped after {times}; {last}")
        beginning = _untrained(trainer)
        if found is not None:
            path, step, name = found.path, found.step, str(found)
        elif trainer.strategy.broadcast(beginning.exists()):
            path, step, name = beginning, 0, f"the beginning, {beginning.name}"
        else:
            end(trainer, verdict)
            return Done("stopped; no checkpoint to go back to")
        go_back(trainer, module, path)
        self._healthy.gone_back(step)
        self.used += 1
        did = [change.apply(trainer, module) for change in self.changes]
        what = f"rolled back to {name} (try {self.used} of {self.tries})"
        return Done("; ".join([what, ", ".join(did)]) if did else what, step)

    def _begin(self, trainer: lightning.Trainer, module: AbstractGAN) -> None:
        """A new run: none of the tries is used, and its beginning is kept."""
        self.used = 0
        checkpoint = _checkpoint(trainer)
        checkpoint.refuse_another_run(trainer)  # it would lose its own beginning
        # D may have been trained by now: Ctrl-C leaves a file between two updates of G.
        if module.discriminator_updates == 0 and not_finite(module) is None:
            trainer.save_checkpoint(_untrained(trainer))

    def healthy(self, trainer: lightning.Trainer, module: AbstractGAN) -> None:
        """See to it that a healthy checkpoint is kept."""
        self._healthy.look(trainer)

    def state_dict(self) -> dict[str, Any]:
        """The tries used, and what the changes have made of the family."""
        changes = self._loaded
        if self._module is not None and self.used:
            # The values of now: several monitors may have changed the same number.
            changes = [(type(c).__name__, c.state(self._module)) for c in self.changes]
        return {
            "used": self.used,
            "changes": [[name, state] for name, state in changes],
            "healthy": self._healthy.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint; the family is changed in `start`."""
        self.used = state.get("used", 0)
        self._loaded = [(name, dict(changed)) for name, changed in state.get("changes", [])]
        self._healthy.load_state_dict(state.get("healthy", {}))


def go_back(trainer: lightning.Trainer, module: AbstractGAN, path: Path) -> None:
    """Put both players into the state of a checkpoint; counters, schedules and rates stay.

    Args:
        trainer: In a fit, between two steps.
        module: The family.
        path: The checkpoint, readable for every process.

    Raises:
        OSError: If it cannot be read.
        ValueError: If torch cannot read it.
    """
    saved = read_checkpoint(path, argument="healthy checkpoint")
    module.load_state_dict(saved["state_dict"], strict=module.strict_loading)
    optimizers = trainer.optimizers
    options = [[_options(group) for group in o.param_groups] for o in optimizers]
    trainer.strategy.load_optimizer_state_dict(saved)  # moves all to the device that must go there
    for optimizer, of_now in zip(optimizers, options, strict=True):
        for group, now in zip(optimizer.param_groups, of_now, strict=True):
            group.update(now)
    # The loss scale belongs to the gradients of these weights; after a divergence it is near 0.
    precision = trainer.precision_plugin
    scale = saved.get(type(precision).__qualname__)
    if scale is not None:
        precision.load_state_dict(scale)


def _checkpoint(trainer: lightning.Trainer) -> GANCheckpoint:
    checkpoint = checkpoint_of(trainer)
    assert checkpoint is not None  # see `start`
    return checkpoint


def _untrained(trainer: lightning.Trainer) -> Path:
    return _checkpoint(trainer).folder / "untrained.ckpt"


def _options(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != "params"}
