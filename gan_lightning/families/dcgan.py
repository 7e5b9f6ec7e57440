"""DCGAN: the non-saturating game with the networks of Radford et al. 2015 (arXiv:1511.06434).

The one family that names its networks, because everybody looks for it under this name. What makes
it a DCGAN lies in `networks/dcgan.py` (section 3 of the paper) and in Adam with learning rate
2e-4 and beta1 = 0.5 (section 4), the defaults of `optim.GANAdam`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from torch import Tensor

from gan_lightning.families.goodfellow import AbstractGoodfellowGAN
from gan_lightning.losses import goodfellow as losses
from gan_lightning.networks.dcgan import dcgan


@final
class DCGAN(AbstractGoodfellowGAN):
    """Deep convolutional GAN.

    Args:
        image_shape: `(C, H, W)`, H = W a power of two from 8 to 256.
        latent_dim: Dimension of z; z ~ N(0, I), where the paper draws from a uniform distribution.
        width: Channels at the highest resolution; the paper has 128.
        **kwargs: As in `NonSaturatingGAN`, without the networks.

    References:
        Radford et al. 2015, sections 3 and 4. https://arxiv.org/abs/1511.06434
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 100,
        width: int = 64,
        **kwargs: Any,
    ) -> None:
        generator, discriminator = dcgan(tuple(image_shape), latent_dim=latent_dim, width=width)
        super().__init__(
            generator=generator, discriminator=discriminator, latent_dim=latent_dim, **kwargs
        )

    def generator_cost(self, d_fake: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """L_G = E softplus(-l_fake)."""
        return losses.non_saturating_generator_loss(d_fake), {}
