"""Real samples in feature space, and how a set of fakes compares with them."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

__all__ = ["Reference", "distances", "ratio"]

_K = 5  # neighbours
_CLOSE = 1e-7  # distances, relative to the spread, that rounding makes of nothing
_NOTHING = 1e-12  # a spread, relative to the features, that is rounding alone
_DUPLICATE = 0.1  # of the distance at which real samples have their neighbours


@final
class Reference:
    """What never changes of the real samples is computed once; all distances in float64.

    One half of the samples is what fakes are compared with. The other half, beside the first, says
    what as many good samples would show; of two or three samples the halves overlap.

    Args:
        train: Features of training samples `(N, D)`, N at least 2.
        unseen: Features of real samples that are not trained on, `(M, D)`, or None.

    Attributes:
        spread: Mean distance of two real samples.
        scale: The spread, or 1 where real samples are all alike.
        half: How many real samples fakes are compared with.
    """

    def __init__(self, train: Tensor, unseen: Tensor | None = None) -> None:
        self._centre = train.double().mean(0)  # near 0 products lose fewer digits
        self._train = self._centred(train)
        half = max(2, len(train) // 2)
        self.half = half
        real, other = self._train[:half], self._train[min(half, len(train) - half) :][:half]
        self._k = min(_K, half - 1)
        among = distances(real, real)
        spread = _off_diagonal_mean(among)
        self.spread = spread if spread > _NOTHING * float(train.abs().max()) else 0.0
        self.scale = self.spread or 1.0
        self._inner = float(among.mean())
        self._radii = _radii(among, self._k)
        self._neighbour = float(_radii(among, 1).median())
        self._own = _radii(distances(self._train, self._train), 1)
        self._base = self._manifolds(distances(other, real), distances(other, other))
        self._authentic = 0.5  # what new samples score in many dimensions
        self._nearest: float | None = None
        if unseen is not None:
            to_train = distances(self._centred(unseen), self._train)
            self._authentic = max(self._authenticity(to_train), 1 / len(unseen))
            self._nearest = float(to_train.min(1).values.median())

    def compare(self, fake: Tensor) -> dict[str, float]:
        """The signals of a set of fakes.

        Args:
            fake: Features `(n, D)`, n at least 2, finite.

        Returns:
            "pairwise", "duplicates", "precision", "recall", "coverage", "distance", "authentic"
            and, where there are unseen samples, "nearest"; see `signals.MEANINGS`.
        """
        fake = self._centred(fake)
        among, to_train = distances(fake, fake), distances(fake, self._train)
        to_real = to_train[:, : self.half]
        values = self._manifolds(to_real, among)
        least = 1 / self.half
        energy = 2 * float(to_real.mean()) - float(among.mean()) - self._inner
        found = {
            "pairwise": ratio(_off_diagonal_mean(among), self.spread),
            "duplicates": _share(_radii(among, 1) < _DUPLICATE * self._neighbour),
            **{name: values[name] / max(self._base[name], least) for name in values},
            "distance": max(0.0, energy) / self.scale,
            "authentic": self._authenticity(to_train) / self._authentic,
        }
        if self._nearest is not None:
            found["nearest"] = ratio(float(to_train.min(1).values.median()), self._nearest)
        return found

    def _manifolds(self, to_real: Tensor, among: Tensor) -> dict[str, float]:
        """Precision, recall (Kynkäänniemi et al. 2019) and coverage (Naeem et al. 2020).

        `metrics.functional` computes the same of any sets; here the radii are there already.

        Args:
            to_real: Distances of fakes to real samples, `(n, m)`.
            among: Of fakes, `(n, n)`.
        """
        to_real = to_real - _CLOSE * self.scale
        inside = to_real <= self._radii
        reach = _radii(among, min(self._k, len(among) - 1))
        return {
            "precision": _share(inside.any(1)),
            "recall": _share((to_real <= reach[:, None]).any(0)),
            "coverage": _share(inside.any(0)),
        }

    def _authenticity(self, to_train: Tensor) -> float:
        """Share that is farther from its training sample than that is from its own neighbour."""
        near = to_train.min(1)
        return _share(near.values - _CLOSE * self.scale > self._own[near.indices])

    def _centred(self, x: Tensor) -> Tensor:
        return x.double() - self._centre


def distances(x: Tensor, y: Tensor) -> Tensor:
    """Of all pairs, `(n, m)`, in float64, where products tell close pairs apart."""
    return torch.cdist(x.double(), y.double())


def ratio(a: float, b: float) -> float:
    """a / b; relative to nothing 1 and more, so that it is never a lack."""
    return a / b if b > 0 else 1.0 + a


def _radii(among: Tensor, k: int) -> Tensor:
    """Distance of each sample to its k-th nearest other one, `(n,)`."""
    others = among + torch.diag(among.new_full((len(among),), math.inf))
    return others.kthvalue(k, dim=1).values


def _off_diagonal_mean(among: Tensor) -> float:
    n = len(among)
    return float(among.sum() - among.diagonal().sum()) / (n * (n - 1))


def _share(which: Tensor) -> float:
    return float(which.double().mean())
