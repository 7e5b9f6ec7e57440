"""How alike the fakes look, as a metric."""

from typing import Any

from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.ms_ssim import ms_ssim_diversity

__all__ = ["MsSsimDiversity"]


class MsSsimDiversity(AbstractSetMetric):
    """Mean multi-scale structural similarity of random pairs of fakes.

    See `functional.ms_ssim_diversity`, which also takes labels. Lower is more diverse, but noise is
    lowest: compare with the value of real images.

    Args:
        pairs: How many.
        seed: Of the pairs.
        output: The output of an extractor that holds images in [-1, 1].
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("MS-SSIM",)
    sets = ("fake",)
    higher_is_better = False

    def __init__(
        self, *, pairs: int = 10_000, seed: int = 0, output: str = "images", **kwargs: Any
    ) -> None:
        super().__init__(output=output, **kwargs)
        self.pairs = pairs
        self.seed = seed

    def value(self, *sets: Tensor) -> Tensor:
        """The mean over the pairs."""
        return ms_ssim_diversity(sets[0], self.pairs, self.seed)
