"""How well fakes cover a mixture of Gaussians, as a metric."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional import modes

__all__ = ["ModeCoverage"]


class ModeCoverage(AbstractSetMetric):
    """Captured modes, share of samples of high quality, and reverse KL of points of a mixture.

    See `functional.mode_coverage`.

    Args:
        centres: Means of the modes ``(K, D)``.
        std: Standard deviation of each mode in each coordinate.
        radius: Largest distance of a high-quality sample from its centre, in units of `std`.
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("modes", "high_quality", "reverse_KL")
    sets = ("fake",)
    higher_is_better = None  # a share of high quality above that of the mixture is shrunken modes
    directions: ClassVar = {"modes": True, "reverse_KL": False}

    def __init__(self, centres: Tensor, std: float, radius: float = 3.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.centres = centres
        self.std = std
        self.radius = radius

    def value(self, *sets: Tensor) -> tuple[Tensor, ...]:
        """Modes, high-quality share and reverse KL."""
        points = sets[0]
        if not points.is_floating_point():
            points = points.double()
        found = modes.mode_coverage(points, self.centres, self.std, self.radius)
        numbers = (found.modes, found.high_quality, found.reverse_kl)
        return tuple(torch.tensor(n, dtype=torch.float64, device=points.device) for n in numbers)
