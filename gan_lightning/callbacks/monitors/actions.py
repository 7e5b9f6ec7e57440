"""What is done about a verdict: warn, stop, or go back to the last healthy checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import lightning

from gan_lightning.callbacks.monitors.action import AbstractAction, Done
from gan_lightning.callbacks.monitors.rollback import Rollback
from gan_lightning.callbacks.monitors.stop import Stop
from gan_lightning.callbacks.monitors.verdict import Verdict
from gan_lightning.families.base import AbstractGAN

__all__ = [
    "AbstractAction",
    "Action",
    "Call",
    "Done",
    "Rollback",
    "Stop",
    "Warn",
    "as_action",
]

Function = Callable[[lightning.Trainer, AbstractGAN, Verdict], str | None]
Action = str | AbstractAction | Function


@final
class Warn(AbstractAction):
    """Say it, and go on."""

    def act(self, trainer: lightning.Trainer, module: AbstractGAN, verdict: Verdict) -> Done:
        """Nothing beyond the announcement."""
        return Done("none")


@final
class Call(AbstractAction):
    """Call a function, on every rank; what it raises ends the run.

    Args:
        function: Is given trainer, module and verdict, and returns what it did in words, or None.
    """

    def __init__(self, function: Function) -> None:
        self.function = function

    def act(self, trainer: lightning.Trainer, module: AbstractGAN, verdict: Verdict) -> Done:
        """Call it.

        Raises:
            ValueError: If it returns neither a string nor None.
        """
        words: object = self.function(trainer, module, verdict)
        if words is None:
            name = getattr(self.function, "__name__", type(self.function).__name__)
            return Done(f"called {name}")
        if not isinstance(words, str):
            raise ValueError(
                f"`action` must return a string or None, got a {type(words).__name__} from "
                f"{self.function!r}."
            )
        return Done(words)


def as_action(action: Action) -> AbstractAction:
    """Turn what a monitor was given into an action.

    Args:
        action: "warn", "stop", "rollback", an action, or a function as `Call` takes it.

    Raises:
        ValueError: If it is neither "warn", "stop" or "rollback" nor an action nor callable.
    """
    if isinstance(action, AbstractAction):
        return action
    if action == "warn":
        return Warn()
    if action == "stop":
        return Stop()
    if action == "rollback":
        return Rollback()
    if callable(action) and not isinstance(action, type):  # a class is an action not yet made
        return Call(action)
    raise ValueError(
        "`action` must be 'warn', 'stop', 'rollback', an action or a function of trainer, module "
        f"and verdict, got {action!r}."
    )
