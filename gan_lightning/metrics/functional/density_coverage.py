"""Density and coverage: precision and recall that outliers do not mislead."""

import torch
from torch import Tensor

from gan_lightning.metrics.functional._neighbours import (
    blocks,
    check_neighbours,
    feature_sets,
    nearest,
    within,
)


def density_coverage(
    real: Tensor, fake: Tensor, k: int = 5, *, strict: bool = False
) -> tuple[Tensor, Tensor]:
    r"""How many reals' spheres a fake lies in, and how many of these spheres hold a fake.

    With the distance :math:`\mathrm{NN}_k(x_i)` of a real from its k-th nearest neighbour among the
    reals (itself not counted),

    .. math::
        \text{density} = \frac{1}{k M} \sum_{i, j} 1[\|x_i - y_j\| \le \mathrm{NN}_k(x_i)], \qquad
        \text{coverage} = \frac1N \sum_i \max_j 1[\|x_i - y_j\| \le \mathrm{NN}_k(x_i)]

    Naeem et al. 2020, arXiv:2002.09797, Section 3; k = 5 as there. The authors' package prdc
    compares with `<`, the formulas of Kynkäänniemi et al. with `<=`. The default here is `<=`: with
    `<` all features being equal gives 0 and 0, although the sets agree. On continuous features the
    two differ only where a fake is a real: for a set and itself, `<=` gives the density (k + 1) /
    k, `<` gives 1. Squared distances within 1e-12 of each other are equal.

    Bias: none in the density; for equal distributions its mean is 1, and the coverage's, for large
    N = M, is :math:`1 - 2^{-k}`. For sets that differ coverage rises with M and falls with N.

    Args:
        real: Features of reals, ``(N, D)`` (more axes are flattened), N above k.
        fake: Features of fakes, ``(M, D)``, M at least 1.
        k: Which neighbour gives the radius.
        strict: Whether a sample on a sphere is outside.

    Returns:
        Density, from 0 to N / k (above 1 where fakes crowd at dense reals), and coverage, in [0,
        1]; float64 scalars.

    Raises:
        ValueError: If a set is too small, not finite or of another D, or k does not fit.

    Example:
        >>> real = torch.tensor([[0.0], [1.0], [2.0], [10.0]])
        >>> [v.item() for v in density_coverage(real, torch.tensor([[0.5], [30.0]]), k=1)]
        [1.0, 0.5]
    """
    real, fake = feature_sets(1, real=real, fake=fake)
    check_neighbours(k, real=real)
    radii = nearest(real, real, k, same=True)[0][:, -1:]
    inside = torch.zeros((), dtype=torch.int64, device=real.device)
    covered = []
    for block in blocks(real, fake):
        some = radii[block.start : block.start + len(block.low)]
        held = within(block, real, fake, some, strict=strict)
        inside += held.sum()
        covered.append(held.any(1))
    return inside.double() / (k * len(fake)), torch.cat(covered).double().mean()
