"""The Wasserstein distance over random lines."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from gan_lightning.metrics.functional._neighbours import ENTRIES, feature_sets

__all__ = ["sliced_wasserstein"]


def sliced_wasserstein(
    real: Tensor, fake: Tensor, projections: int = 1000, p: float = 2.0, seed: int = 0
) -> Tensor:
    r"""Sliced Wasserstein distance, by projections on random directions.

    .. math::
        \left( \frac{1}{L} \sum_{l=1}^{L} W_p^p(\theta_l^\top X, \theta_l^\top Y) \right)^{1/p},
        \qquad
        W_p^p(u, v) = \int_0^1 |F_u^{-1}(t) - F_v^{-1}(t)|^p \, dt,

    with directions uniform on the sphere. On a line the best coupling joins equal quantiles, so
    each W is exact, for sets of different size too (other implementations drop samples of the
    larger one). The p-th root is taken once, after the mean over directions, as in the first paper
    and POT; a mean of the roots would be smaller. The expected distance of two sets of one
    distribution is not 0 but about N^(-1/2) times their spread: it falls with N. Two Gaussians
    that differ by a shift m only are at distance about ``|m| / sqrt(D)`` for p = 2, so numbers of
    different D do not compare.

    Source: Rabin et al. 2011 (Wasserstein barycenter and its application to texture mixing); for
    GANs Deshpande et al. 2018, arXiv:1803.11188, section 3.

    Args:
        real: Features ``(N, D)``, N at least 2.
        fake: Features ``(M, D)``, M at least 2.
        projections: Number of directions L. The standard error of the mean over directions falls
            as L^(-1/2).
        p: Order, at least 1.
        seed: Of the directions; the same on all devices.

    Returns:
        A scalar in float64, at least 0, in the unit of the features; 0 for equal sets.

    Raises:
        ValueError: If a set has fewer than two samples or is not finite, if D differs,
            `projections` is not positive, or p is less than 1 or infinite.

    Example:
        >>> real = torch.tensor([[0.0], [2.0]])
        >>> sliced_wasserstein(real, torch.tensor([[1.0], [3.0]])).item()
        1.0
    """
    check_order(p)
    if projections < 1:
        raise ValueError(f"`projections` must be at least 1, got {projections}.")
    real, fake = feature_sets(2, real=real, fake=fake)
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(projections, real.shape[1], generator=generator, dtype=torch.float64)
    directions = (directions / directions.norm(dim=1, keepdim=True)).to(real.device)
    costs = torch.cat(list(sliced_costs(real, fake, directions, p)))
    return costs.mean() ** (1 / p)


def check_order(p: float) -> None:
    """Refuse what is not the order of a Wasserstein distance."""
    if not 1 <= p < math.inf:
        raise ValueError(f"`p` must be at least 1 and finite, got {p}.")


def sliced_costs(x: Tensor, y: Tensor, directions: Tensor, p: float) -> Iterator[Tensor]:
    """W_p^p of two sets on each line, for a few lines at a time.

    Args:
        x: ``(N, D)``.
        y: ``(M, D)``.
        directions: ``(L, D)`` in float64.
        p: Order.

    Yields:
        Parts of the L costs.
    """
    centre = _mean(x)  # of both: a shift changes no distance but costs digits
    for some in torch.split(directions, max(1, ENTRIES // max(len(x), len(y)))):
        yield line_costs(_project(x, some, centre), _project(y, some, centre), p)


def line_costs(u: Tensor, v: Tensor, p: float) -> Tensor:
    """W_p^p of points on lines.

    Args:
        u: ``(L, N)``, a line a row.
        v: ``(L, M)``.
        p: Order.

    Returns:
        Costs ``(L,)``.
    """
    u, v = u.sort(1).values, v.sort(1).values
    n, m = u.shape[1], v.shape[1]
    if n == m:
        return (u - v).abs().pow(p).mean(1)
    # Both quantile functions are steps; in units of 1 / nm the steps end at integers.
    ends = torch.unique(torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]))
    widths = ends.diff(prepend=ends.new_zeros(1)).to(u)
    of_u, of_v = (((ends - 1) // size).to(u.device) for size in (m, n))
    costs: Tensor = (u[:, of_u] - v[:, of_v]).abs().pow(p) @ widths
    return costs / (n * m)


def _mean(x: Tensor) -> Tensor:
    total = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device)
    for part in torch.split(x, max(1, ENTRIES // x.shape[1])):
        total += part.double().sum(0)
    return total / len(x)


def _project(x: Tensor, directions: Tensor, centre: Tensor) -> Tensor:
    rows = torch.split(x, max(1, ENTRIES // x.shape[1]))
    return torch.cat([directions @ (part.double() - centre).T for part in rows], 1)
