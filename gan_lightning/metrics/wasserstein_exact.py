"""The Wasserstein distance of small sets, as a metric."""

from typing import Any

from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.wasserstein_exact import wasserstein_exact

__all__ = ["WassersteinExact"]


class WassersteinExact(AbstractSetMetric):
    """Wasserstein distance of two sets of features, 1,000 samples or so each.

    See `functional.wasserstein_exact`.

    Args:
        p: Order, at least 1.
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("W",)
    higher_is_better = False

    def __init__(self, *, p: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.p = p

    def value(self, *sets: Tensor) -> Tensor:
        """The distance of reals and fakes."""
        real, fake = sets
        return wasserstein_exact(real, fake, self.p)
