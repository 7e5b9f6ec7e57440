"""K-means for the metrics that count samples by cells."""

import torch
from torch import Tensor

from gan_lightning.metrics.functional._neighbours import ENTRIES, blocks, nearest, row_squares


def kmeans(x: Tensor, k: int, seed: int = 0, iterations: int = 100, *, name: str = "k") -> Tensor:
    r"""Centres of cells that keep the squared distances within them small.

    Lloyd's algorithm from the k-means++ start (Arthur and Vassilvitskii 2007): the first centre is
    a sample, each further one a sample drawn with probability proportional to its squared distance
    from the nearest centre so far. It stops when no sample changes its cell. A cell that loses all
    its samples starts anew at the sample farthest from its centre.

    Args:
        x: ``(N, D)``.
        k: Cells, from 1 to the number of distinct samples.
        seed: Of the start; the same on all devices.
        iterations: Rounds at most.
        name: What the caller's argument for k is called.

    Returns:
        Centres, float64 ``(k, D)``.

    Raises:
        ValueError: If there are fewer distinct samples than cells.
    """
    generator = torch.Generator().manual_seed(seed)
    centres = _start(x, k, generator, name)
    cell = torch.full((len(x),), -1, device=x.device)
    for _ in range(iterations):
        # Not `nearest`: its exactness on near ties costs more than these few products.
        minima = [block.low.min(1) for block in blocks(x, centres)]
        before, cell = cell, torch.cat([found.indices for found in minima])
        if torch.equal(before, cell):
            break
        centres = _means(x, cell, torch.cat([found.values for found in minima]), k)
    return centres


def assign(x: Tensor, centres: Tensor) -> Tensor:
    """The nearest centre of each sample, the first of equally near ones.

    Args:
        x: ``(N, D)``.
        centres: ``(K, D)``.

    Returns:
        Int64 ``(N,)``.
    """
    return nearest(x, centres)[1][:, 0]


def _start(x: Tensor, k: int, generator: torch.Generator, name: str) -> Tensor:
    draws = torch.rand(k, generator=generator, dtype=torch.float64)
    chosen = [int(draws[0] * len(x))]
    squares = row_squares(x[chosen[0] :][:1], x)[0]
    for done in range(1, k):
        total = squares.cpu().cumsum(0)  # there its rounding is the same for all
        if not total[-1] > 0:
            raise ValueError(
                f"`{name}` must be at most the number of distinct samples, {done}, got {k}."
            )
        # right: never a sample of probability 0, which is a centre already
        index = torch.searchsorted(total, draws[done] * total[-1], right=True)
        chosen.append(min(int(index), int(squares.nonzero()[-1, 0])))
        squares = torch.minimum(squares, row_squares(x[chosen[-1] :][:1], x)[0])
    return x[chosen].double()


def _means(x: Tensor, cell: Tensor, squares: Tensor, k: int) -> Tensor:
    """Mean of each cell, by a product with 0 and 1, whose order is fixed on all devices."""
    sums = torch.zeros(k, x.shape[1], dtype=torch.float64, device=x.device)
    rows = max(1, ENTRIES // max(k, x.shape[1]))
    for part, label in zip(torch.split(x, rows), torch.split(cell, rows), strict=True):
        member = torch.nn.functional.one_hot(label, k).double()
        sums += member.T @ part.double()
    counts = torch.bincount(cell, minlength=k)
    centres = sums / counts.clamp_min(1)[:, None]
    empty = (counts == 0).nonzero()[:, 0]
    if len(empty):
        farthest = torch.argsort(squares, descending=True, stable=True)[: len(empty)]
        centres[empty] = x[farthest].double()
    return centres
