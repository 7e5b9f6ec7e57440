"""Kernel distances of features: over the full sets, and over subsets as the usual KID."""

from typing import Any

from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.kernel import kernel_distance, kernel_distance_subsets

__all__ = ["KernelDistance", "KernelDistanceSubsets"]


class KernelDistance(AbstractSetMetric):
    """Unbiased squared MMD with a polynomial kernel, over all pairs of samples.

    See `functional.kernel_distance`. torchmetrics' KID is not used: it draws its subsets from the
    global generator, so that ranks differ, mixes up the sets of ranks with unequal numbers of
    batches, and computes in float32.

    Args:
        degree: Of the polynomial.
        gamma: Factor of the inner product; None is 1/D.
        coef0: What is added to it.
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("KD",)
    higher_is_better = False

    def __init__(
        self, *, degree: int = 3, gamma: float | None = None, coef0: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0

    def value(self, *sets: Tensor) -> Tensor:
        """The distance of reals and fakes."""
        real, fake = sets
        return kernel_distance(real, fake, self.degree, self.gamma, self.coef0)


class KernelDistanceSubsets(AbstractSetMetric):
    """Mean and standard deviation of the kernel distance over random subsets.

    See `functional.kernel_distance_subsets`. The first value has the name of `KernelDistance`'s,
    whose expectation it shares: a suite takes one of the two.

    Args:
        subsets: How many.
        subset_size: Samples of a subset; no set may have fewer.
        seed: Of the subsets, which are the same on all ranks.
        degree: Of the polynomial.
        gamma: Factor of the inner product; None is 1/D.
        coef0: What is added to it.
        kwargs: Of `AbstractSetMetric`.
    """

    names: tuple[str, ...] = ("KD", "KD_std")
    higher_is_better = False

    def __init__(
        self,
        *,
        subsets: int = 100,
        subset_size: int = 1000,
        seed: int = 0,
        degree: int = 3,
        gamma: float | None = None,
        coef0: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.subsets = subsets
        self.subset_size = subset_size
        self.seed = seed
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0

    def value(self, *sets: Tensor) -> tuple[Tensor, ...]:
        """Mean and standard deviation over the subsets."""
        real, fake = sets
        return kernel_distance_subsets(
            real,
            fake,
            self.subsets,
            self.subset_size,
            self.seed,
            degree=self.degree,
            gamma=self.gamma,
            coef0=self.coef0,
        )
