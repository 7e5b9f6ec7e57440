"""Whether a discriminator holds the ratio of the densities, as a metric."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.density_ratio import density_ratio_calibration

__all__ = ["DensityRatio"]


class DensityRatio(AbstractSetMetric):
    """Mean ratio p/q over fakes, 1 when right, and calibration error of a discriminator.

    See `functional.density_ratio_calibration`. Updates take the discriminator's logits ``(N,)`` or
    ``(N, 1)``, not samples.

    Args:
        bins: Of the calibration error.
        output: The output of an extractor that holds the discriminator's logits.
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("density_ratio", "calibration_error")
    higher_is_better = None  # the ratio should be 1
    directions: ClassVar = {"calibration_error": False}

    def __init__(self, *, bins: int = 10, output: str = "logits", **kwargs: Any) -> None:
        super().__init__(output=output, **kwargs)
        self.bins = bins

    def value(self, *sets: Tensor) -> tuple[Tensor, ...]:
        """Mean ratio over fakes and expected calibration error."""
        real, fake = sets
        found = density_ratio_calibration(real, fake, self.bins)
        numbers = (found.mean_ratio, found.calibration_error)
        return tuple(torch.tensor(n, dtype=torch.float64, device=fake.device) for n in numbers)
