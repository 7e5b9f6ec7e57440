"""f-GAN: Nowozin et al. 2016 (arXiv:1606.00709), Eq. 6 and section 3.2.

D's network V gives, through an activation, the critic of a lower bound on an f-divergence between
the data and the generator's distribution. D raises the bound, G lowers it.
"""

from __future__ import annotations

from typing import Any, final

from torch import Tensor

from gan_lightning.families.base import AbstractAlternatingGAN, Objective
from gan_lightning.losses import f_divergence as losses


@final
class FGAN(AbstractAlternatingGAN):
    """D maximises the bound E g_f(V(x)) - E f*(g_f(V(G(z)))) on a divergence, G minimises it.

    The logged logits are g_f(V) - f'(1), because V itself falls from fakes to reals for some of the
    divergences: their sign is D's decision, positive for "real", whatever the divergence.

    Args:
        *args: As in `AbstractGAN`.
        divergence: Which one: an object of a class of `losses.f_divergence`.
        alternative: Whether G maximises E g_f(V(G(z))) instead (section 3.2), which is the
            non-saturating cost for `GANDivergence`.
        **kwargs: As in `AbstractGAN`.

    Raises:
        ValueError: When `divergence` is not such an object.

    References:
        f-GAN: Training Generative Neural Samplers using Variational Divergence Minimization
        (Nowozin et al., 2016). https://arxiv.org/abs/1606.00709
    """

    def __init__(
        self,
        *args: Any,
        divergence: losses.AbstractFDivergence,
        alternative: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if not isinstance(divergence, losses.AbstractFDivergence):
            raise ValueError(
                "`divergence` must be an object of a class of losses.f_divergence but got "
                f"{divergence!r}."
            )
        self.divergence = divergence
        self.alternative = alternative

    def discriminator_loss(self, x: Tensor, *labels: Tensor) -> Objective:
        """-(E g_f(V(x)) - E f*(g_f(V(G(z))))); `divergence_bound` is minus that."""
        x_fake = self.generator(self.noise(len(x)), *labels)
        v_real = self.discriminator(x, *labels)
        v_fake = self.discriminator(x_fake, *labels)
        loss = losses.discriminator_loss(v_real, v_fake, divergence=self.divergence)
        logs = {"divergence_bound": -loss}
        d_real = losses.decision(v_real, divergence=self.divergence)
        d_fake = losses.decision(v_fake, divergence=self.divergence)
        return Objective(loss, d_real, d_fake, x_fake, logs=logs)

    def generator_loss(self, x: Tensor, *labels: Tensor) -> Objective:
        """-E f*(g_f(V(G(z)))), or -E g_f(V(G(z)))."""
        x_fake = self.generator(self.noise(len(x)), *labels)
        v_fake = self.discriminator(x_fake, *labels)
        cost = losses.alternative_generator_loss if self.alternative else losses.generator_loss
        loss = cost(v_fake, divergence=self.divergence)
        d_fake = losses.decision(v_fake, divergence=self.divergence)
        return Objective(loss, d_fake=d_fake, x_fake=x_fake)
