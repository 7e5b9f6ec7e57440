r"""The costs of the Wasserstein GAN: Arjovsky et al. 2017, "Wasserstein GAN", arXiv:1701.07875.

Both are differences of means of the critic's values, written as costs to be minimised (the article
maximises over the critic, in Eq. 3 and Algorithm 1).
"""

from torch import Tensor

from gan_lightning.losses._precision import at_least_float32


def discriminator_loss(d_real: Tensor, d_fake: Tensor) -> Tensor:
    r"""The critic's cost: Arjovsky et al. 2017, Algorithm 1, line 5, with the sign turned.

    .. math:: L_D = -E_x[D(x)] + E_z[D(G(z))]

    Over all D with Lipschitz constant K its smallest value is
    :math:`-K\,W_1(p_{data}, p_g)` (Kantorovich and Rubinstein; Eq. 2).

    Args:
        d_real: The critic's values of real samples, any shape.
        d_fake: Those of generated samples, any shape.

    Returns:
        The cost, a scalar, in float32 or the values' higher precision.
    """
    return at_least_float32(d_fake).mean() - at_least_float32(d_real).mean()


def generator_loss(d_fake: Tensor) -> Tensor:
    r"""G's cost: Arjovsky et al. 2017, Algorithm 1, line 10.

    .. math:: L_G = -E_z[D(G(z))]

    Args:
        d_fake: The critic's values of generated samples, any shape.

    Returns:
        The cost, a scalar.
    """
    return -at_least_float32(d_fake).mean()
