"""How many different samples a generator can make."""

from typing import Any

import torch
from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.birthday_paradox import birthday_paradox

__all__ = ["BirthdayParadox"]


class BirthdayParadox(AbstractSetMetric):
    """Size of the support of the fakes, near-duplicate pairs among them, and the smallest distance.

    See `functional.birthday_paradox`.

    Args:
        threshold: Largest distance of near-duplicates; None to take it from the reals. With a
            number no reals are needed.
        relative: Factor on the reals' median distance.
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("support", "near_duplicates", "smallest_distance")

    def __init__(
        self, *, threshold: float | None = None, relative: float = 0.5, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.threshold = threshold
        self.relative = relative
        if threshold is not None:
            self.sets = ("fake",)

    def value(self, *sets: Tensor) -> tuple[Tensor, ...]:
        """The estimate from fakes, after the reals where these are needed."""
        fake = sets[-1]
        real = sets[0] if self.threshold is None else None
        found = birthday_paradox(fake, threshold=self.threshold, real=real, relative=self.relative)
        numbers = (found.support, found.pairs, found.smallest)
        return tuple(torch.tensor(n, dtype=torch.float64, device=fake.device) for n in numbers)
