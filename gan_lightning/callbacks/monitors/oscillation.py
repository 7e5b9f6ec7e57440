"""Oscillation: the players turn around each other and samples move from mode to mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import numpy as np

from gan_lightning.callbacks.monitors import rules
from gan_lightning.callbacks.monitors.actions import Action
from gan_lightning.callbacks.monitors.history import History
from gan_lightning.callbacks.monitors.monitor import AbstractMonitor
from gan_lightning.callbacks.monitors.observer import Observer
from gan_lightning.callbacks.monitors.verdict import Finding

__all__ = ["OscillationMonitor"]


@final
class OscillationMonitor(AbstractMonitor):
    """Names "oscillation": rotation without progress, and samples that hop between modes.

    Samples of the same z move far between two looks, come back, and are not near the data: the
    figure 22 of the tutorial (Goodfellow 2016) seen from inside the run.

    Args:
        action: See `AbstractMonitor`.
        patience: See `AbstractMonitor`.
        observer: See `AbstractMonitor`.
        moved: Hopping above this share of samples that change bins between two looks.
        shift: Rotation above this shift of the mean sample, relative to the data's spread.
        turn: Samples come back where the way is straighter than this: 1 is a straight line.
        bins: Only where samples reach less than this share of the data at a time,
        distance: and lie farther from real ones than this energy distance, relative to the data's
            spread.
        rhythm: Evidence, not needed: G's cost is periodic above this autocorrelation.
    """

    def __init__(
        self,
        action: Action = "warn",
        patience: int = 5,
        observer: Observer | None = None,
        *,
        moved: float = 0.5,
        shift: float = 0.3,
        turn: float = 0.75,
        bins: float = 0.7,
        distance: float = 0.05,
        rhythm: float = 0.5,
    ) -> None:
        super().__init__(action, patience, observer)
        self.moved = rules.threshold("moved", moved, most=1)
        self.shift = rules.threshold("shift", shift)
        self.turn = rules.threshold("turn", turn, most=1)
        self.bins = rules.threshold("bins", bins, most=1)
        self.distance = rules.threshold("distance", distance)
        self.rhythm = rules.threshold("rhythm", rhythm, most=1)

    def judge(self, history: History) -> Sequence[Finding]:
        """Oscillation or nothing."""
        if rules.falling(history, "distance", self.patience, 0.7):
            return []
        moving = rules.above(history, "moved", self.moved) | rules.above(
            history, "shift", self.shift
        )
        back = rules.below(history, "turn", self.turn)
        few = rules.below(history, "bins", self.bins)
        few &= rules.above(history, "distance", self.distance)
        holds = np.asarray(moving & back & few & rules.grown(history))
        proof = (
            rules.evidence(history, "moved", self.moved, above=True)
            + rules.evidence(history, "shift", self.shift, above=True)
            + rules.evidence(history, "turn", self.turn, above=False)
            + rules.evidence(history, "rhythm", self.rhythm, above=True)
            + rules.evidence(history, "bins", self.bins, above=False)
        )
        found = rules.finding(history, "oscillation", holds, self.patience, proof)
        turns = history.last("phase")
        if turns != turns:
            return found
        note = f"G's cost runs {turns:+.2f} turns behind D's"
        return [replace(one, note=note) for one in found]
