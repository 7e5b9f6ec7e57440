"""Whether fakes are copies of training samples."""

from torch import Tensor

from gan_lightning.metrics.functional._neighbours import TIE, feature_sets, nearest


def authenticity(train: Tensor, fake: Tensor) -> Tensor:
    r"""Share of fakes that are farther from the nearest training sample than its own neighbour is.

    With :math:`i(j) = \arg\min_i \|t_i - y_j\|`,

    .. math::
        \frac1M \sum_j 1\Big[\|y_j - t_{i(j)}\| > \min_{l \ne i(j)} \|t_l - t_{i(j)}\|\Big]

    Alaa et al. 2022, arXiv:2102.08921. A fake exactly as near as that neighbour (squared distances
    within 1e-12) is not authentic, so that a copy of a training sample that is there twice is
    caught; of equally near training samples the first counts.

    New samples of the training distribution do not score 1: one is not authentic if it and its
    training sample are nearest neighbours of each other, and for a smooth density of many samples
    2/3 of all points are such halves of a pair in one dimension, 0.6215 in two, 1/2 in very many.
    So they score 1/3, 0.3785 and up to 1/2: compare with held-out reals.

    Bias: hardly any for fakes of the same distribution; for fakes off the data's manifold it rises
    with N, as the neighbours move closer.

    Args:
        train: Features of the training samples, ``(N, D)`` (more axes are flattened), N at least 2.
        fake: Features of fakes, ``(M, D)``, M at least 1.

    Returns:
        A float64 scalar in [0, 1]; 0 where all are copies.

    Raises:
        ValueError: If a set is too small, not finite or of another D.

    Example:
        >>> import torch
        >>> train = torch.tensor([[0.0], [1.0], [2.0], [10.0]])
        >>> authenticity(train, torch.tensor([[0.25], [5.0], [10.0], [12.0]])).item()
        0.25
    """
    (train,) = feature_sets(2, train=train)
    train, fake = feature_sets(1, train=train, fake=fake)
    distance, index = nearest(fake, train)
    own = nearest(train, train, same=True)[0]
    return (distance > own[index[:, 0]] * (1 + TIE)).double().mean()
