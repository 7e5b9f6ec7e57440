"""How far apart the samples of a set are."""

import torch
from torch import Tensor

_ENTRIES = 2**22  # of a block of distances: 32 MiB


def mean_pairwise_distance(x: Tensor) -> Tensor:
    r"""Mean Euclidean distance over all pairs of samples.

    .. math:: \frac{2}{N (N - 1)} \sum_{i < j} \| x_i - x_j \|

    A collapsed generator's samples have a much smaller one than real samples do. The memory needed
    beyond a copy of x in float64 does not grow with N.

    Args:
        x: Samples, ``(N, ...)``, N at least 2; each is flattened.

    Returns:
        A scalar in float64, in the unit of x.

    Raises:
        ValueError: If there are fewer than two samples.

    Example:
        >>> mean_pairwise_distance(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])).item()
        3.3333333333333335
    """
    if x.ndim == 0 or len(x) < 2:
        raise ValueError(f"`x` must hold at least 2 samples, got shape {tuple(x.shape)}.")
    rows = x.detach().double().flatten(1) if x.ndim > 1 else x.detach().double()[:, None]
    n = len(rows)
    total = rows.new_zeros(())
    block = max(1, _ENTRIES // n)
    for start in range(0, n, block):
        some, later = rows[start : start + block], rows[start + block :]
        total += torch.pdist(some).sum()
        # Distances by matrix products would lose half the digits of close pairs.
        total += torch.cdist(some, later, compute_mode="donot_use_mm_for_euclid_dist").sum()
    return total * 2 / (n * (n - 1))
