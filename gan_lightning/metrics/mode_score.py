"""The mode score of a classifier's logits."""

from typing import Any

from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.scores import mode_score

__all__ = ["ModeScore"]


class ModeScore(AbstractSetMetric):
    """An inception score that falls when the fakes' classes are not those of the reals.

    See `functional.mode_score`.

    Args:
        output: The output of the extractor with the logits.
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("mode_score",)
    higher_is_better = True

    def __init__(self, *, output: str = "logits", **kwargs: Any) -> None:
        super().__init__(output=output, **kwargs)

    def value(self, *sets: Tensor) -> Tensor:
        """The score of the logits of reals and fakes."""
        real, fake = sets
        return mode_score(real, fake)
