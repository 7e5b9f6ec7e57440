"""Whether fakes lie closer to the training samples than held-out samples do."""

from typing import Any

from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.data_copying import data_copying

__all__ = ["DataCopying"]


class DataCopying(AbstractSetMetric):
    """The statistic C_T of data copying: far below 0 for copies, far above for underfitting.

    Real samples are those trained on, test samples those held out; see `functional.data_copying`.

    Args:
        cells: Cells of the partition.
        min_fakes: Fewest fakes of a cell that counts.
        seed: Of k-means.
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("C_T",)
    sets = ("real", "test", "fake")

    def __init__(
        self, *, cells: int = 3, min_fakes: int = 20, seed: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.cells = cells
        self.min_fakes = min_fakes
        self.seed = seed

    def value(self, *sets: Tensor) -> Tensor:
        """C_T of training samples, held-out ones and fakes."""
        train, test, fake = sets
        return data_copying(train, test, fake, self.cells, min_fakes=self.min_fakes, seed=self.seed)
