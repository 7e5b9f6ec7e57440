"""A Fréchet distance that rises when fakes are copies of reals."""

import torch
from torch import Tensor

from gan_lightning.metrics.functional._neighbours import feature_sets
from gan_lightning.metrics.functional.frechet import frechet_distance
from gan_lightning.metrics.functional.kernel import directions, parts

_LEAST = 1e-14  # stands for a memorisation distance of 0, as in torchmetrics


def mifid(real: Tensor, fake: Tensor, eps: float = 0.1, ddof: int = 1) -> Tensor:
    r"""Fréchet distance, divided by how far the fakes' directions are from the reals'.

    .. math::
        \frac{\mathrm{FD}(R, F)}{m}, \qquad
        s = \frac{1}{M} \sum_{f \in F} \min_{r \in R} \left( 1 - \frac{|f^\top r|}{|f| |r|} \right),
        \qquad m = \begin{cases} s & s < \epsilon \\ 1 & \text{else} \end{cases}

    Lower is better; fakes that are copies of reals get the distance times up to 1e14, unless it is
    0. As the Fréchet distance it **falls** with N, but s falls as well, with the number of reals:
    compare equal numbers only.

    The minimum is over reals and the mean over fakes, as in the paper; torchmetrics 1.9 takes it
    the other way round (its value for exchanged sets is this one), which measures dropped reals
    rather than copies. As there, samples of zeros have no direction and are left out of s, s is
    not let below 1e-14, and a distance of 0 stays 0 (there: any below 1e-8, whatever the features'
    scale).

    Source: Bai et al. 2021, On Training Sample Memorization (arXiv:2106.03062), Section 3.

    Args:
        real: Features of the training set, ``(N, D)``, N at least 2.
        fake: Features ``(M, D)``, M at least 2.
        eps: The threshold on s, not negative; 0 gives the Fréchet distance.
        ddof: As for `frechet_distance`.

    Returns:
        A scalar in float64, in squared units of the features, in [0, inf).

    Raises:
        ValueError: As `frechet_distance`, or if `eps` is negative.
    """
    if not eps >= 0:
        raise ValueError(f"`eps` must not be negative, got {eps}.")
    distance = frechet_distance(real, fake, ddof)
    real, fake = feature_sets(2, real=real, fake=fake)
    s = _memorisation_distance(real.to(fake.device), fake).to(distance)
    return torch.where(s < eps, distance / s.clamp(min=_LEAST), distance)


def _memorisation_distance(real: Tensor, fake: Tensor) -> Tensor:
    """Mean over fakes of the least 1 - |cosine| to a real; 1 where nothing has a direction."""
    total = torch.zeros((), dtype=torch.float64, device=fake.device)
    number = 0
    for part in parts(fake):
        some = directions(part[(part != 0).any(1)])
        total += _least_distances(some, real).sum()
        number += len(some)
    return total / number if number else torch.ones_like(total)


def _least_distances(x: Tensor, real: Tensor) -> Tensor:
    """Of each row of norm 1 the least 1 - |cosine| to a real, ``(N,)``."""
    best = x.new_zeros(len(x))
    nearest = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    start = 0
    for part in parts(real):
        found, index = (x @ directions(part).T).abs().max(1)
        nearest = torch.where(found > best, start + index, nearest)
        best = torch.maximum(best, found)
        start += len(part)
    y = directions(real[nearest])
    sign = torch.where((x * y).sum(1, keepdim=True) < 0, -1.0, 1.0)
    # 1 - |cos| = |u -+ v|^2 / 2, without the cancellation: a copy is at exactly 0.
    distance = (x - sign * y).square().sum(1) / 2
    return torch.where(best > 0, distance, 1.0)  # at right angles to all, or to none
