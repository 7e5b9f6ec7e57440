"""How evenly fakes fall into classes, as a metric."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.class_coverage import class_coverage

__all__ = ["ClassCoverage"]


class ClassCoverage(AbstractSetMetric):
    """Number of classes that fakes fall into, and divergences of their shares from uniform ones.

    See `functional.class_coverage`. Updates take class scores ``(N, K)``, of which the largest
    decides, or integer labels ``(N,)``.

    Args:
        num_classes: K.
        output: The output of an extractor that holds the scores.
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("classes", "class_KL_uniform", "class_JSD_uniform")
    sets = ("fake",)
    higher_is_better = False
    directions: ClassVar = {"classes": True}

    def __init__(self, num_classes: int, *, output: str = "logits", **kwargs: Any) -> None:
        super().__init__(output=output, **kwargs)
        self.num_classes = num_classes

    def value(self, *sets: Tensor) -> tuple[Tensor, ...]:
        """Classes, KL and JSD in nats."""
        found = class_coverage(self._labels(sets[0]), self.num_classes)
        numbers = (found.modes, found.kl, found.jsd)
        return tuple(torch.tensor(n, dtype=torch.float64, device=sets[0].device) for n in numbers)

    def _labels(self, x: Tensor) -> Tensor:
        if x.ndim == 1 and not x.is_floating_point():
            return x
        if x.ndim != 2 or x.shape[1] != self.num_classes or not x.is_floating_point():
            raise ValueError(
                f"`x` must be class scores (N, {self.num_classes}) or integer labels (N,), got "
                f"{x.dtype} of shape {tuple(x.shape)}."
            )
        return x.argmax(1)
