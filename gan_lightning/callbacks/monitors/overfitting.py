"""Overfitting: the discriminator memorises the training samples, or the generator copies them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

import numpy as np

from gan_lightning.callbacks.monitors import rules
from gan_lightning.callbacks.monitors.actions import Action
from gan_lightning.callbacks.monitors.history import History
from gan_lightning.callbacks.monitors.monitor import AbstractMonitor
from gan_lightning.callbacks.monitors.observer import Observer
from gan_lightning.callbacks.monitors.verdict import Finding

__all__ = ["OverfittingMonitor"]


@final
class OverfittingMonitor(AbstractMonitor):
    """Names "overfitting" of the discriminator and "copying" by the generator.

    It needs real samples that are not trained on (`Observer(heldout=...)`): on them D should judge
    as on the training samples. ADA's r_v and r_t (Karras et al. 2020, arXiv:2006.06676, Eq. 1) are
    shown as evidence; r_t alone cannot tell memory from plain superiority.

    Args:
        action: See `AbstractMonitor`.
        patience: See `AbstractMonitor`.
        observer: See `AbstractMonitor`; one with held-out samples.
        memory: D memorises above this share of pairs in which it ranks a training sample above a
            held-out one; 0.5 is none.
        nearest: G copies where samples are nearer to a training sample than this, relative to
            held-out ones.
    """

    needs_heldout: ClassVar[bool] = True

    def __init__(
        self,
        action: Action = "warn",
        patience: int = 5,
        observer: Observer | None = None,
        *,
        memory: float = 0.63,
        nearest: float = 0.5,
    ) -> None:
        super().__init__(action, patience, observer)
        self.memory = rules.threshold("memory", memory, most=1)
        self.nearest = rules.threshold("nearest", nearest)

    def judge(self, history: History) -> Sequence[Finding]:
        """Memory and copies."""
        grown = rules.grown(history)
        remembered = rules.above(history, "memory", self.memory)
        proof = rules.evidence(history, "memory", self.memory, above=True)
        proof += rules.evidence(history, "overfit_v", 0.5, above=True)
        proof += rules.evidence(history, "overfit_t", 0.6, above=True)
        found = rules.finding(
            history, "overfitting", np.asarray(remembered & grown), self.patience, proof
        )
        copies = rules.below(history, "nearest", self.nearest)
        copies &= rules.above(history, "precision", 0.5)
        proof = rules.evidence(history, "nearest", self.nearest, above=False)
        proof += rules.evidence(history, "authentic", 0.5, above=False)
        return found + rules.finding(
            history, "copying", np.asarray(copies & grown), self.patience, proof
        )
