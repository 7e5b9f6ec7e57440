"""The inception score of any classifier."""

from typing import Any

import torch
from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.scores import inception_score

__all__ = ["InceptionScore"]


class InceptionScore(AbstractSetMetric):
    """How sure and how varied a classifier's verdicts are: mean and deviation over splits.

    See `functional.inception_score`. The name "CS", classifier score, becomes IS with the canonical
    network only. torchmetrics' own class is not used: it shuffles by the global generator, so that
    ranks differ, changes the number of splits where it does not divide N, and computes in float32.

    Args:
        splits: How many.
        seed: The samples are shuffled by it before they are split, alike on all ranks.
        output: The output of the extractor with the logits.
        kwargs: Of `AbstractSetMetric`.
    """

    names: tuple[str, ...] = ("CS", "CS_std")
    sets = ("fake",)
    higher_is_better = True

    def __init__(
        self, *, splits: int = 10, seed: int = 0, output: str = "logits", **kwargs: Any
    ) -> None:
        super().__init__(output=output, **kwargs)
        self.splits = splits
        self.seed = seed

    def value(self, *sets: Tensor) -> tuple[Tensor, ...]:
        """Mean and standard deviation of the shuffled logits' scores."""
        (fake,) = sets
        generator = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(len(fake), generator=generator).to(fake.device)
        return inception_score(fake[order], self.splits)
