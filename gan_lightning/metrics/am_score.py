"""The AM score of a classifier's logits."""

from typing import Any

from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.scores import am_score

__all__ = ["AMScore"]


class AMScore(AbstractSetMetric):
    """How unsure a classifier is of each fake, and how far the fakes' classes are from the reals'.

    See `functional.am_score`.

    Args:
        output: The output of the extractor with the logits.
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("AM",)
    higher_is_better = False

    def __init__(self, *, output: str = "logits", **kwargs: Any) -> None:
        super().__init__(output=output, **kwargs)

    def value(self, *sets: Tensor) -> Tensor:
        """The score of the logits of reals and fakes, in nats."""
        real, fake = sets
        return am_score(real, fake)
