"""All monitors at once, with one look for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import lightning

from gan_lightning.callbacks.monitors.actions import Action, as_action
from gan_lightning.callbacks.monitors.convergence import ConvergenceMonitor
from gan_lightning.callbacks.monitors.divergence import DivergenceMonitor
from gan_lightning.callbacks.monitors.driver import Driver
from gan_lightning.callbacks.monitors.mode_collapse import ModeCollapseMonitor
from gan_lightning.callbacks.monitors.monitor import AbstractDriven, AbstractMonitor
from gan_lightning.callbacks.monitors.observer import Observer
from gan_lightning.callbacks.monitors.oscillation import OscillationMonitor
from gan_lightning.callbacks.monitors.overfitting import OverfittingMonitor
from gan_lightning.callbacks.monitors.verdict import Verdict
from gan_lightning.metrics.extractors.base import AbstractExtractor

__all__ = ["FailureMonitors"]


@final
class FailureMonitors(AbstractDriven):
    """Names failures of a run while it is young: collapse, a winner, oscillation, divergence.

    A verdict says which failure, since when, on what evidence, and what to try. It is printed,
    written to events.jsonl of the run directory with a picture of that moment, and sent as an alert
    to Weights & Biases. All monitors share one look at the players, so that the whole set costs
    little more than one of them.

    Args:
        action: What a verdict leads to: "warn", "stop", "rollback", an action, or a callable that
            is given trainer, module and verdict. Monitors that are given have their own.
        every_n_steps: Generator updates between two looks; None takes a fiftieth of the run, within
            20 and 1,000, and 200 for a run without `max_steps` and `max_epochs`.
        number: Samples at a look.
        heldout: Real samples that are not trained on; without them nobody tells overfitting.
        extractor: Features of images; None takes the package's classifier for digits and clothes,
            random convolutions for other images.
        seed: Of the samples' z.
        monitors: Which ones, with thresholds and actions of their own, without observers; None
            takes all five.

    Attributes:
        verdicts: What was said in this fit, oldest first.

    Raises:
        ValueError: If an argument is out of range, there is no monitor, two are of one class, one
            has an observer, or an action is given beside monitors.

    Example:
        >>> monitors = FailureMonitors(action="stop")
        >>> [type(monitor).__name__ for monitor in monitors.monitors][:2]
        ['DivergenceMonitor', 'OverfittingMonitor']
    """

    def __init__(
        self,
        action: Action = "warn",
        every_n_steps: int | None = None,
        number: int = 256,
        heldout: lightning.LightningDataModule | None = None,
        extractor: AbstractExtractor | None = None,
        seed: int = 0,
        monitors: Sequence[AbstractMonitor] | None = None,
    ) -> None:
        super().__init__()
        if monitors is None:
            shared = as_action(action)  # so that all rollbacks count together
            monitors = [
                DivergenceMonitor(shared),
                OverfittingMonitor(shared),
                ConvergenceMonitor(shared),
                ModeCollapseMonitor(shared),
                OscillationMonitor(shared),
            ]
        elif action != "warn":
            raise ValueError(
                "`action` must not be given beside `monitors`, which have actions of their own, "
                f"got {action!r}."
            )
        classes = [type(monitor).__name__ for monitor in monitors]
        if not classes or len(set(classes)) < len(classes):
            raise ValueError(f"`monitors` must be one or more of different classes, got {classes}.")
        _refuse_own_observers(monitors)
        self.monitors = list(monitors)
        observer = Observer(every_n_steps, number, seed, heldout)
        self.driver = Driver(observer, self.monitors, extractor)

    @property
    def verdicts(self) -> list[Verdict]:
        """What was said in this fit, oldest first."""
        return list(self.driver.verdicts)


def _refuse_own_observers(monitors: Sequence[AbstractMonitor]) -> None:
    own = [type(monitor).__name__ for monitor in monitors if monitor.observer is not None]
    if own:
        raise ValueError(
            "`monitors` must have no observers of their own, because all share one look (give "
            f"`every_n_steps`, `number`, `seed` and `heldout` instead), got one of {own[0]}."
        )
