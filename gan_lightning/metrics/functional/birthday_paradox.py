"""How many different samples a generator can make, from the duplicates among a few of them."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_lightning.metrics.functional._neighbours import blocks, feature_sets, nearest, within


@dataclass(frozen=True)
class SupportEstimate:
    """The near-duplicates among N samples, and what they say about the support.

    Attributes:
        samples: N.
        pairs: Pairs no farther apart than the threshold, 0 to N(N - 1)/2.
        threshold: The distance, in the unit of the features.
        smallest: The smallest distance of a pair.
        support: N(N - 1)/2 over `pairs`, from 1 to infinity (no pair). Its relative standard error
            is about 1 over the root of `pairs`: below ten pairs it is an order of magnitude.
    """

    samples: int
    pairs: int
    threshold: float
    smallest: float
    support: float


def birthday_paradox(
    features: Tensor,
    *,
    threshold: float | None = None,
    real: Tensor | None = None,
    relative: float = 0.5,
) -> SupportEstimate:
    r"""Estimate the size of a generator's support from near-duplicates.

    Of n samples of a distribution on K equally likely points, :math:`\binom n2 / K` pairs coincide
    on average, so with c such pairs

    .. math:: \hat K = \frac{n (n - 1)}{2 c}

    (:math:`1 / \hat K` is unbiased for :math:`\sum_i p_i^2`; with unequal probabilities the support
    is larger than :math:`\hat K`.) Arora and Zhang 2017, arXiv:1706.08224, say that duplicates
    among n samples with probability 1/2 mean a support of about :math:`n^2`; there a person judges
    the 20 closest pairs. Here a pair counts within a threshold: one that is given (0 for exact
    duplicates), or `relative` times the median distance (the lower of two middle ones) of reals
    from their nearest neighbour. The factor 1/2 is a choice of ours, not of the paper; the reals'
    distances shrink with their number, so name both with the result, and estimate the support of as
    many held-out reals beside it.

    Bias: of :math:`\hat K` upwards with few pairs, infinite without any; n should be well above the
    root of K.

    Args:
        features: Of fakes, ``(N, D)`` (more axes are flattened), N at least 2.
        threshold: Largest distance of near-duplicates, in the unit of the features.
        real: Features of reals to take the threshold from, ``(M, D)``, M at least 2, where
            `threshold` is not given.
        relative: Factor on the reals' median distance, positive.

    Returns:
        A `SupportEstimate`.

    Raises:
        ValueError: If a set is too small, not finite or of another D, the threshold or the factor
            is out of its range, or neither or both of `threshold` and `real` are given.

    Example:
        >>> found = birthday_paradox(torch.tensor([[0.0], [0.0], [1.0], [3.0]]), threshold=0.5)
        >>> found.pairs, found.support
        (1, 6.0)
    """
    (features,) = feature_sets(2, features=features)
    if threshold is None and real is not None:
        threshold = _threshold(features, real, relative)
    elif threshold is None or real is not None:
        what = "neither" if threshold is None else "both"
        raise ValueError(f"`threshold` or `real` must be given, and not both, got {what}.")
    if not 0 <= threshold < math.inf:
        raise ValueError(f"`threshold` must be at least 0 and finite, got {threshold}.")
    n, pairs = len(features), _pairs(features, threshold)
    return SupportEstimate(
        samples=n,
        pairs=pairs,
        threshold=threshold,
        smallest=float(nearest(features, features, same=True)[0].min().sqrt()),
        support=n * (n - 1) / (2 * pairs) if pairs else math.inf,
    )


def _threshold(features: Tensor, real: Tensor, relative: float) -> float:
    if not 0 < relative < math.inf:
        raise ValueError(f"`relative` must be positive and finite, got {relative}.")
    _, real = feature_sets(2, features=features, real=real)
    return relative * float(nearest(real, real, same=True)[0].median().sqrt())


def _pairs(features: Tensor, threshold: float) -> int:
    radius = torch.full((1, 1), threshold**2, dtype=torch.float64, device=features.device)
    twice = torch.zeros((), dtype=torch.int64, device=features.device)
    for block in blocks(features, features):
        row = torch.arange(len(block.low), device=features.device)
        block.low[row, block.start + row] = torch.inf
        twice += within(block, features, features, radius, strict=False).sum()
    return int(twice) // 2
