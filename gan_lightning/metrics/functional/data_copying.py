"""Whether fakes lie closer to the training samples than held-out samples do."""

import torch
from torch import Tensor

from gan_lightning.metrics.functional._kmeans import assign, kmeans
from gan_lightning.metrics.functional._neighbours import feature_sets, nearest


def data_copying(
    train: Tensor,
    test: Tensor,
    fake: Tensor,
    cells: int = 3,
    *,
    min_fakes: int = 20,
    seed: int = 0,
) -> Tensor:
    r"""The statistic :math:`C_T` of the three-sample test for data copying.

    In each cell of a k-means partition of the training set, the distances of fakes and of test
    samples from their nearest training sample are compared by the z-score of the Mann-Whitney
    statistic, and averaged by the cells' shares of the test samples:

    .. math::
        z = \frac{U - mn/2}{\sigma}, \quad
        U = \sum_{j, i} \big(1[d(y_j) > d(x_i)] + \tfrac12 1[d(y_j) = d(x_i)]\big), \quad
        C_T = \frac{\sum_c P(c) z_c}{\sum_c P(c)}

    over the cells c with at least `min_fakes` fakes, for which z is nearly normal; m and n are the
    fakes and test samples of a cell, and :math:`\sigma` is corrected for ties. Meehan, Chaudhuri
    and Dasgupta 2020, arXiv:2004.05675. Far below 0 (-3): the generator copies; far above 0: it
    underfits; about 0 for samples of the distribution. A cell whose distances are all equal has z =
    0.

    Three conventions: the nearest training sample is looked for in all cells (the authors' code
    looks in the same cell, and misses a copy just across a border); without the authors' continuity
    correction, which moves z off 0 for equal sets; no projection to 64 principal components (as
    dgm-eval does).

    Bias: for a generator that copies or underfits its size grows like the square root of the sample
    sizes.

    Args:
        train: Features of the training samples, ``(L, D)`` (more axes are flattened).
        test: Features of held-out reals, ``(N, D)``.
        fake: Features of fakes, ``(M, D)``.
        cells: Cells of the partition, at most the number of distinct training samples.
        min_fakes: Fewest fakes of a cell that counts.
        seed: Of k-means.

    Returns:
        A float64 scalar, in standard deviations.

    Raises:
        ValueError: If a set is too small, not finite or of another D, another argument is out of
            its range, or no cell holds test samples and enough fakes.
    """
    train, test, fake = feature_sets(1, train=train, test=test, fake=fake)
    if not 1 <= cells <= len(train):
        raise ValueError(
            f"`cells` must be from 1 to the {len(train)} training samples, got {cells}."
        )
    if min_fakes < 1:
        raise ValueError(f"`min_fakes` must be at least 1, got {min_fakes}.")
    centres = kmeans(train, cells, seed, name="cells")
    test_cell, fake_cell = assign(test, centres), assign(fake, centres)
    test_distance, fake_distance = (nearest(x, train)[0][:, 0] for x in (test, fake))
    total = torch.zeros((), dtype=torch.float64, device=train.device)
    weight = 0
    for cell in range(cells):
        held_out, made = test_distance[test_cell == cell], fake_distance[fake_cell == cell]
        if len(made) >= min_fakes and len(held_out):
            total += len(held_out) * mann_whitney_z(made, held_out)
            weight += len(held_out)
    if not weight:
        raise ValueError(
            f"`min_fakes` must be reached in a cell that has test samples, got {min_fakes} with "
            f"{len(fake)} fakes in {cells} cells."
        )
    return total / weight


def mann_whitney_z(x: Tensor, y: Tensor) -> Tensor:
    """The z-score of the Mann-Whitney statistic of two samples, corrected for ties.

    Args:
        x: Float64 ``(M,)``.
        y: Float64 ``(N,)``.

    Returns:
        A float64 scalar, positive where x tends to be larger; 0 where all values are equal.
    """
    m, n = len(x), len(y)
    values = torch.cat([x, y])
    ordered = values.sort().values
    below = torch.searchsorted(ordered, values)
    not_above = torch.searchsorted(ordered, values, right=True)
    ranks = (below + not_above + 1) / 2  # of tied values the middle one
    u = ranks[:m].double().sum() - m * (m + 1) / 2
    ties = (not_above - below).double()  # a group of t values counts t^2 - 1 for each of them
    correction = (ties.square() - 1).sum() / ((m + n) * max(1, m + n - 1))
    variance = m * n / 12 * (m + n + 1 - correction)
    # Equal values leave a variance of 0, up to rounding.
    return torch.where(variance > 1e-9 * m * n, (u - m * n / 2) / variance.sqrt(), 0.0)
