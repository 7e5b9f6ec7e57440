"""The Wasserstein distance over random lines, as a metric."""

from typing import Any

from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.sliced_wasserstein import sliced_wasserstein

__all__ = ["SlicedWasserstein"]


class SlicedWasserstein(AbstractSetMetric):
    """Sliced Wasserstein distance of two sets of features.

    See `functional.sliced_wasserstein`.

    Args:
        projections: Number of directions.
        p: Order, at least 1.
        seed: Of the directions.
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("sliced_W",)
    higher_is_better = False

    def __init__(
        self, *, projections: int = 1000, p: float = 2.0, seed: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.projections = projections
        self.p = p
        self.seed = seed

    def value(self, *sets: Tensor) -> Tensor:
        """The distance of reals and fakes."""
        real, fake = sets
        return sliced_wasserstein(real, fake, self.projections, self.p, self.seed)
