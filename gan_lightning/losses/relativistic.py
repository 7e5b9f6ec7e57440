r"""The relativistic costs: how much more real is a real sample than a fake?

Jolicoeur-Martineau 2018, "The relativistic discriminator", arXiv:1807.00734: the pairing cost
(its RSGAN) and the averaged one (RaSGAN). Huang et al. 2024, "The GAN is dead; long live the GAN!",
arXiv:2501.05441, section 2, take the former with R1 and R2 (R3GAN).

All are functions of logits, and in all of them only differences of logits matter.
"""

from torch import Tensor

from gan_lightning.losses._precision import at_least_float32, softplus


def discriminator_loss(d_real: Tensor, d_fake: Tensor) -> Tensor:
    r"""D's pairing cost: Jolicoeur-Martineau 2018, RSGAN.

    .. math:: L_D = E_{x, z}[\log(1 + \exp(-(D(x) - D(G(z)))))]

    Args:
        d_real: Logits of real samples.
        d_fake: Logits of generated samples, of the same shape: a sample's partner is the one at
            its place.

    Returns:
        The cost, a scalar, in float32 or the logits' higher precision.
    """
    return softplus(-_difference(d_real, d_fake)).mean()  # softplus(-l) = -log sigma(l)


def generator_loss(d_real: Tensor, d_fake: Tensor) -> Tensor:
    r"""G's pairing cost: Jolicoeur-Martineau 2018, RSGAN.

    .. math:: L_G = E_{x, z}[\log(1 + \exp(D(x) - D(G(z))))]

    Args:
        d_real: Logits of real samples.
        d_fake: Logits of generated samples, of the same shape.

    Returns:
        The cost, a scalar.
    """
    return softplus(_difference(d_real, d_fake)).mean()


def averaged_discriminator_loss(
    d_real: Tensor, d_fake: Tensor, *, mean_real: Tensor, mean_fake: Tensor
) -> Tensor:
    r"""D's averaged cost: Jolicoeur-Martineau 2018, RaSGAN.

    .. math::

        L_D = E_x[\log(1 + \exp(-(D(x) - E_z D(G(z)))))] + E_z[\log(1 + \exp(D(G(z)) - E_x D(x)))]

    Args:
        d_real: Logits of real samples, any shape.
        d_fake: Logits of generated samples, any shape.
        mean_real: :math:`E_x D(x)`, a scalar with its graph.
        mean_fake: :math:`E_z D(G(z))`, likewise.

    Returns:
        The cost, a scalar.
    """
    real = softplus(mean_fake - at_least_float32(d_real)).mean()
    return real + softplus(at_least_float32(d_fake) - mean_real).mean()


def averaged_generator_loss(
    d_real: Tensor, d_fake: Tensor, *, mean_real: Tensor, mean_fake: Tensor
) -> Tensor:
    r"""G's averaged cost: Jolicoeur-Martineau 2018, RaSGAN.

    .. math::

        L_G = E_z[\log(1 + \exp(-(D(G(z)) - E_x D(x))))] + E_x[\log(1 + \exp(D(x) - E_z D(G(z))))]

    It is D's cost with reals and fakes exchanged.

    Args:
        d_real: Logits of real samples, any shape.
        d_fake: Logits of generated samples, any shape.
        mean_real: :math:`E_x D(x)`, a scalar.
        mean_fake: :math:`E_z D(G(z))`, a scalar with its graph.

    Returns:
        The cost, a scalar.
    """
    return averaged_discriminator_loss(d_fake, d_real, mean_real=mean_fake, mean_fake=mean_real)


def mean_logit(d: Tensor) -> Tensor:
    """The mean of logits of any shape, in float32 or their higher precision."""
    return at_least_float32(d).mean()


def _difference(d_real: Tensor, d_fake: Tensor) -> Tensor:
    if d_real.shape != d_fake.shape:  # broadcast, they would be paired all with all
        raise ValueError(
            "`d_fake` must have the shape of `d_real`, because each real sample has one partner, "
            f"got {tuple(d_fake.shape)} and {tuple(d_real.shape)}."
        )
    return at_least_float32(d_real) - at_least_float32(d_fake)
