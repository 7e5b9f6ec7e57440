"""The Fréchet distance of features, from their moments alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric, Value
from gan_lightning.metrics.functional.frechet import (
    Moments,
    frechet_distance,
    frechet_from_moments,
    merge,
    moments,
)

__all__ = ["FrechetDistance"]


class FrechetDistance(AbstractSetMetric):
    """Squared Fréchet distance between Gaussians fitted to both sets.

    See `functional.frechet_distance`. torchmetrics' own class is not used: it needs images, adds up
    squares before it centres them, returns the dtype of the features, and takes its root from
    eigenvalues of a matrix that is not symmetric.

    By default only number, mean and scatter of each set are kept, in float64: 8 (1 + D + D^2) bytes
    a set and rank, however many samples there are. With fewer samples than features keeping them
    is smaller, and the value exact to the last digits.

    Args:
        keep_features: Whether to keep all features instead, with which each sample can be told
            apart (`index`) and the rows be shared with other metrics.
        ddof: What is subtracted from N in the covariances: 1, or 0 as in StyleGAN's code.
        kwargs: Of `AbstractSetMetric`.

    Example:
        >>> metric = FrechetDistance()
        >>> metric.update(torch.tensor([[0.0], [2.0]]), real=True)
        >>> metric.update(torch.tensor([[1.0], [3.0]]))
        >>> metric.compute().item()
        1.0
    """

    names: tuple[str, ...] = ("FD",)
    higher_is_better = False

    def __init__(self, *, keep_features: bool = False, ddof: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.keep_features = keep_features
        self.keeps_rows = keep_features
        self.ddof = ddof

    def value(self, *sets: Tensor) -> Tensor:
        """The distance of features of reals and fakes."""
        real, fake = sets
        return frechet_distance(real, fake, self.ddof)

    def update(
        self, x: Tensor, *, real: bool = False, test: bool = False, index: Tensor | None = None
    ) -> None:
        """Add a batch; without `keep_features` only to the moments.

        Args:
            x: Features ``(N, D)`` (more axes are flattened).
            real: Whether these are real samples.
            test: Whether these are real samples held out from training; they are passed over.
            index: Which samples these are; with `keep_features` only.

        Raises:
            ValueError: If `index` is given without `keep_features`, or as for any metric.
        """
        if index is not None and not self.keep_features:
            raise ValueError(
                "`index` must be None unless `keep_features=True`: samples cannot be told apart in "
                f"their moments afterwards, got indices of shape {tuple(index.shape)}."
            )
        super().update(x, real=real, test=test, index=index)

    def add(self, name: str, rows: Tensor) -> None:
        """Merge the moments of a batch into the one row that is kept of its set."""
        if self.keep_features:
            super().add(name, rows)
            return
        batch = moments(rows)
        kept: list[Tensor] = getattr(self, name)
        if kept:
            before = _unpacked(kept[-1][-1])
            if before.mean.shape != batch.mean.shape:
                raise ValueError(
                    f"`x` must have as many features as the {name} samples before, "
                    f"{len(before.mean)}, got {len(batch.mean)}."
                )
            batch = merge(before, batch)
        setattr(self, name, [*kept[:-1], _packed(batch)])

    def values(self) -> Value:
        """The distance of what this process knows."""
        if self.keep_features:
            return super().values()
        real, fake = (_unpacked(self.kept(name)[0]) for name in self.sets)
        return frechet_from_moments(real, fake, self.ddof)

    def numbers(self) -> dict[str, int]:
        """How many samples of each set this process knows."""
        if self.keep_features:
            return super().numbers()
        return {name: _unpacked(self.kept(name)[0]).n for name in self.sets}

    def kept(self, name: str) -> Tensor:
        """All features, or one row with the moments: n, mean, scatter, ``(1, 1 + D + D^2)``.

        Raises:
            ValueError: If the set is empty.
        """
        rows = super().kept(name)
        if self.keep_features or len(rows) == 1:
            return rows
        whole = _unpacked(rows[0])
        for row in rows[1:]:
            whole = merge(whole, _unpacked(row))
        return _packed(whole)


def _packed(whole: Moments) -> Tensor:
    n = whole.mean.new_tensor([float(whole.n)])
    return torch.cat([n, whole.mean, whole.scatter.flatten()])[None]


def _unpacked(row: Tensor) -> Moments:
    d = round((len(row) - 0.75) ** 0.5 - 0.5)  # 1 + d + d^2 numbers
    return Moments(int(row[0]), row[1 : d + 1], row[d + 1 :].reshape(d, d))
