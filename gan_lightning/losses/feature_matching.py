r"""Feature matching: Salimans et al. 2016, arXiv:1606.03498, section 3.1."""

from torch import Tensor

from gan_lightning.losses._precision import at_least_float32


def feature_matching_loss(real_mean: Tensor, fake_mean: Tensor) -> Tensor:
    r"""G's cost: the means of a layer of D shall agree; Salimans et al. 2016, section 3.1.

    .. math:: \| E_x f(x) - E_z f(G(z)) \|_2^2

    The authors' code takes the mean of the squares, which is this divided by the number of
    features.

    Args:
        real_mean: Mean features of real samples, ``(feature_dim,)``.
        fake_mean: Those of generated ones, ``(feature_dim,)``.

    Returns:
        The cost, a scalar, in float32 or the features' higher precision.
    """
    return (at_least_float32(real_mean) - at_least_float32(fake_mean)).square().sum()
