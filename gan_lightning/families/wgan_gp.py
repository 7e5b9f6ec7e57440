"""Wasserstein GAN with a gradient penalty: Gulrajani et al. 2017 (arXiv:1704.00028), Algorithm 1.

The critic D is pulled towards Lipschitz constant 1 by a penalty on the norm of its gradient between
reals and fakes, in the place of `WGAN`'s clipping.
"""

from __future__ import annotations

import math
from typing import Any, final

from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn

from gan_lightning.families.base import AbstractAlternatingGAN, Objective
from gan_lightning.losses import wasserstein as losses
from gan_lightning.optim import GANAdam
from gan_lightning.regularizers.gradient_penalty import GradientPenalty


@final
class WGANGP(AbstractAlternatingGAN):
    """The critic maximises E D(x) - E D(G(z)) less a penalty; G maximises E D(G(z)).

    Args:
        generator: G, as in `AbstractGAN`.
        discriminator: The critic D, without batch norm.
        latent_dim: Dimension of z.
        generator_optimizer: Makes G's optimizer; Adam at 1e-4 with betas (0, 0.9).
        discriminator_optimizer: Makes D's, likewise.
        discriminator_steps: n_critic, critic updates per generator update.
        penalty_weight: lambda.
        one_sided: Penalise only gradients longer than 1.
        **kwargs: As in `AbstractGAN`.

    Raises:
        ValueError: When `penalty_weight` is not a positive number, the critic has batch norm, or
            `regularizers` hold a second gradient penalty.

    References:
        Improved Training of Wasserstein GANs (Gulrajani et al., 2017).
        https://arxiv.org/abs/1704.00028
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int,
        generator_optimizer: OptimizerCallable = lambda p: GANAdam(
            p, lr=1e-4, beta1=0.0, beta2=0.9
        ),
        discriminator_optimizer: OptimizerCallable = lambda p: GANAdam(
            p, lr=1e-4, beta1=0.0, beta2=0.9
        ),
        discriminator_steps: int = 5,
        penalty_weight: float = 10.0,
        one_sided: bool = False,
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
        if not 0 < penalty_weight < math.inf:
            raise ValueError(
                f"`penalty_weight` must be a positive number but got {penalty_weight}."
            )
        self.gradient_penalty = GradientPenalty(penalty_weight, one_sided)
        _one_penalty(self)
        _independent_samples(self.discriminator)

    def discriminator_loss(self, x: Tensor, *labels: Tensor) -> Objective:
        """-E D(x) + E D(G(z)) + lambda E (|grad D(x_hat)| - 1)^2, Eq. 3."""
        x_fake = self.generator(self.noise(len(x)), *labels)
        d_real = self.discriminator(x, *labels)
        d_fake = self.discriminator(x_fake, *labels)
        loss = losses.discriminator_loss(d_real, d_fake)
        real = self.inputs(x, *labels)
        penalty = self.gradient_penalty.penalty(self, real, (x_fake, *real[1:]))
        logs = {"wasserstein": -loss, "penalty/gradient_penalty": penalty}
        return Objective(loss + penalty, d_real, d_fake, x_fake, logs=logs)

    def generator_loss(self, x: Tensor, *labels: Tensor) -> Objective:
        """-E D(G(z))."""
        x_fake = self.generator(self.noise(len(x)), *labels)
        d_fake = self.discriminator(x_fake, *labels)
        return Objective(losses.generator_loss(d_fake), d_fake=d_fake, x_fake=x_fake)


def _independent_samples(discriminator: nn.Module) -> None:
    for name, module in discriminator.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            raise ValueError(
                "`discriminator` must not have batch normalisation in WGANGP, because it makes a "
                "sample's logit depend on the whole batch and the penalty is on the gradient for "
                f"each sample alone, but got {type(module).__name__} at '{name}'."
            )


def _one_penalty(module: WGANGP) -> None:
    if any(isinstance(r, GradientPenalty) for r in module.regularizers):
        raise ValueError(
            "`regularizers` must not hold GradientPenalty for WGANGP, because the family adds its "
            "own, but it does; set `penalty_weight` instead."
        )
