"""Relativistic GAN: Jolicoeur-Martineau 2018 (arXiv:1807.00734).

With the regularizers R1 and R2 and the pairing cost it is the objective of R3GAN: Huang et al. 2024
(arXiv:2501.05441), section 2.
"""

from __future__ import annotations

from typing import Any, final

from torch import Tensor

from gan_lightning.families.base import AbstractAlternatingGAN, Objective
from gan_lightning.losses import relativistic as losses


@final
class RelativisticGAN(AbstractAlternatingGAN):
    """D tells how much more real a real sample is than a fake; G reverses that.

    Only differences of logits matter, so `logits/real` and `logits/fake` may drift together and
    their signs alone say nothing; `margin` in the log is the mean of D(x) - D(G(z)).

    Args:
        *args: As in `AbstractGAN`.
        averaged: Whether a sample is compared with the mean logit of all samples of the other kind
            (RaSGAN) instead of with one partner (RSGAN).
        **kwargs: As in `AbstractGAN`.

    Raises:
        ValueError: When `averaged` meets `micro_batches`.

    References:
        The relativistic discriminator (Jolicoeur-Martineau, 2018).
        https://arxiv.org/abs/1807.00734
        The GAN is dead; long live the GAN! (Huang et al., 2024). https://arxiv.org/abs/2501.05441
    """

    def __init__(self, *args: Any, averaged: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if averaged and self.micro_batches > 1:
            raise ValueError(
                "`micro_batches` must be 1 for an averaged RelativisticGAN, because every sample "
                "is compared with the mean logit of the whole batch, but got "
                f"{self.micro_batches}."
            )
        self.averaged = averaged

    def discriminator_loss(self, x: Tensor, *labels: Tensor) -> Objective:
        """E softplus(-(D(x) - D(G(z)))), or the same with means over the global batch."""
        x_fake = self.generator(self.noise(len(x)), *labels)
        d_real = self.discriminator(x, *labels)
        d_fake = self.discriminator(x_fake, *labels)
        if self.averaged:
            mean_real = self.mean_over_ranks(losses.mean_logit(d_real))
            mean_fake = self.mean_over_ranks(losses.mean_logit(d_fake))
            loss = losses.averaged_discriminator_loss(
                d_real, d_fake, mean_real=mean_real, mean_fake=mean_fake
            )
        else:
            loss = losses.discriminator_loss(d_real, d_fake)
        logs = {"margin": losses.mean_logit(d_real) - losses.mean_logit(d_fake)}
        return Objective(loss, d_real, d_fake, x_fake, logs=logs)

    def generator_loss(self, x: Tensor, *labels: Tensor) -> Objective:
        """E softplus(D(x) - D(G(z))), or the same with means over the global batch."""
        x_fake = self.generator(self.noise(len(x)), *labels)
        d_real = self.discriminator(x, *labels)
        d_fake = self.discriminator(x_fake, *labels)
        if self.averaged:
            mean_real = self.mean_over_ranks(losses.mean_logit(d_real))
            mean_fake = self.mean_over_ranks(losses.mean_logit(d_fake))
            loss = losses.averaged_generator_loss(
                d_real, d_fake, mean_real=mean_real, mean_fake=mean_fake
            )
        else:
            loss = losses.generator_loss(d_real, d_fake)
        return Objective(loss, d_fake=d_fake, x_fake=x_fake)
