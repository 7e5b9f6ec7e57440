"""Whether fakes are copies of training samples."""

from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.authenticity import authenticity

__all__ = ["Authenticity"]


class Authenticity(AbstractSetMetric):
    """Share of fakes that are no copies of the reals, which are the samples trained on.

    See `functional.authenticity`.
    """

    names = ("authenticity",)
    higher_is_better = True

    def value(self, *sets: Tensor) -> Tensor:
        """The authenticity of the fakes."""
        real, fake = sets
        return authenticity(real, fake)
