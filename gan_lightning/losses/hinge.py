r"""The hinge costs: Lim and Ye 2017, "Geometric GAN", arXiv:1705.02894, section 3.

Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks", arXiv:1802.05957,
Eq. 16 and 17, made them known.
"""

from torch import Tensor

from gan_lightning.losses._precision import at_least_float32


def discriminator_loss(d_real: Tensor, d_fake: Tensor) -> Tensor:
    r"""D's cost: Miyato et al. 2018, Eq. 16, with the sign turned.

    .. math:: L_D = E_x[\max(0, 1 - D(x))] + E_z[\max(0, 1 + D(G(z)))]

    The optimum is :math:`D^* = \mathrm{sign}(p_{data} - p_g)`, where the cost is
    :math:`2 - \int |p_{data} - p_g|`: two minus twice the total variation distance.

    Args:
        d_real: D's values of real samples, any shape.
        d_fake: D's values of generated samples, any shape.

    Returns:
        The cost, a scalar, in float32 or the values' higher precision.
    """
    return (1 - at_least_float32(d_real)).relu().mean() + (
        1 + at_least_float32(d_fake)
    ).relu().mean()


def generator_loss(d_fake: Tensor) -> Tensor:
    r"""G's cost: Miyato et al. 2018, Eq. 17.

    .. math:: L_G = -E_z[D(G(z))]

    It has no hinge: G is to move its samples beyond the margin too.

    Args:
        d_fake: D's values of generated samples, any shape.

    Returns:
        The cost, a scalar.
    """
    return -at_least_float32(d_fake).mean()
