"""PacGAN: D judges m samples at once.

Lin, Khetan, Fanti, Oh 2018, "PacGAN: The power of two samples in generative adversarial networks"
(arXiv:1712.04086), section 3. What makes it a PacGAN is the discriminator, `networks.Packed`, which
any other family can be given as well; the game is the non-saturating one, as in the authors' code.
"""

from __future__ import annotations

from typing import Any, final

from torch import Tensor

from gan_lightning.families.goodfellow import AbstractGoodfellowGAN
from gan_lightning.losses import goodfellow as losses


@final
class PacGAN(AbstractGoodfellowGAN):
    """GAN with a packed discriminator, to which a collapsed generator is easy to tell.

    Args:
        *args: As in `AbstractGAN`; the discriminator packs, as `Packed(discriminator, m)` does.
        **kwargs: As in `AbstractGoodfellowGAN`.

    Raises:
        ValueError: When the discriminator judges samples one by one.

    References:
        Lin et al. 2018, section 3. https://arxiv.org/abs/1712.04086
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.samples_per_input < 2:
            raise ValueError(
                "`discriminator` must judge packs of at least 2 samples for PacGAN, such as "
                "`networks.Packed(discriminator, m=2)`, but got "
                f"{type(self.discriminator).__name__} with {self.samples_per_input} per logit."
            )

    def generator_cost(self, d_fake: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """L_G = E softplus(-l_fake), over packs."""
        return losses.non_saturating_generator_loss(d_fake), {}
