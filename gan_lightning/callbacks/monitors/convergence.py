"""One player has won, or neither learns: samples stay bad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from gan_lightning.callbacks.monitors import rules
from gan_lightning.callbacks.monitors.actions import Action
from gan_lightning.callbacks.monitors.history import History
from gan_lightning.callbacks.monitors.monitor import AbstractMonitor
from gan_lightning.callbacks.monitors.observer import Observer
from gan_lightning.callbacks.monitors.verdict import Evidence, Finding

__all__ = ["ConvergenceMonitor"]


@final
class ConvergenceMonitor(AbstractMonitor):
    """Names "discriminator wins", "generator wins" and "no progress".

    All three need bad samples, far from real ones and no longer coming nearer. Who has won is told
    by the share of pairs of a real and a fake sample that D ranks rightly, which needs no threshold
    of the logits and so serves critics as well. G's gradient against its own early past, evidence
    only, tells vanishing gradients from others.

    Args:
        action: See `AbstractMonitor`.
        patience: See `AbstractMonitor`.
        observer: See `AbstractMonitor`.
        distance: Samples are bad above this energy distance, relative to the data's spread.
        precision: Or below this precision relative to real together with `few`.
        few: Coverage relative to real.
        wins: D has won above this share of rightly ranked pairs.
        loses: G has won below this one.
        drift: No progress where samples of fixed z have changed less than this since the first
            look, relative to the data's spread.
    """

    def __init__(
        self,
        action: Action = "warn",
        patience: int = 5,
        observer: Observer | None = None,
        *,
        distance: float = 0.15,
        precision: float = 0.1,
        few: float = 0.3,
        wins: float = 0.95,
        loses: float = 0.6,
        drift: float = 0.1,
    ) -> None:
        super().__init__(action, patience, observer)
        self.distance = rules.threshold("distance", distance)
        self.precision = rules.threshold("precision", precision)
        self.few = rules.threshold("few", few)
        self.wins = rules.threshold("wins", wins, most=1)
        self.loses = rules.threshold("loses", loses, most=1)
        self.drift = rules.threshold("drift", drift)

    def judge(self, history: History) -> Sequence[Finding]:
        """Who has won, if anybody, and whether nothing moves: both may be true."""
        bad = rules.above(history, "distance", self.distance)
        bad |= rules.below(history, "precision", self.precision) & rules.below(
            history, "coverage", self.few
        )
        bad = np.asarray(bad & rules.grown(history))
        if self._improving(history):
            return []
        proof = rules.evidence(history, "distance", self.distance, above=True)
        wins = rules.above(history, "right", self.wins)
        loses = rules.below(history, "right", self.loses)
        rest = rules.below(history, "drift", self.drift)
        found: list[Finding] = []
        kinds = {
            "no progress": (rest, rules.evidence(history, "drift", self.drift, above=False)),
            "discriminator wins": (wins, self._of_winner(history)),
            "generator wins": (loses, rules.evidence(history, "right", self.loses, above=False)),
        }
        for kind, (holds, more) in kinds.items():
            found += rules.finding(history, kind, bad & holds, self.patience, more + proof)
        return found

    def _of_winner(self, history: History) -> list[Evidence]:
        early = history["gradient"][: history.young]
        early = early[np.isfinite(early)]
        proof = rules.evidence(history, "right", self.wins, above=True)
        proof += rules.evidence(history, "saturated", 0.9, above=True)
        if len(early):
            proof += rules.evidence(history, "gradient", 0.1 * float(early.max()), above=False)
        return proof

    def _improving(self, history: History) -> bool:
        """Whether the distance falls by a fifth, or precision rises, within twice the patience."""
        looks = self.patience + 1
        nearer = rules.falling(history, "distance", looks, 0.8)
        return nearer or rules.rising(history, "precision", looks, 1.25)
