"""Precision and recall by k-nearest-neighbour spheres."""

from typing import Any

from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.precision_recall import precision_recall

__all__ = ["PrecisionRecall"]


class PrecisionRecall(AbstractSetMetric):
    """Share of fakes within the reals' manifold, and of reals within the fakes'.

    See `functional.precision_recall`.

    Args:
        k: Which neighbour gives the radius.
        strict: Whether a sample on a sphere is outside.
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("precision", "recall")
    higher_is_better = True

    def __init__(self, *, k: int = 3, strict: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.k = k
        self.strict = strict

    def value(self, *sets: Tensor) -> tuple[Tensor, ...]:
        """Precision and recall of reals and fakes."""
        real, fake = sets
        return precision_recall(real, fake, self.k, strict=self.strict)
