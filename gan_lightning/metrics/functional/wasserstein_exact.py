"""The Wasserstein distance of small sets, by an optimal assignment."""

import math

import torch
from torch import Tensor

from gan_lightning.metrics.functional._neighbours import feature_sets
from gan_lightning.metrics.functional.sliced_wasserstein import check_order, line_costs

__all__ = ["wasserstein_exact"]

_PASSES = 2  # of bids before the searches: these leave few rows to search for
_LARGEST = 5000  # samples of sets of one size: costs of 200 MB, and minutes
_LARGEST_COPY = 2000  # samples after sets of different size were repeated


def wasserstein_exact(real: Tensor, fake: Tensor, p: float = 1.0) -> Tensor:
    r"""Wasserstein distance of two small sets: the least mean cost of a one-to-one assignment.

    .. math:: \left( \min_{\sigma} \frac{1}{N} \sum_i \| x_i - y_{\sigma(i)} \|^p \right)^{1/p}

    (also known as the earth mover's distance for p = 1.) Solved exactly by shortest augmenting
    paths (Jonker and Volgenant 1987, Computing 38), in O(N^3) time and O(N^2) memory on the CPU:
    1 to 20 seconds for 1,000 samples; more than 5,000 are refused. Sets of different size N and M
    are brought to one size by repeating every sample, lcm(N, M) / N and lcm(N, M) / M times, which
    changes nothing about the distance; more than 2,000 after that are refused. With one feature the
    sets are sorted, whatever their sizes.

    In D dimensions the distance of two sets of one distribution is of order N^(-1/D): it falls
    with N, so slowly that absolute values say little; compare with a second set of reals.

    Source: Xu et al. 2018, arXiv:1806.07755, section 2 (as a metric of GANs); Arjovsky et al. 2017,
    arXiv:1701.07875, equation 1.

    Args:
        real: Features ``(N, D)``, N at least 2.
        fake: Features ``(M, D)``, M at least 2.
        p: Order, at least 1, of Euclidean distances.

    Returns:
        A scalar in float64, at least 0, in the unit of the features; 0 for equal sets.

    Raises:
        ValueError: If a set has fewer than two samples or is not finite, if D differs, p is less
            than 1 or infinite, or there are too many samples of more than one feature.

    Example:
        >>> wasserstein_exact(torch.tensor([[0.0], [2.0]]), torch.tensor([[5.0], [0.0]])).item()
        1.5
    """
    check_order(p)
    real, fake = feature_sets(2, real=real, fake=fake)
    one_feature = real.shape[1] == 1
    size = math.lcm(len(real), len(fake))
    if not one_feature:
        _check_size(len(real), len(fake), size)
    unit = _unit(real, fake)
    x, y = real.double() / unit, fake.double().to(real.device) / unit
    if one_feature:
        return unit * line_costs(x.T, y.T, p)[0] ** (1 / p)
    x, y = (s.repeat_interleave(size // len(s), 0) for s in (x, y))
    costs = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").cpu()
    scale = costs.max().clamp_min(torch.finfo(torch.float64).tiny)
    costs = (costs / scale).pow(p)  # in [0, 1]: powers neither overflow nor vanish together
    total = costs[torch.arange(size), assignment(costs)].mean()
    return (unit * scale * total ** (1 / p)).to(real.device)


def _check_size(n: int, m: int, size: int) -> None:
    if n == m > _LARGEST:
        raise ValueError(f"`real` and `fake` must have at most {_LARGEST} samples, got {n}.")
    if n != m and size > _LARGEST_COPY:
        raise ValueError(
            "`real` and `fake` must be of one size, or their least common multiple at most "
            f"{_LARGEST_COPY}, got {n} and {m} samples."
        )


def _unit(*sets: Tensor) -> float:
    """A power of two (division by it is exact) near the largest number."""
    largest = max(float(bound.abs()) for s in sets for bound in s.double().aminmax())
    return float(2.0 ** (math.frexp(largest)[1] - 1))


def assignment(costs: Tensor) -> Tensor:
    """A one-to-one assignment of least total cost.

    Args:
        costs: ``(N, N)``, float64 on the CPU.

    Returns:
        The column of each row, int64 ``(N,)``.
    """
    matching = _Matching(costs)
    free = list(range(len(costs)))
    for _ in range(_PASSES):
        free = [row for row in map(matching.bid, free) if row >= 0]
    matching.close_taken()
    for row in free:
        matching.augment(row)
    return torch.tensor(matching.column_of)


class _Matching:
    """Rows assigned to columns so far, and dual variables v of the columns.

    Every assigned row sits where its reduced cost ``c - v`` is smallest. When all rows are
    assigned, this proves that the total cost is the least.
    """

    def __init__(self, costs: Tensor) -> None:
        self.costs = costs
        self.v = costs.min(0).values
        self.column_of = [-1] * len(costs)
        self.row_of = [-1] * len(costs)
        self.taken = torch.zeros(len(costs), dtype=torch.float64)  # inf: column has a row

    def bid(self, row: int) -> int:
        """Give a free row its best column, made dearer until the second best is as good.

        Returns:
            The row that loses the column, -1 if none does.
        """
        reduced = self.costs[row] - self.v
        if len(reduced) == 1:
            self.column_of[0] = self.row_of[0] = 0
            return -1
        least = reduced.topk(2, largest=False)
        best, second = least.values.tolist()
        column, other = map(int, least.indices.tolist())
        if best < second:
            self.v[column] -= second - best
        elif self.row_of[column] >= 0:
            column = other
        loser = self.row_of[column]
        self.row_of[column], self.column_of[row] = row, column
        if loser >= 0:
            self.column_of[loser] = -1
        return loser

    def close_taken(self) -> None:
        """Note which columns have a row."""
        self.taken[[column for column in self.column_of if column >= 0]] = math.inf

    def augment(self, start: int) -> None:
        """Assign a free row along the cheapest path to a free column (Dijkstra's search)."""
        length = self.costs[start] - self.v
        before = torch.full((len(length),), start)  # the row that a column is reached from
        settled: dict[int, float] = {}
        closed = torch.zeros_like(length)  # inf: settled
        while True:
            shortest, column = (found.item() for found in length.min(0))
            nearest, end = (found.item() for found in (length + self.taken).min(0))
            if nearest <= shortest:  # among ties a free one: collapsed sets have nothing but ties
                break
            column = int(column)
            settled[column], row = shortest, self.row_of[column]
            closed[column] = length[column] = math.inf
            through = self.costs[row] - self.v
            through += shortest - through[column]
            through += closed
            before.masked_fill_(through < length, row)
            torch.minimum(length, through, out=length)
        for column, reached in settled.items():
            self.v[column] += reached - nearest
        self._flip(before, start, int(end))

    def _flip(self, before: Tensor, start: int, column: int) -> None:
        self.taken[column] = math.inf
        row = -1
        while row != start:
            row = int(before[column])
            self.row_of[column] = row
            self.column_of[row], column = column, self.column_of[row]
