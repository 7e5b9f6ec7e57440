"""Maximum mean discrepancy of normalised features with a Gaussian kernel."""

from typing import Any

from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.kernel import clip_mmd

__all__ = ["ClipMMD"]


class ClipMMD(AbstractSetMetric):
    """Biased squared MMD of directions with a Gaussian kernel, times 1,000.

    See `functional.clip_mmd`. It is the paper's CMMD with features of CLIP; any others will do.

    Args:
        sigma: Width of the kernel.
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("CMMD",)
    higher_is_better = False

    def __init__(self, *, sigma: float = 10.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sigma = sigma

    def value(self, *sets: Tensor) -> Tensor:
        """The distance of reals and fakes."""
        real, fake = sets
        return clip_mmd(real, fake, self.sigma)
