"""The log-likelihood of held-out samples under a kernel density estimate, as a metric."""

from typing import Any

from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.parzen import parzen_log_likelihood

__all__ = ["ParzenLogLikelihood"]


class ParzenLogLikelihood(AbstractSetMetric):
    """Mean log-likelihood of real samples held out, under Gaussians around all fakes.

    See `functional.parzen_log_likelihood`, also for why this misleads in high dimensions.

    Args:
        sigma: Width of the Gaussians, in the unit of the samples; see `best_parzen_sigma`.
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("parzen_LL", "parzen_LL_error")
    sets = ("fake", "test")
    higher_is_better = True

    def __init__(self, sigma: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sigma = sigma

    def value(self, *sets: Tensor) -> tuple[Tensor, ...]:
        """Mean and its standard error, in nats."""
        fake, test = sets
        return parzen_log_likelihood(fake, test, self.sigma)
