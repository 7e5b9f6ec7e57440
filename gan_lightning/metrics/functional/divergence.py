"""Divergences between two discrete distributions."""

import torch
from torch import Tensor


def kl_divergence(p: Tensor, q: Tensor) -> Tensor:
    r"""Kullback-Leibler divergence of p from q, in nats.

    .. math:: \mathrm{KL}(p \,\|\, q) = \sum_k p_k \log \frac{p_k}{q_k}

    A term with :math:`p_k = 0` is 0; with :math:`q_k = 0 < p_k` the divergence is infinite. Nothing
    is added to the shares to avoid that. Between the shares of N samples and the distribution that
    they come from it **falls** with N: its expectation is about (K - 1) / 2N.

    Source: Kullback & Leibler 1951, On Information and Sufficiency.

    Args:
        p: Shares or counts ``(K,)``, not negative; they are divided by their sum.
        q: The same of the other distribution.

    Returns:
        A scalar in float64, in [0, inf].

    Raises:
        ValueError: If they are not ``(K,)`` of the same K, are negative, not finite or all 0.

    Example:
        >>> kl_divergence(torch.tensor([1, 0]), torch.tensor([5, 5])).item()  # log 2
        0.6931471805599453
    """
    p, q = _shares(p, q)
    return _relative_entropy(p, q).clamp(min=0)


def jensen_shannon_divergence(p: Tensor, q: Tensor) -> Tensor:
    r"""Jensen-Shannon divergence, in nats.

    .. math::
        \mathrm{JSD}(p, q) = \tfrac12 \mathrm{KL}(p \,\|\, m) + \tfrac12 \mathrm{KL}(q \,\|\, m),
        \qquad m = \tfrac12 (p + q)

    Symmetric, 0 for equal distributions, log 2 = 0.693 for disjoint ones. Between the shares of two
    sets of N samples of the same distribution it **falls** with N: its expectation is about
    (K - 1) / 4N.

    Some libraries use base 2 (values up to 1) or return the root, which is
    `jensen_shannon_distance`.

    Source: Lin 1991, Divergence Measures Based on the Shannon Entropy, Section 4.

    Args:
        p: Shares or counts ``(K,)``, not negative; they are divided by their sum.
        q: The same of the other distribution.

    Returns:
        A scalar in float64, in [0, log 2].

    Raises:
        ValueError: If they are not ``(K,)`` of the same K, are negative, not finite or all 0.

    Example:
        >>> jensen_shannon_divergence(torch.tensor([1, 0]), torch.tensor([0, 1])).item()
        0.6931471805599453
    """
    p, q = _shares(p, q)
    m = (p + q) / 2
    return ((_relative_entropy(p, m) + _relative_entropy(q, m)) / 2).clamp(min=0)


def jensen_shannon_distance(p: Tensor, q: Tensor) -> Tensor:
    r"""Square root of the Jensen-Shannon divergence in nats, which is a metric.

    .. math:: \sqrt{\mathrm{JSD}(p, q)}

    Between sets of the same distribution it **falls** with N, by about the root of N.

    Source: Endres & Schindelin 2003, A New Metric for Probability Distributions.

    Args:
        p: Shares or counts ``(K,)``, not negative; they are divided by their sum.
        q: The same of the other distribution.

    Returns:
        A scalar in float64, in [0, 0.8326].

    Raises:
        ValueError: If they are not ``(K,)`` of the same K, are negative, not finite or all 0.
    """
    return jensen_shannon_divergence(p, q).sqrt()


def _shares(p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    if p.ndim != 1 or p.shape != q.shape or not len(p):
        raise ValueError(
            f"`p` and `q` must be (K,) of the same K, got shapes {tuple(p.shape)} and "
            f"{tuple(q.shape)}."
        )
    shares = []
    for name, counts in {"p": p, "q": q}.items():
        counts = counts.detach().cpu() if counts.device.type == "mps" else counts.detach()
        counts = counts.double()
        total = counts.sum()
        if not bool(torch.isfinite(counts).all() & (counts >= 0).all() & (total > 0)):
            raise ValueError(
                f"`{name}` must be finite, not negative and not all 0, got a minimum of "
                f"{float(counts.min())} and a sum of {float(total)}."
            )
        shares.append(counts / total)
    return shares[0], shares[1].to(shares[0].device)


def _relative_entropy(p: Tensor, q: Tensor) -> Tensor:
    """Sum of p log(p / q) over what p holds."""
    there = p > 0
    return (p[there] * (p[there] / q[there]).log()).sum()
