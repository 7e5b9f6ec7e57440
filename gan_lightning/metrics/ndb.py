"""How many bins of the reals hold a share of the fakes that is statistically different."""

from typing import Any

import torch
from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.ndb import ndb

__all__ = ["NDB"]


class NDB(AbstractSetMetric):
    """Share of statistically different bins, and the Jensen-Shannon divergence of the shares.

    See `functional.ndb`.

    Args:
        bins: How many, or their centres ``(K, D)``.
        significance: Two-sided level of the test.
        z_threshold: A bin is different above this absolute z, instead of by `significance`.
        seed: Of k-means.
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("NDB/K", "JSD")
    higher_is_better = False

    def __init__(
        self,
        *,
        bins: int | Tensor = 100,
        significance: float = 0.05,
        z_threshold: float | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bins = bins
        self.significance = significance
        self.z_threshold = z_threshold
        self.seed = seed

    def value(self, *sets: Tensor) -> tuple[Tensor, ...]:
        """NDB/K and the divergence of reals and fakes."""
        real, fake = sets
        found = ndb(
            real,
            fake,
            self.bins,
            significance=self.significance,
            z_threshold=self.z_threshold,
            seed=self.seed,
        )
        numbers = (found.share, found.jsd)
        return tuple(torch.tensor(n, dtype=torch.float64, device=fake.device) for n in numbers)
