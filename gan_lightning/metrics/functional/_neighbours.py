"""Exact Euclidean distances and nearest neighbours of whole sets, in blocks.

A matrix product gives all distances quickly, but |a|^2 + |b|^2 - 2ab loses half the digits of pairs
that are close. So it serves only as a lower bound (with a rigorous margin for its rounding), which
rules out nearly all pairs; those that remain are computed anew from their differences. Duplicates
are then at distance exactly 0, and no decision depends on rounding.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

ENTRIES = 2**22  # of a block of distances: 32 MiB
TIE = 1e-12  # squared distances this close, relatively, count as equal: sums differ by their order
_LEAST_ROWS = 256  # of a block: thinner products are slow
_SPARE = 8  # candidates beyond the k that are asked for
_EPSILON = torch.finfo(torch.float64).eps


def feature_sets(least: int, **sets: Tensor) -> tuple[Tensor, ...]:
    """Refuse what are not sets of features, and flatten each sample.

    Args:
        least: Smallest number of samples of each set.
        sets: Each ``(N, ...)``, by the name of the argument.

    Returns:
        The sets, ``(N, D)``, in their own dtype.

    Raises:
        ValueError: If one is no ``(N, ...)`` of at least `least` finite samples, or the sets differ
            in D.
    """
    flat = []
    for name, x in sets.items():
        if x.ndim < 2 or len(x) < least or not x[0].numel():
            raise ValueError(
                f"`{name}` must be features (N, D) of at least {least} samples, got shape "
                f"{tuple(x.shape)}."
            )
        x = x.detach().flatten(1)
        # That device has no float64.
        flat.append(x.cpu() if x.device.type == "mps" else x)
        if flat[0].shape[1] != x.shape[1]:
            raise ValueError(
                f"`{name}` must have as many features as `{next(iter(sets))}`, "
                f"{flat[0].shape[1]}, got {x.shape[1]}."
            )
        if not all(bool(torch.isfinite(part).all()) for part in _parts(x)):
            raise ValueError(f"`{name}` must be finite, got NaN or infinity.")
    return tuple(flat)


def check_neighbours(k: int, **sets: Tensor) -> None:
    """Refuse a number of neighbours that a set does not have.

    Args:
        k: Neighbours of a sample in its own set.
        sets: By the name of the argument.

    Raises:
        ValueError: If k is not from 1 to N - 1.
    """
    if k < 1:
        raise ValueError(f"`k` must be at least 1, got {k}.")
    for name, x in sets.items():
        if len(x) <= k:
            raise ValueError(f"`{name}` must hold more samples than `k`, {k}, got {len(x)}.")


@dataclass
class Block:
    """Bounds on the squared distances of some rows of x from all rows of y.

    Attributes:
        start: The first of these rows.
        low: Lower bounds, ``(B, M)``; at most 0 for pairs that a product cannot tell apart.
        row_margin: With `column_margin`, what is added to `low` for an upper bound, ``(B, 1)``.
        column_margin: ``(1, M)``.
    """

    start: int
    low: Tensor
    row_margin: Tensor
    column_margin: Tensor


def blocks(x: Tensor, y: Tensor) -> Iterator[Block]:
    """Bound all distances between two sets, some rows of the first at a time.

    Args:
        x: ``(N, D)``.
        y: ``(M, D)``.

    Yields:
        Consecutive blocks.
    """
    centre = mean(x)
    # Of each squared norm; the sums of D products have an error of D epsilon |a||b| at most.
    margin = 4 * (x.shape[1] + 8) * _EPSILON
    y_norms = torch.cat([_centred(part, centre).square().sum(1) for part in _parts(y)])
    rows = max(_LEAST_ROWS, ENTRIES // max(y.shape))
    for start in range(0, len(x), rows):
        some = _centred(x[start : start + rows], centre)
        norms = some.square().sum(1, keepdim=True)
        low = some.new_empty(len(some), len(y))
        column = 0
        for part in _parts(y):
            low[:, column : column + len(part)] = some @ _centred(part, centre).T
            column += len(part)
        low.mul_(-2).add_(norms * (1 - margin)).add_(y_norms * (1 - margin))
        yield Block(start, low, 2 * margin * norms, 2 * margin * y_norms[None])


def within(block: Block, x: Tensor, y: Tensor, squared_radius: Tensor, *, strict: bool) -> Tensor:
    """Which pairs of a block are no farther apart than a radius.

    Args:
        block: Of x and y.
        x: ``(N, D)``.
        y: ``(M, D)``.
        squared_radius: For each row ``(B, 1)``, each column ``(1, M)`` or all ``(1, 1)``.
        strict: Whether equal distances do not count.

    Returns:
        Booleans ``(B, M)``.
    """
    below = torch.lt if strict else torch.le
    limit = squared_radius * (1 - TIE if strict else 1 + TIE)
    inside: Tensor = below(block.low + block.row_margin + block.column_margin, limit)
    unsure = below(block.low, limit) & ~inside
    i, j = unsure.nonzero(as_tuple=True)
    limits = limit.expand_as(inside)[i, j]
    inside[i, j] = below(pair_squares(x, block.start + i, y, j), limits)
    return inside


def nearest(x: Tensor, y: Tensor, k: int = 1, *, same: bool = False) -> tuple[Tensor, Tensor]:
    """The k nearest neighbours in one set of each row of another.

    Args:
        x: ``(N, D)``.
        y: ``(M, D)``, M at least k.
        k: How many.
        same: Whether y is x, and a row no neighbour of itself (M at least k + 1).

    Returns:
        Squared distances, ascending, float64 ``(N, k)``, and rows of y ``(N, k)``; of equally near
        ones the first.
    """
    squares, index = [], []
    count = min(k + _SPARE, len(y) - same)
    for block in blocks(x, y):
        low = block.low
        row = torch.arange(len(low), device=low.device)
        if same:
            low[row, block.start + row] = torch.inf
        bound, candidate = low.topk(count, largest=False)
        candidate = candidate.sort(1).values  # so that the first of equals comes first
        exact = pair_squares(
            x, (block.start + row).repeat_interleave(count), y, candidate.flatten()
        )
        exact, order = exact.view(-1, count).sort(dim=1, stable=True)
        exact, candidate = exact[:, :k].clone(), candidate.gather(1, order)[:, :k].clone()
        if count < len(y) - same:
            kth = exact[:, -1]
            for rows in _split((bound[:, -1] <= kth) & (kth > 0), len(y)):
                all_of_them = row_squares(x[block.start + rows], y)
                if same:
                    all_of_them[torch.arange(len(rows)), block.start + rows] = torch.inf
                sort = all_of_them.sort(dim=1, stable=True)
                exact[rows], candidate[rows] = sort.values[:, :k], sort.indices[:, :k]
        squares.append(exact)
        index.append(candidate)
    return torch.cat(squares), torch.cat(index)


def best_ratio(x: Tensor, y: Tensor, squared_radii: Tensor) -> Tensor:
    """For each row of x the largest squared radius over squared distance of a row of y.

    Args:
        x: ``(N, D)``.
        y: ``(M, D)``.
        squared_radii: Of the rows of y, ``(M,)``.

    Returns:
        Float64 ``(N,)``, infinite where a row of x lies on one of y.
    """
    best = []
    count = min(1 + _SPARE, len(y))
    for block in blocks(x, y):
        bound, candidate = _ratio(squared_radii, block.low).topk(count)
        row = torch.arange(len(bound), device=x.device).repeat_interleave(count)
        exact = pair_squares(x, block.start + row, y, candidate.flatten()).view(-1, count)
        ratio = _ratio(squared_radii[candidate], exact).amax(1)
        if count < len(y):
            for rows in _split(bound[:, -1] > ratio, len(y)):
                all_of_them = row_squares(x[block.start + rows], y)
                ratio[rows] = _ratio(squared_radii, all_of_them).amax(1)
        best.append(ratio)
    return torch.cat(best)


def pair_squares(x: Tensor, i: Tensor, y: Tensor, j: Tensor) -> Tensor:
    """Squared distances of pairs, from their differences.

    Args:
        x: ``(N, D)``.
        i: Rows of x, ``(P,)``.
        y: ``(M, D)``.
        j: Rows of y, ``(P,)``.

    Returns:
        Float64 ``(P,)``.
    """
    out = torch.empty(len(i), dtype=torch.float64, device=x.device)
    pairs = max(1, ENTRIES // 2 // x.shape[1])
    for start in range(0, len(i), pairs):
        part = slice(start, start + pairs)
        delta = x[i[part]].double().sub_(y[j[part]].double())
        out[part] = delta.square_().sum(1)
    return out


def row_squares(x: Tensor, y: Tensor) -> Tensor:
    """Squared distances of all pairs, from their differences.

    Args:
        x: ``(N, D)``, few rows.
        y: ``(M, D)``.

    Returns:
        Float64 ``(N, M)``.
    """
    some = x.double()
    exact = [
        torch.cdist(some, part.double(), compute_mode="donot_use_mm_for_euclid_dist")
        for part in _parts(y)
    ]
    return torch.cat(exact, 1).square_()


def mean(x: Tensor) -> Tensor:
    """The mean of the rows, float64 ``(D,)``, without a copy of all of them."""
    return torch.stack([part.double().sum(0) for part in _parts(x)]).sum(0) / len(x)


def _parts(x: Tensor) -> tuple[Tensor, ...]:
    return torch.split(x, max(1, ENTRIES // x.shape[1]))


def _centred(x: Tensor, centre: Tensor) -> Tensor:
    return x.double() - centre


def _ratio(squared_radii: Tensor, squares: Tensor) -> Tensor:
    apart = squares > 0
    ratio = squared_radii / squares.where(apart, 1.0)
    return ratio.where(apart, torch.inf)


def _split(chosen: Tensor, columns: int) -> tuple[Tensor, ...]:
    """Chosen rows, a block at a time."""
    rows = chosen.nonzero()[:, 0]
    return torch.split(rows, max(1, ENTRIES // columns)) if len(rows) else ()
