"""From an observation to numbers that mean the same for images, points and every family.

All distances are taken in the space of some features and relative to what real samples among
themselves show; P(a > b) is the share of pairs, ties counted half.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from gan_lightning.callbacks.monitors.observation import Observation
from gan_lightning.callbacks.monitors.players import of_players, rotation
from gan_lightning.callbacks.monitors.reference import Reference, distances, ratio
from gan_lightning.metrics.extractors.base import AbstractExtractor
from gan_lightning.metrics.functional import mean_pairwise_distance, ndb_bins

__all__ = ["MEANINGS", "Signals"]

MEANINGS = {
    "finite": "share of samples and logits that are finite",
    "pairwise": "pairwise distance relative to real",
    "duplicates": "share of near-duplicates",
    "precision": "precision relative to real",
    "recall": "recall relative to real",
    "coverage": "coverage relative to real",
    "bins": "share of the data's bins that samples reach",
    "recent_bins": "share of the data's bins that the last five looks reach",
    "moved": "share of samples by which the bins differ from the last look",
    "classes": "classes left, relative to real",
    "class_pairwise": "pairwise distance within the poorest class, relative to real",
    "distance": "energy distance to real, relative to the data's spread",
    "change": "change of the samples of fixed z, relative to the data's spread",
    "shift": "shift of the mean sample, relative to the data's spread",
    "drift": "change of the samples of fixed z since the first look, relative to the data's spread",
    "turn": "way of the mean sample over five looks, in a straight line relative to its path",
    "extent": "largest value of a sample relative to real",
    "right": "pairs that D ranks rightly",
    "logit": "median distance of the logits from their median",
    "saturated": "share of logits beyond 5",
    "rhythm": "how periodic G's cost is",
    "phase": "turns by which G's cost runs behind D's",
    "last_good": "the last update with a finite cost",
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
_REACHED = 0.2  # of its fair share
_SIDE = 16  # pixels of images without an extractor


@final
class Signals:
    """Measures observations against real samples; remembers the looks before.

    Args:
        real: Training samples `(2n, ...)`: one half to compare with, the other for what as many
            good samples would show.
        labels: Their classes `(2n,)`, or None.
        unseen: Real samples that are not trained on, or None.
        extractor: Features of images; None takes pixels, and so does one that does not take them.

    Raises:
        ValueError: If there are fewer than two real samples, or they are not finite.
    """

    def __init__(
        self,
        real: Tensor,
        labels: Tensor | None = None,
        unseen: Tensor | None = None,
        extractor: AbstractExtractor | None = None,
    ) -> None:
        if len(real) < 2:
            raise ValueError(f"`real` must hold at least 2 samples, got {len(real)}.")
        self.extractor = extractor if _suits(real, extractor) else None
        every = self.outputs(real)
        features = every["features"]
        self.reference = Reference(
            features, None if unseen is None else self.outputs(unseen)["features"]
        )
        self.size = float(real.abs().max())
        self.spreads: dict[int, float] = {}  # of real samples by class
        if labels is not None:
            self.spreads = _spreads(features[: self.reference.half], labels[: self.reference.half])
        self.centres = ndb_bins(features, _bins(features))
        self.shares = _shares(features, self.centres)
        self.classes = None
        if "logits" in every:
            self.classes = _classes(every["logits"]) / len(real)
        self.first: Tensor | None = None  # features at the first look
        self.before: Tensor | None = None  # features at the last look
        self.recent: deque[Tensor] = deque(maxlen=_RECENT)
        self.means: deque[Tensor] = deque(maxlen=_RECENT)
        self.costs: deque[Mapping[str, Tensor]] = deque(maxlen=_RECENT)

    def outputs(self, x: Tensor) -> dict[str, Tensor]:
        """Features, and logits of a classifier if there is one, of samples `(n, ...)`."""
        if self.extractor is not None:
            with torch.no_grad():
                found = self.extractor(x.clamp(-1, 1))
            return {name: found[name] for name in ("features", "logits") if name in found}
        if x.ndim == 4 and max(x.shape[-2:]) > _SIDE:
            x = adaptive_avg_pool2d(x, (min(x.shape[-2], _SIDE), min(x.shape[-1], _SIDE)))
        return {"features": x.flatten(1).float()}

    def measure(self, seen: Observation) -> dict[str, float]:
        """All signals of an observation; those that it does not allow are missing."""
        found = of_players(seen)
        self.costs.append(seen.losses)
        found |= rotation(self.costs)
        finite = seen.samples.flatten(1).isfinite().all(1)
        logits = torch.cat([*seen.logits.values(), seen.samples.new_zeros(0)])
        shares = [finite.double().mean(), logits.isfinite().double().mean()]
        found["finite"] = min(float(share) for share in shares if share == share)
        every = self.outputs(seen.samples) if finite.all() else None
        if every is not None and every["features"].isfinite().all():
            found |= self._of_samples(seen, every)
        else:
            self.before = None
        return found

    def _of_samples(self, seen: Observation, every: Mapping[str, Tensor]) -> dict[str, float]:
        fake = every["features"]
        if self.first is not None and self.first.shape != fake.shape:
            self.first = None  # resumed with other samples or features
            self.forget()
        found = self.reference.compare(fake) | self._motion(fake)
        found["extent"] = ratio(float(seen.samples.abs().max()), self.size)
        if self.classes is not None:
            shares = _classes(every["logits"]) / len(fake)
            reached = shares >= _REACHED * self.classes
            found["classes"] = float(reached[self.classes > 0].double().mean())
        if seen.labels is not None:
            mine = _spreads(fake, seen.labels)
            ratios = [ratio(mine[y], self.spreads[y]) for y in mine.keys() & self.spreads.keys()]
            found |= {"class_pairwise": min(ratios)} if ratios else {}
        return found

    def _motion(self, fake: Tensor) -> dict[str, float]:
        shares, scale = _shares(fake, self.centres), self.reference.scale
        found = {"bins": self._reached(shares)}
        if self.before is not None:
            found["moved"] = float((shares - self.recent[-1]).abs().sum()) / 2
            found["change"] = float((fake - self.before).norm(dim=1).mean()) / scale
            found["shift"] = float((fake - self.before).mean(0).norm()) / scale
        if self.first is None:
            self.first = fake
        found["drift"] = float((fake - self.first).norm(dim=1).mean()) / scale
        self.recent.append(shares)
        found["recent_bins"] = self._reached(torch.stack(list(self.recent)).mean(0))
        self.before = fake
        self.means.append(fake.mean(0))
        path = sum(float((b - a).norm()) for a, b in pairwise(self.means))
        if len(self.means) == _RECENT and path > 0:
            found["turn"] = float((self.means[-1] - self.means[0]).norm()) / path
        return found

    def _reached(self, shares: Tensor) -> float:
        """Share of the data that lies in bins which have a fifth of their fair share of samples."""
        return float(self.shares[shares >= _REACHED * self.shares].sum())

    def forget(self) -> None:
        """Compare the next look with none before it: the players have jumped."""
        self.before = None
        self.recent.clear()
        self.means.clear()
        self.costs.clear()

    def state_dict(self) -> dict[str, Any]:
        """What the next look is compared with, for the checkpoint."""
        return {
            "first": self.first,
            "before": self.before,
            "recent": list(self.recent),
            "means": list(self.means),
            "costs": [dict(costs) for costs in self.costs],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.first, self.before = state["first"], state["before"]
        self.recent = deque(state["recent"], maxlen=_RECENT)
        self.means = deque(state["means"], maxlen=_RECENT)
        self.costs = deque(state["costs"], maxlen=_RECENT)


def _spreads(x: Tensor, labels: Tensor) -> dict[int, float]:
    """Mean pairwise distance within each class that has at least three samples."""
    parts = {label: x[labels == label] for label in set(labels.tolist())}
    return {y: float(mean_pairwise_distance(part)) for y, part in parts.items() if len(part) >= 3}


def _bins(features: Tensor) -> int:
    """How many bins: one for eight samples, from 2 to 32, and no more than distinct samples."""
    wanted = max(2, min(_BINS, len(features) // _PER_BIN))
    return min(wanted, len(torch.unique(features, dim=0)))


def _classes(logits: Tensor) -> Tensor:
    """How many samples a classifier takes for each class, `(classes,)`."""
    return torch.bincount(logits.argmax(1), minlength=logits.shape[1]).double()


def _shares(x: Tensor, centres: Tensor) -> Tensor:
    """Share of samples whose nearest centre each one is, `(bins,)`."""
    index = distances(x, centres).argmin(1)
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
