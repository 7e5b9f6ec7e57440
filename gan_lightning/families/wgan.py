"""Wasserstein GAN with clipped weights: Arjovsky et al. 2017 (arXiv:1701.07875), Algorithm 1.

The critic D is kept Lipschitz by clipping all of its weights to [-c, c] after each of its updates.
Then E D(x) - E D(G(z)) is at most K times the Wasserstein-1 distance, with K its Lipschitz
constant, which nobody knows.
"""

from __future__ import annotations

import math
from typing import Any, final

import torch
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn

from gan_lightning.families.base import AbstractAlternatingGAN, Objective
from gan_lightning.losses import wasserstein as losses
from gan_lightning.optim.rmsprop import GANRMSProp


@final
class WGAN(AbstractAlternatingGAN):
    """The critic maximises E D(x) - E D(G(z)) with weights in a box; G maximises E D(G(z)).

    Args:
        generator: G, as in `AbstractGAN`.
        discriminator: The critic D.
        latent_dim: Dimension of z.
        generator_optimizer: Makes G's optimizer; RMSProp at 5e-5.
        discriminator_optimizer: Makes D's; the article advises against momentum.
        discriminator_steps: n_critic, critic updates per generator update.
        clip: c, to whose range [-c, c] the critic's parameters are clipped after each of its
            updates; frozen ones are left alone.
        **kwargs: As in `AbstractGAN`.

    Raises:
        ValueError: When `clip` is not a positive number.

    References:
        Wasserstein GAN (Arjovsky et al., 2017). https://arxiv.org/abs/1701.07875
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int,
        generator_optimizer: OptimizerCallable = GANRMSProp,
        discriminator_optimizer: OptimizerCallable = GANRMSProp,
        discriminator_steps: int = 5,
        clip: float = 0.01,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            generator=generator,
            discriminator=discriminator,
            latent_dim=latent_dim,
            generator_optimizer=generator_optimizer,
            discriminator_optimizer=discriminator_optimizer,
            discriminator_steps=discriminator_steps,
            **kwargs,
        )
        if not 0 < clip < math.inf:
            raise ValueError(f"`clip` must be a positive number but got {clip}.")
        self.clip = clip

    def discriminator_loss(self, x: Tensor, *labels: Tensor) -> Objective:
        """-E D(x) + E D(G(z)); `wasserstein` is minus that, up to K times the distance."""
        x_fake = self.generator(self.noise(len(x)), *labels)
        d_real = self.discriminator(x, *labels)
        d_fake = self.discriminator(x_fake, *labels)
        loss = losses.discriminator_loss(d_real, d_fake)
        return Objective(loss, d_real, d_fake, x_fake, logs={"wasserstein": -loss})

    @torch.no_grad()
    def on_discriminator_moved(self) -> None:
        """w <- clip(w, -c, c)."""
        for network in self.discriminator_modules():
            for w in network.parameters():
                if w.requires_grad:
                    w.clamp_(-self.clip, self.clip)

    def generator_loss(self, x: Tensor, *labels: Tensor) -> Objective:
        """-E D(G(z))."""
        x_fake = self.generator(self.noise(len(x)), *labels)
        d_fake = self.discriminator(x_fake, *labels)
        return Objective(losses.generator_loss(d_fake), d_fake=d_fake, x_fake=x_fake)
