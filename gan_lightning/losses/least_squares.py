r"""The least squares costs: Mao et al. 2017, "Least Squares Generative Adversarial Networks".

arXiv:1611.04076, Eq. 2. The article halves both costs; here none is, as everywhere in this library.
The letters are the article's: a is D's target for fakes, b the one for reals, and c is what G wants
D to answer to its fakes.
"""

from torch import Tensor

from gan_lightning.losses._precision import at_least_float32


def discriminator_loss(
    d_real: Tensor, d_fake: Tensor, *, real_target: float = 1.0, fake_target: float = 0.0
) -> Tensor:
    r"""D's cost: Mao et al. 2017, Eq. 2, without its factor 1/2.

    .. math:: L_D = E_x[(D(x) - b)^2] + E_z[(D(G(z)) - a)^2]

    with the optimum :math:`D^* = (b\,p_{data} + a\,p_g) / (p_{data} + p_g)`.

    Args:
        d_real: D's answers to real samples, any shape.
        d_fake: D's answers to generated samples, any shape.
        real_target: b.
        fake_target: a.

    Returns:
        The cost, a scalar, in float32 or the answers' higher precision.
    """
    return _squared_distance(d_real, real_target) + _squared_distance(d_fake, fake_target)


def generator_loss(d_fake: Tensor, *, generator_target: float = 1.0) -> Tensor:
    r"""G's cost: Mao et al. 2017, Eq. 2, without its factor 1/2.

    .. math:: L_G = E_z[(D(G(z)) - c)^2]

    Args:
        d_fake: D's answers to generated samples, any shape.
        generator_target: c.

    Returns:
        The cost, a scalar.
    """
    return _squared_distance(d_fake, generator_target)


def _squared_distance(d: Tensor, target: float) -> Tensor:
    return (at_least_float32(d) - target).square().mean()
