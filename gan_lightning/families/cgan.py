"""CGAN: both players are told the class.

Mirza, Osindero 2014, "Conditional Generative Adversarial Nets" (arXiv:1411.1784), Eq. 2: the
two-player game on pairs (x, y). How a label enters a network is the networks' own affair
(`networks/conditional.py`).
"""

from __future__ import annotations

from typing import ClassVar, final

from torch import Tensor

from gan_lightning.families.goodfellow import AbstractGoodfellowGAN
from gan_lightning.losses import goodfellow as losses


@final
class CGAN(AbstractGoodfellowGAN):
    """Conditional GAN: D judges pairs (x, y), and fakes are made for the labels of the batch.

    G minimises the non-saturating cost, -E log D(G(z, y), y).

    Args:
        *args: As in `AbstractGAN`; the networks are `generator(z, labels)` and
            `discriminator(x, labels)`.
        **kwargs: As in `AbstractGoodfellowGAN`; `num_classes` must be given.

    References:
        Mirza, Osindero 2014, Eq. 2. https://arxiv.org/abs/1411.1784
    """

    always_conditional: ClassVar[bool] = True

    def generator_cost(self, d_fake: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """L_G = E softplus(-l_fake)."""
        return losses.non_saturating_generator_loss(d_fake), {}
