"""The base of all monitors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, final

import lightning
from lightning.pytorch.callbacks import Callback

from gan_lightning.callbacks._arguments import positive
from gan_lightning.callbacks._trainer import callbacks_of
from gan_lightning.callbacks.monitors.actions import Action, Rollback, as_action
from gan_lightning.callbacks.monitors.driver import Driver
from gan_lightning.callbacks.monitors.history import History
from gan_lightning.callbacks.monitors.observer import Observer
from gan_lightning.callbacks.monitors.verdict import Finding
from gan_lightning.families.base import AbstractGAN

__all__ = ["AbstractDriven", "AbstractMonitor"]


class AbstractDriven(Callback, ABC):
    """A callback whose work a driver does."""

    driver: Driver

    @final
    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Draw the samples that stay the same for the whole fit.

        Raises:
            TypeError: If the module is no GAN of this package.
            ValueError: If several callbacks would go back, or an argument does not suit the run.
        """
        if not isinstance(pl_module, AbstractGAN):
            raise TypeError(
                f"`{type(self).__name__}` watches GANs, got a {type(pl_module).__name__}."
            )
        if not trainer.fast_dev_run:  # type: ignore[attr-defined]
            _refuse_two_ways_back(trainer)
            self.driver.start(trainer, pl_module)

    @final
    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Remember the step; look and judge when it is time."""
        if isinstance(pl_module, AbstractGAN) and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            self.driver.step(trainer, pl_module, batch)

    @final
    def state_dict(self) -> dict[str, Any]:
        """The history, the verdicts that stand, and what actions have done."""
        return self.driver.state_dict()

    @final
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.driver.load_state_dict(state_dict)


class AbstractMonitor(AbstractDriven, ABC):
    """Judges the history of a run; a subclass is a rule with thresholds.

    Args:
        action: "warn", "stop" or "rollback", an action of `actions`, or a callable that is given
            trainer, module and verdict and may return what it did, in words.
        patience: Looks at which a rule must hold before it is believed.
        observer: Who looks, how often and at how much; None takes the defaults.

    Attributes:
        needs_heldout: Whether nothing can be named without held-out samples.
    """

    needs_heldout: ClassVar[bool] = False

    def __init__(
        self, action: Action = "warn", patience: int = 5, observer: Observer | None = None
    ) -> None:
        super().__init__()

        self.act = as_action(action)
        self.patience = positive("patience", patience)
        self.observer = observer
        self.driver = Driver(observer or Observer(), [self])

    @abstractmethod
    def judge(self, history: History) -> Sequence[Finding]:
        """What holds now, a pure function of the history."""

    def note(self, finding: Finding, module: AbstractGAN, history: History) -> str:
        """One more fact about a new finding that only the networks tell."""
        return ""


def _refuse_two_ways_back(trainer: lightning.Trainer) -> None:
    """Both would go back at one step, and one keep the history of what the other has left."""
    names = [
        type(callback).__name__
        for callback in callbacks_of(trainer)
        if isinstance(callback, AbstractDriven)
        and any(isinstance(monitor.act, Rollback) for monitor in callback.driver.monitors)
    ]
    if len(names) > 1:
        raise ValueError(
            "`callbacks` must hold one monitor at most whose action goes back (use "
            f"FailureMonitors, which count together), got {names}."
        )
