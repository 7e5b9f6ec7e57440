"""The mean realism of fakes."""

import math
from typing import Any

from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.precision_recall import realism

__all__ = ["Realism"]


class Realism(AbstractSetMetric):
    """Mean over the fakes of their realism; see `functional.realism`.

    At least 1 within a sphere of the denser half of the reals, less elsewhere, be it on an outlier
    among them. One fake that is a copy of a real of that half makes the mean infinite, which says
    what it is; a finite `maximum` keeps it readable.

    Args:
        k: Which neighbour gives the radius.
        maximum: A larger realism counts as this.
        kwargs: Of `AbstractSetMetric`.

    Raises:
        ValueError: If `maximum` is not positive.
    """

    names = ("realism",)
    higher_is_better = True

    def __init__(self, *, k: int = 3, maximum: float = math.inf, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not maximum > 0:
            raise ValueError(f"`maximum` must be positive, got {maximum}.")
        self.k = k
        self.maximum = maximum

    def value(self, *sets: Tensor) -> Tensor:
        """The mean realism of the fakes."""
        real, fake = sets
        return realism(real, fake, self.k).clamp_max(self.maximum).mean()
