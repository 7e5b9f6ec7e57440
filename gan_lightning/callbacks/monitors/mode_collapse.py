"""Mode collapse: samples are good enough to pass, but there are too few kinds of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from gan_lightning.callbacks.monitors import rules
from gan_lightning.callbacks.monitors.actions import Action
from gan_lightning.callbacks.monitors.history import History
from gan_lightning.callbacks.monitors.monitor import AbstractMonitor
from gan_lightning.callbacks.monitors.observer import Observer
from gan_lightning.callbacks.monitors.verdict import Finding

__all__ = ["ModeCollapseMonitor"]


@final
class ModeCollapseMonitor(AbstractMonitor):
    """Names "mode collapse" and "partial mode collapse".

    Samples are compared with equally many real ones, in the space of an extractor's features: how
    far apart they lie, which share of the data's bins and classes they reach, how many are
    near-duplicates of each other (the birthday paradox: Arora and Zhang 2017, arXiv:1706.08224).
    A conditional family is also looked at class by class: a generator that ignores z may still
    serve all classes.

    Args:
        action: See `AbstractMonitor`.
        patience: See `AbstractMonitor`.
        observer: See `AbstractMonitor`.
        alike: Complete below this mean pairwise distance, relative to real.
        pairwise: Complete also below this one, where D is fooled.
        fooled: D is, where it ranks less than this share of the pairs of a real and a fake sample
            rightly. Bad samples that it tells from real ones are no collapse, whatever their kinds.
        duplicates: Complete above this share of samples with a near-duplicate.
        bins: Partial below this share of the data, by bins that samples reach.
        classes: Partial below this share of the data's classes, where a classifier is there.
        class_pairwise: Partial below this pairwise distance within the poorest class.
        precision: Partial only above this precision relative to real: bad samples reach few bins
            anyway.
    """

    def __init__(
        self,
        action: Action = "warn",
        patience: int = 5,
        observer: Observer | None = None,
        *,
        alike: float = 0.12,
        pairwise: float = 0.5,
        fooled: float = 0.9,
        duplicates: float = 0.8,
        bins: float = 0.4,
        classes: float = 0.65,
        class_pairwise: float = 0.25,
        precision: float = 0.2,
    ) -> None:
        super().__init__(action, patience, observer)
        self.alike = rules.threshold("alike", alike)
        self.pairwise = rules.threshold("pairwise", pairwise)
        self.fooled = rules.threshold("fooled", fooled, most=1)
        self.duplicates = rules.threshold("duplicates", duplicates, most=1)
        self.bins = rules.threshold("bins", bins, most=1)
        self.classes = rules.threshold("classes", classes, most=1)
        self.class_pairwise = rules.threshold("class_pairwise", class_pairwise)
        self.precision = rules.threshold("precision", precision)

    def judge(self, history: History) -> Sequence[Finding]:
        """Complete collapse, or else partial collapse."""
        grown = rules.grown(history)
        alike = rules.below(history, "pairwise", self.alike)
        alike |= rules.below(history, "pairwise", self.pairwise) & rules.below(
            history, "right", self.fooled
        )
        alike |= rules.above(history, "duplicates", self.duplicates) & rules.below(
            history, "bins", self.bins
        )
        complete = rules.finding(
            history,
            "mode collapse",
            alike & grown,
            self.patience,
            rules.evidence(history, "pairwise", self.pairwise, above=False)
            + rules.evidence(history, "bins", self.bins, above=False)
            + rules.evidence(history, "duplicates", self.duplicates, above=True)
            + rules.evidence(history, "classes", self.classes, above=False),
        )
        if complete or rules.rising(history, "bins", self.patience + 1, 1.1):
            return complete
        few = rules.below(history, "bins", self.bins)
        few = np.asarray(few & rules.above(history, "precision", self.precision))
        few |= rules.below(history, "classes", self.classes)
        few |= rules.below(history, "class_pairwise", self.class_pairwise)
        return rules.finding(
            history,
            "partial mode collapse",
            few & grown,
            self.patience,
            rules.evidence(history, "bins", self.bins, above=False)
            + rules.evidence(history, "classes", self.classes, above=False)
            + rules.evidence(history, "class_pairwise", self.class_pairwise, above=False)
            + rules.evidence(history, "pairwise", self.pairwise, above=False),
        )
