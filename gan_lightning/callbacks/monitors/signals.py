"""From an observation to numbers that mean the same for images, points and every family.

All distances are taken in the space of some features and relative to what real samples among
themselves show; P(a > b) is the share of pairs, ties counted half.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from gan_lightning.callbacks.monitors.observation import Observation
from gan_lightning.metrics.extractors.base import AbstractExtractor
from gan_lightning.metrics.functional import (
    authenticity,
    density_coverage,
    mean_pairwise_distance,
    ndb_bins,
    precision_recall,
)

__all__ = ["MEANINGS", "Signals", "above"]

MEANINGS = {
    "finite": "share of samples and logits that are finite",
    "pairwise": "pairwise distance relative to real",
    "duplicates": "share of near-duplicates",
    "precision": "precision relative to real",
    "recall": "recall relative to real",
    "coverage": "coverage relative to real",
    "bins": "share of the data's bins that samples reach",
    "recent_bins": "share of the data's bins that the last five looks reach",
    "moved": "share of samples that changed bins since the last look",
    "classes": "classes left, relative to real",
    "class_pairwise": "pairwise distance within the poorest class, relative to real",
    "distance": "energy distance to real, relative to the data's spread",
    "change": "change of the samples of fixed z, relative to the data's spread",
    "shift": "shift of the mean sample, relative to the data's spread",
    "extent": "largest value of a sample relative to real",
    "right": "pairs that D ranks rightly",
    "logit": "median size of the logits",
    "memory": "P(D ranks a training sample above a held-out one)",
    "overfit_v": "ADA's r_v",
    "overfit_t": "ADA's r_t",
    "gradient": "norm of G's gradient",
    "discriminator_gradient": "norm of D's gradient",
    "loss_generator": "G's cost",
    "loss_discriminator": "D's cost",
    "weights_generator": "G's largest weight",
    "weights_discriminator": "D's largest weight",
    "authentic": "authenticity relative to held-out samples",
    "nearest": "distance to the nearest training sample, relative to held-out samples",
}
_BINS, _PER_BIN = 32, 8
_RECENT = 5
_K = 5  # neighbours
_REACHED = 0.2  # of its fair share
_SIDE = 16  # pixels of images without an extractor


class Signals:
    """Measures observations against real samples; remembers the look before.

    Args:
        real: Training samples `(2n, ...)`: one half to compare with, the other for what as many
            good samples would show.
        labels: Their classes `(2n,)`, or None.
        unseen: Real samples that are not trained on, or None.
        extractor: Features of images; None takes pixels.
    """

    def __init__(
        self,
        real: Tensor,
        labels: Tensor | None = None,
        unseen: Tensor | None = None,
        extractor: AbstractExtractor | None = None,
    ) -> None:
        self.extractor = extractor if _suits(real, extractor) else None
        half = len(real) // 2
        every = self.outputs(real)
        features = every["features"]
        self.train = features
        self.real, self.other = features[:half], features[half:]
        self.spread = float(mean_pairwise_distance(self.real))
        self.neighbour = float(_nearest(self.real).median())
        self.size = float(real.abs().max())
        self.labels = None if labels is None else labels[:half]
        self.centres = ndb_bins(features, max(2, min(_BINS, len(features) // _PER_BIN)))
        self.shares = _shares(features, self.centres)
        self.classes = None
        if "logits" in every:
            self.classes = torch.bincount(every["logits"].argmax(1)).double() / len(real)
        self.unseen = None if unseen is None else self.outputs(unseen)["features"]
        self.authentic = 0.5  # what new samples score in many dimensions
        self.nearest = math.nan
        if self.unseen is not None:
            self.authentic = float(authenticity(self.train, self.unseen))
            self.nearest = float(_nearest(self.unseen, self.train).median())
        k = min(_K, half - 1)
        self.k = k
        self.base = self._manifolds(self.other[:half])
        self.before: Tensor | None = None  # features at the last look
        self.recent: deque[Tensor] = deque(maxlen=_RECENT)

    def outputs(self, x: Tensor) -> dict[str, Tensor]:
        """Features, and logits of a classifier if there is one, of samples `(n, ...)`."""
        if self.extractor is not None:
            with torch.no_grad():
                found = self.extractor(x.clamp(-1, 1))
            return {name: found[name] for name in ("features", "logits") if name in found}
        if x.ndim == 4 and x.shape[-1] > _SIDE:
            x = adaptive_avg_pool2d(x, _SIDE)
        return {"features": x.flatten(1).float()}

    def measure(self, seen: Observation) -> dict[str, float]:
        """All signals of an observation; those that it does not allow are missing."""
        found = _of_players(seen)
        finite = seen.samples.flatten(1).isfinite().all(1)
        logits = torch.cat([*seen.logits.values(), seen.samples.new_zeros(0)])
        shares = [finite.double().mean(), logits.isfinite().double().mean()]
        found["finite"] = min(float(share) for share in shares if share == share)
        if finite.all():
            with torch.no_grad():
                found |= self._of_samples(seen)
        else:
            self.before = None
        return found

    def _of_samples(self, seen: Observation) -> dict[str, float]:
        every = self.outputs(seen.samples)
        fake = every["features"]
        found = self._diversity(fake) | self._motion(fake)
        cross = float(torch.cdist(fake, self.real).mean())
        own = float(torch.cdist(fake, fake).mean())
        inner = float(torch.cdist(self.real, self.real).mean())
        found["distance"] = max(0.0, 2 * cross - own - inner) / self.spread
        found["extent"] = float(seen.samples.abs().max()) / self.size
        found["authentic"] = float(authenticity(self.train, fake)) / self.authentic
        if self.nearest == self.nearest:
            found["nearest"] = float(_nearest(fake, self.train).median()) / self.nearest
        if self.classes is not None:
            shares = torch.bincount(every["logits"].argmax(1), minlength=len(self.classes))
            reached = shares / len(fake) >= _REACHED * self.classes
            found["classes"] = float(reached[self.classes > 0].double().mean())
        if seen.labels is not None and self.labels is not None:
            found |= self._within_classes(fake, seen.labels)
        return found

    def _diversity(self, fake: Tensor) -> dict[str, float]:
        found = {
            "pairwise": float(mean_pairwise_distance(fake)) / self.spread,
            "duplicates": float((_nearest(fake) < 0.1 * self.neighbour).double().mean()),
        }
        values = self._manifolds(fake)
        return found | {name: values[name] / max(self.base[name], 1e-3) for name in values}

    def _manifolds(self, fake: Tensor) -> dict[str, float]:
        precision, recall = precision_recall(self.real, fake, k=min(self.k, len(fake) - 1))
        _, coverage = density_coverage(self.real, fake, k=self.k)
        return {"precision": float(precision), "recall": float(recall), "coverage": float(coverage)}

    def _motion(self, fake: Tensor) -> dict[str, float]:
        shares = _shares(fake, self.centres)
        found = {"bins": self._reached(shares)}
        if self.before is not None:
            found["moved"] = float((shares - self.recent[-1]).abs().sum()) / 2
            found["change"] = float((fake - self.before).norm(dim=1).mean()) / self.spread
            found["shift"] = float((fake - self.before).mean(0).norm()) / self.spread
        self.recent.append(shares)
        found["recent_bins"] = self._reached(torch.stack(list(self.recent)).mean(0))
        self.before = fake
        return found

    def _reached(self, shares: Tensor) -> float:
        """Share of the data that lies in bins which have a fifth of their fair share of samples."""
        return float(self.shares[shares >= _REACHED * self.shares].sum())

    def _within_classes(self, fake: Tensor, labels: Tensor) -> dict[str, float]:
        ratios = []
        assert self.labels is not None
        for label in set(labels.tolist()):
            mine, real = fake[labels == label], self.real[self.labels == label]
            if min(len(mine), len(real)) >= 3:
                real_spread = float(mean_pairwise_distance(real))
                ratios.append(float(mean_pairwise_distance(mine)) / max(real_spread, 1e-12))
        return {"class_pairwise": min(ratios)} if ratios else {}

    def state_dict(self) -> dict[str, Any]:
        """What the next look is compared with, for the checkpoint."""
        return {"before": self.before, "recent": list(self.recent)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.before = state["before"]
        self.recent = deque(state["recent"], maxlen=_RECENT)


def above(a: Tensor, b: Tensor) -> float:
    """P(a > b) over all pairs, ties counted half: the area under the ROC curve.

    Args:
        a: `(n,)`.
        b: `(m,)`.
    """
    a, b = a.double(), b.double().sort().values
    below = torch.searchsorted(b, a, right=False) + torch.searchsorted(b, a, right=True)
    return float(below.double().mean()) / (2 * len(b))


def _of_players(seen: Observation) -> dict[str, float]:
    found = {f"weights_{player}": value for player, value in seen.weights.items()}
    for player, losses in seen.losses.items():
        found[f"loss_{player}"] = float(losses.double().mean())
    names = {"grad_norm/generator": "gradient", "grad_norm/discriminator": "discriminator_gradient"}
    for row, name in names.items():
        values = [r[row] for r in seen.rows if row in r]
        if values:
            found[name] = sum(values) / len(values)
    logits = seen.logits
    finite = {name: x for name, x in logits.items() if len(x) and bool(x.isfinite().all())}
    if finite:
        found["logit"] = float(torch.cat(list(finite.values())).abs().median())
    if {"real", "fake"} <= finite.keys():
        found["right"] = above(logits["real"], logits["fake"])
        found["overfit_t"] = float(logits["real"].sign().mean())
    if {"real", "heldout"} <= finite.keys():
        found["memory"] = above(logits["real"], logits["heldout"])
    if {"real", "fake", "heldout"} <= finite.keys():
        real, fake, unseen = (float(logits[k].double().mean()) for k in ("real", "fake", "heldout"))
        if real != fake:
            found["overfit_v"] = (real - unseen) / (real - fake)
    return found


def _nearest(x: Tensor, among: Tensor | None = None) -> Tensor:
    """Distance of each sample to the nearest other one, or to the nearest among others, `(n,)`."""
    distances = torch.cdist(x, x if among is None else among)
    if among is None:
        distances.fill_diagonal_(math.inf)
    return distances.min(1).values


def _shares(x: Tensor, centres: Tensor) -> Tensor:
    """Share of samples whose nearest centre each one is, `(bins,)`."""
    index = torch.cdist(x.double(), centres.double()).argmin(1)
    return torch.bincount(index, minlength=len(centres)).double() / len(x)


def _suits(real: Tensor, extractor: nn.Module | None) -> bool:
    """Whether an extractor takes such images: in [-1, 1], and as large as it needs."""
    if extractor is None or real.ndim != 4 or float(real.abs().max()) > 1.001:
        return False
    try:
        extractor(real[:1])
    except ValueError:
        return False
    return True
