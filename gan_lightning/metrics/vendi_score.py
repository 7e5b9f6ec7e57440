"""The effective number of different fakes."""

from typing import Any

from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.vendi import vendi_score

__all__ = ["VendiScore"]


class VendiScore(AbstractSetMetric):
    """The Vendi score of the fakes; see `functional.vendi_score`.

    Args:
        q: Order, in (0, infinity].
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("Vendi",)
    sets = ("fake",)
    higher_is_better = True

    def __init__(self, *, q: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.q = q

    def value(self, *sets: Tensor) -> Tensor:
        """The score of the fakes."""
        return vendi_score(sets[0], self.q)
