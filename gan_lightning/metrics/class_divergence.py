"""Divergences between the shares of the classes among fakes and reals."""

from abc import abstractmethod
from typing import Any, final

import torch
from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.divergence import (
    jensen_shannon_distance,
    jensen_shannon_divergence,
    kl_divergence,
)

__all__ = ["JensenShannonDistance", "JensenShannonDivergence", "KLDivergence"]


class _AbstractClassDivergence(AbstractSetMetric):
    higher_is_better = False

    def __init__(self, *, output: str = "logits", **kwargs: Any) -> None:
        super().__init__(output=output, **kwargs)

    def value(self, *sets: Tensor) -> Tensor:
        """The divergence of the shares of reals' and fakes' most likely classes."""
        for name, logits in zip(self.sets, sets, strict=True):
            if logits.ndim != 2 or logits.shape[1] != sets[0].shape[-1]:
                raise ValueError(
                    f"`{name}` must be logits (N, {sets[0].shape[-1]}), got shape "
                    f"{tuple(logits.shape)}."
                )
        real, fake = (torch.bincount(x.argmax(1), minlength=x.shape[1]) for x in sets)
        return self.divergence(fake, real)

    @abstractmethod
    def divergence(self, fake: Tensor, real: Tensor) -> Tensor:
        """Of counts ``(K,)``."""


@final
class KLDivergence(_AbstractClassDivergence):
    """KL divergence of the fakes' class shares from the reals', in nats.

    See `functional.kl_divergence`. It grows when the fakes' classes are fewer or less even than the
    reals'; it is infinite where fakes have a class that no real has. Even a perfect generator's N
    samples of K classes are at about (K - 1) / 2N.

    Args:
        output: The output of the extractor with the logits ``(N, K)``; the largest gives the class.
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("class_KL",)

    def divergence(self, fake: Tensor, real: Tensor) -> Tensor:
        """KL(fake || real) of counts ``(K,)``."""
        return kl_divergence(fake, real)


@final
class JensenShannonDivergence(_AbstractClassDivergence):
    """Jensen-Shannon divergence between the class shares of fakes and reals, in nats.

    See `functional.jensen_shannon_divergence`.

    Args:
        output: The output of the extractor with the logits ``(N, K)``; the largest gives the class.
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("class_JSD",)

    def divergence(self, fake: Tensor, real: Tensor) -> Tensor:
        """JSD of counts ``(K,)``."""
        return jensen_shannon_divergence(fake, real)


@final
class JensenShannonDistance(_AbstractClassDivergence):
    """Root of the Jensen-Shannon divergence between the class shares of fakes and reals.

    See `functional.jensen_shannon_distance`.

    Args:
        output: The output of the extractor with the logits ``(N, K)``; the largest gives the class.
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("class_JS_distance",)

    def divergence(self, fake: Tensor, real: Tensor) -> Tensor:
        """Root of the JSD of counts ``(K,)``."""
        return jensen_shannon_distance(fake, real)
