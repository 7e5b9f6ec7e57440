"""Whether a nearest neighbour tells fakes from reals."""

import torch
from torch import Tensor

from gan_lightning.metrics.functional._neighbours import TIE, feature_sets, nearest


def one_nearest_neighbour(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""Leave-one-out accuracy of a nearest-neighbour classifier of reals and fakes.

    Each sample gets the label of its nearest neighbour among all others of both sets:

    .. math::
        \text{accuracy} = \frac{1}{N + M} \Big( \sum_i 1[\text{next to } x_i \text{ is a real}]
        + \sum_j 1[\text{next to } y_j \text{ is a fake}] \Big)

    Lopez-Paz and Oquab 2017, arXiv:1610.06545, Section 3; Xu et al. 2018, arXiv:1806.07755, where
    the two parts are told apart. 1/2 is ideal. 1 means that the sets do not overlap; below 1/2
    fakes lie closer to reals than reals do to each other, and copies of the reals give 0. A high
    accuracy on fakes with a low one on reals is a collapsed generator. Where the nearest real and
    the nearest fake are equally far (squared distances within 1e-12), a sample counts half; other
    implementations let the order of the samples decide.

    Bias: for sets that differ, accuracy rises with N. 1/2 is chance only for N = M: take sets of
    the same size.

    Args:
        real: Features of reals, ``(N, D)`` (more axes are flattened), N at least 2.
        fake: Features of fakes, ``(M, D)``, M at least 2.

    Returns:
        Accuracy on all samples, on reals and on fakes; float64 scalars in [0, 1].

    Raises:
        ValueError: If a set is too small, not finite or of another D.

    Example:
        >>> real = torch.tensor([[0.0], [1.0], [2.0]])
        >>> [v.item() for v in one_nearest_neighbour(real, torch.tensor([[2.25], [2.25], [2.25]]))]
        [0.8333333333333334, 0.6666666666666666, 1.0]
    """
    real, fake = feature_sets(2, real=real, fake=fake)
    of_real = _correct(real, fake)
    of_fake = _correct(fake, real)
    return torch.cat([of_real, of_fake]).mean(), of_real.mean(), of_fake.mean()


def _correct(own: Tensor, other: Tensor) -> Tensor:
    """1 for samples next to one of their own set, 1/2 for ties, `(N,)`."""
    inside = nearest(own, own, same=True)[0][:, 0]
    outside = nearest(own, other)[0][:, 0]
    right = (inside < outside * (1 - TIE)).double()
    wrong = (outside < inside * (1 - TIE)).double()
    return (1 + right - wrong) / 2
