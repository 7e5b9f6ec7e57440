"""Hinge GAN: Lim and Ye 2017 (arXiv:1705.02894); Miyato et al. 2018 (arXiv:1802.05957), Eq. 16, 17.

With spectrally normalised networks it is SNGAN.
"""

from __future__ import annotations

from typing import final

from torch import Tensor

from gan_lightning.families.base import AbstractAlternatingGAN, Objective
from gan_lightning.losses import hinge as losses


@final
class HingeGAN(AbstractAlternatingGAN):
    """D separates reals from fakes with a margin, and learns nothing from samples beyond it.

    References:
        Geometric GAN (Lim and Ye, 2017). https://arxiv.org/abs/1705.02894
        Spectral Normalization for GANs (Miyato et al., 2018). https://arxiv.org/abs/1802.05957
    """

    def discriminator_loss(self, x: Tensor, *labels: Tensor) -> Objective:
        """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))."""
        x_fake = self.generator(self.noise(len(x)), *labels)
        d_real = self.discriminator(x, *labels)
        d_fake = self.discriminator(x_fake, *labels)
        loss = losses.discriminator_loss(d_real, d_fake)
        return Objective(loss, d_real, d_fake, x_fake)

    def generator_loss(self, x: Tensor, *labels: Tensor) -> Objective:
        """-E D(G(z))."""
        x_fake = self.generator(self.noise(len(x)), *labels)
        d_fake = self.discriminator(x_fake, *labels)
        return Objective(losses.generator_loss(d_fake), d_fake=d_fake, x_fake=x_fake)
