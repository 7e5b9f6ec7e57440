"""Divergence: numbers that are not finite any more, or explode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import torch

from gan_lightning.callbacks.monitors import rules
from gan_lightning.callbacks.monitors.actions import Action
from gan_lightning.callbacks.monitors.history import History
from gan_lightning.callbacks.monitors.monitor import AbstractMonitor
from gan_lightning.callbacks.monitors.observer import Observer
from gan_lightning.callbacks.monitors.verdict import Finding
from gan_lightning.families.base import AbstractGAN

__all__ = ["DivergenceMonitor"]

_NUMBERS = ("loss_generator", "loss_discriminator", "weights_generator", "weights_discriminator")


@final
class DivergenceMonitor(AbstractMonitor):
    """Names "divergence": NaN, infinity, exploding logits, gradients, weights or samples.

    Every step counts: each player's costs since the last look are looked at together, so that the
    device is waited for once a look. What explodes is told by its own past.

    Args:
        action: See `AbstractMonitor`.
        patience: Looks at which something must explode; NaN and infinity are believed at once.
        observer: See `AbstractMonitor`.
        logit: Logits explode above this median distance from their median, if that is also a
            tenth of `factor` times their median of the young run.
        gradient: Gradients explode above this norm, if that is also beyond `factor`.
        factor: Weights and gradients explode at so many times their median of the young run.
        extent: Samples explode at so many times the largest real value.
    """

    def __init__(
        self,
        action: Action = "warn",
        patience: int = 2,
        observer: Observer | None = None,
        *,
        logit: float = 500.0,
        gradient: float = 1000.0,
        factor: float = 1000.0,
        extent: float = 300.0,
    ) -> None:
        super().__init__(action, patience, observer)
        self.logit = rules.threshold("logit", logit)
        self.gradient = rules.threshold("gradient", gradient)
        self.factor = rules.threshold("factor", factor)
        self.extent = rules.threshold("extent", extent)

    def judge(self, history: History) -> Sequence[Finding]:
        """What is not finite, or else what explodes."""
        broken = rules.below(history, "finite", 1.0)
        for name in _NUMBERS:
            if name in history:
                broken |= ~np.isfinite(history[name])
        proof = rules.evidence(history, "finite", 1.0, above=False)
        found = rules.finding(history, "divergence", broken, 1, proof)
        if found:
            return found
        exploding = rules.above(history, "extent", self.extent)
        proof = rules.evidence(history, "extent", self.extent, above=True)
        for name, limit in self._limits(history).items():
            exploding |= rules.above(history, name, limit)
            proof += rules.evidence(history, name, limit, above=True)
        exploding = np.asarray(exploding & rules.grown(history))
        return rules.finding(history, "divergence", exploding, self.patience, proof)

    def _limits(self, history: History) -> dict[str, float]:
        """Above which each signal explodes: a floor, and so many times its own early median."""
        limits = {}
        for name, floor, factor in (
            ("logit", self.logit, self.factor / 10),
            ("gradient", self.gradient, self.factor),
            ("discriminator_gradient", self.gradient, self.factor),
            ("weights_generator", 0.0, self.factor),
            ("weights_discriminator", 0.0, self.factor),
        ):
            early = history[name][: history.young]
            early = early[np.isfinite(early)]
            if len(early):
                limits[name] = max(floor, factor * float(np.median(early)))
        return limits

    def note(self, finding: Finding, module: AbstractGAN, history: History) -> str:
        """Name the last good step, where the costs tell it, and the first bad tensor."""
        good = history.last("last_good")
        told = "" if good != good else f"Last step with a finite cost: {good:,.0f}. "
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                return f"{told}First tensor that is not finite: `{name}`"
        return told.removesuffix(". ")
