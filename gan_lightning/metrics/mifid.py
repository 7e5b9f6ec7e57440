"""A Fréchet distance that rises when fakes are copies of reals."""

from typing import Any

from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.mifid import mifid

__all__ = ["MiFID"]


class MiFID(AbstractSetMetric):
    """Fréchet distance, divided by how far the fakes' directions are from the reals'.

    See `functional.mifid`. torchmetrics' own class is not used: it takes the minimum over fakes and
    the mean over reals, the other way round than the paper, needs images, which it resizes with
    antialiasing without a word, and takes the root as its Fréchet distance does.

    Args:
        eps: The threshold from which fakes do not count as copies.
        ddof: What is subtracted from N in the covariances.
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("MiFID",)
    higher_is_better = False

    def __init__(self, *, eps: float = 0.1, ddof: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.eps = eps
        self.ddof = ddof

    def value(self, *sets: Tensor) -> Tensor:
        """The distance of reals and fakes."""
        real, fake = sets
        return mifid(real, fake, self.eps, self.ddof)
