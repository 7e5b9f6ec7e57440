"""Precision and recall by k-nearest-neighbour spheres, and the realism of single samples."""

import torch
from torch import Tensor

from gan_lightning.metrics.functional._neighbours import (
    best_ratio,
    blocks,
    check_neighbours,
    feature_sets,
    nearest,
    within,
)


def precision_recall(
    real: Tensor, fake: Tensor, k: int = 3, *, strict: bool = False
) -> tuple[Tensor, Tensor]:
    r"""Share of fakes within the reals' manifold, and of reals within the fakes'.

    A set's manifold is the union of the spheres around its samples that reach to their k-th nearest
    neighbour in the set, at the distance :math:`\mathrm{NN}_k`, the sample itself not counted:

    .. math::
        \text{precision} = \frac1M \sum_j \max_i 1[\|x_i - y_j\| \le \mathrm{NN}_k(x_i)], \qquad
        \text{recall} = \frac1N \sum_i \max_j 1[\|x_i - y_j\| \le \mathrm{NN}_k(y_j)]

    Kynkäänniemi et al. 2019, arXiv:1904.06991, Eqs. 1 and 2; k = 3 as there. The paper, StyleGAN's
    pr50k3 and torch-fidelity count a sample on a sphere (`<=`), the package prdc does not (`<`).
    The default here is the paper's: with `<` a set of equal features is no neighbour of itself, and
    both values of two equal collapsed sets are 0. Squared distances within 1e-12 of each other are
    equal.

    Bias: both fall with growing N for sets that differ, since the spheres shrink. Compare only
    numbers of the same N and k.

    Args:
        real: Features of reals, ``(N, D)`` (more axes are flattened), N above k.
        fake: Features of fakes, ``(M, D)``, M above k.
        k: Which neighbour gives the radius.
        strict: Whether a sample on a sphere is outside.

    Returns:
        Precision and recall, float64 scalars in [0, 1].

    Raises:
        ValueError: If a set is too small, not finite or of another D, or k does not fit.

    Example:
        >>> real = torch.tensor([[0.0], [1.0], [2.0], [10.0]])
        >>> fake = torch.tensor([[0.5], [1.5], [30.0], [31.0]])
        >>> [v.item() for v in precision_recall(real, fake, k=1)]
        [0.5, 0.75]
    """
    real, fake = feature_sets(1, real=real, fake=fake)
    check_neighbours(k, real=real, fake=fake)
    real_radii = nearest(real, real, k, same=True)[0][:, -1]
    fake_radii = nearest(fake, fake, k, same=True)[0][:, -1]
    precise = torch.zeros(len(fake), dtype=torch.bool, device=real.device)
    recalled = []
    for block in blocks(real, fake):
        radii = real_radii[block.start : block.start + len(block.low), None]
        precise |= within(block, real, fake, radii, strict=strict).any(0)
        recalled.append(within(block, real, fake, fake_radii[None], strict=strict).any(1))
    return precise.double().mean(), torch.cat(recalled).double().mean()


def realism(real: Tensor, fake: Tensor, k: int = 3) -> Tensor:
    r"""How realistic each fake is: at least 1 within a sphere of the denser half of the reals.

    .. math:: R(y) = \max_i \frac{\mathrm{NN}_k(x_i)}{\|x_i - y\|}

    over the reals whose radius is at most the median of the radii: reals where data are sparse have
    spheres so large that anything is realistic beside them (Kynkäänniemi et al. 2019,
    arXiv:1904.06991, Eq. 3 and the text after it). Outside of these spheres it is less than 1, also
    within the manifold of `precision_recall`: a copy of an outlier may score low. A fake that lies
    on one of these reals has infinite realism, whatever the radius; the paper's code instead adds
    1e-6 to the distance, in the unit of the features, which makes the number depend on their scale.

    Bias: falls with growing N, since the radii shrink.

    Args:
        real: Features of reals, ``(N, D)`` (more axes are flattened), N above k.
        fake: Features of fakes, ``(M, D)``, M at least 1.
        k: Which neighbour gives the radius.

    Returns:
        Realism of each fake, float64 ``(M,)``, from 0 to infinity, without a unit.

    Raises:
        ValueError: If a set is too small, not finite or of another D, or k does not fit.

    Example:
        >>> real = torch.tensor([[0.0], [1.0], [2.0], [10.0]])
        >>> realism(real, torch.tensor([[1.5], [4.0], [10.0]]), k=1).tolist()
        [2.0, 0.5, 0.125]
    """
    real, fake = feature_sets(1, real=real, fake=fake)
    check_neighbours(k, real=real)
    radii = nearest(real, real, k, same=True)[0][:, -1]
    kept = radii <= radii.median()  # the lower of two middle ones: keeps the same half
    return best_ratio(fake, real[kept], radii[kept]).sqrt()
