"""Whether a nearest neighbour tells fakes from reals."""

from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.one_nearest_neighbour import one_nearest_neighbour

__all__ = ["OneNearestNeighbour"]


class OneNearestNeighbour(AbstractSetMetric):
    """Leave-one-out accuracy of a nearest-neighbour classifier, best at 1/2.

    On all samples, on reals and on fakes; see `functional.one_nearest_neighbour`.
    """

    names = ("1NN", "1NN_real", "1NN_fake")

    def value(self, *sets: Tensor) -> tuple[Tensor, ...]:
        """The three accuracies of reals and fakes."""
        real, fake = sets
        return one_nearest_neighbour(real, fake)
