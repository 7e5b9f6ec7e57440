"""Density and coverage."""

from typing import Any, ClassVar

from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.density_coverage import density_coverage

__all__ = ["DensityCoverage"]


class DensityCoverage(AbstractSetMetric):
    """How many reals' spheres a fake lies in, and how many of these spheres hold a fake.

    See `functional.density_coverage`.

    Args:
        k: Which neighbour gives the radius.
        strict: Whether a sample on a sphere is outside.
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("density", "coverage")
    higher_is_better = True
    directions: ClassVar = {"density": None}  # about 1 is best

    def __init__(self, *, k: int = 5, strict: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.k = k
        self.strict = strict

    def value(self, *sets: Tensor) -> tuple[Tensor, ...]:
        """Density and coverage of reals and fakes."""
        real, fake = sets
        return density_coverage(real, fake, self.k, strict=self.strict)
