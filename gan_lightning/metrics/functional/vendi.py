"""The effective number of different samples."""

import math

import torch
from torch import Tensor

from gan_lightning.metrics.functional._neighbours import ENTRIES, feature_sets


def vendi_score(features: Tensor, q: float = 1.0) -> Tensor:
    r"""The Vendi score of order q with the cosine kernel.

    With the eigenvalues :math:`\lambda_i` of :math:`K / N`, :math:`K_{ij} = \cos(x_i, x_j)`,

    .. math::
        \mathrm{VS}_q = \exp\Big(\frac{1}{1 - q} \log \sum_i \lambda_i^q\Big), \quad
        \mathrm{VS}_1 = \exp\Big(-\sum_i \lambda_i \log \lambda_i\Big), \quad
        \mathrm{VS}_\infty = \frac{1}{\max_i \lambda_i}

    Friedman and Dieng 2023, arXiv:2210.02410, for q = 1; the orders are those of Pasarkar and Dieng
    2023, arXiv:2310.12952. Small orders weigh rare kinds of samples more, large ones the common
    kinds. With N > D the eigenvalues are those of a D x D matrix. Eigenvalues below
    :math:`\max(N, D)` rounding errors of the largest are 0: orders below 1 would count them as
    samples. Samples whose features are all 0 have no direction; they are held to be equal to each
    other and orthogonal to all others, so that a collapsed generator always scores 1. (The package
    vendi-score leaves them out of the trace, and its ``score_X`` ignores q.)

    Bias: rises with N, towards the value of the distribution; at most D for any N.

    Args:
        features: ``(N, D)`` (more axes are flattened), N at least 2.
        q: Order, in (0, infinity], `math.inf` included.

    Returns:
        A float64 scalar from 1 (all alike) to min(N, D), or min(N, D + 1) with samples of zeros.

    Raises:
        ValueError: If there are too few samples, they are not finite, or q is out of its range.

    Example:
        >>> round(vendi_score(torch.eye(3).repeat(4, 1)).item(), 9)
        3.0
    """
    (features,) = feature_sets(2, features=features)
    if not q > 0:
        raise ValueError(f"`q` must be in (0, infinity], got {q}.")
    share = _spectrum(features)
    if q == math.inf:
        return 1 / share.max()
    logs = share.log()
    if abs(q - 1) < 1e-9:
        return (-(share * logs).sum()).exp()
    if abs(q - 1) < 0.1:  # near 1 both parts of the fraction vanish; the shares sum to 1
        return ((share * ((q - 1) * logs).expm1()).sum().log1p() / (1 - q)).exp()
    return (torch.logsumexp(q * logs, 0) / (1 - q)).exp()


def _spectrum(x: Tensor) -> Tensor:
    """The positive eigenvalues of K / N, which sum to 1."""
    n, d = x.shape
    if n > d:
        gram = torch.zeros(d + 1, d + 1, dtype=torch.float64, device=x.device)
        for part in torch.split(x, max(1, ENTRIES // (d + 1))):
            unit = _unit(part)
            gram += unit.T @ unit
    else:
        unit = _unit(x)
        gram = unit @ unit.T
    values: Tensor = torch.linalg.eigvalsh(gram)
    least = max(n, d) * torch.finfo(torch.float64).eps * values[-1]
    values = values[values > least]
    return values / values.sum()


def _unit(x: Tensor) -> Tensor:
    """Rows of norm 1, with one more coordinate that is 1 for rows of zeros."""
    rows = x.double()
    largest = rows.abs().amax(1, keepdim=True)
    zero = largest == 0
    rows = rows / largest.where(~zero, 1.0)  # so that no square underflows
    norm = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return torch.cat([rows / norm.where(~zero, 1.0), zero.double()], 1)
