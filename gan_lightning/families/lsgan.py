"""Least squares GAN: Mao et al. 2017 (arXiv:1611.04076), Eq. 2, without its factors 1/2.

D regresses to b on reals and to a on fakes, and G wants D to answer c. A fake that D classifies
rightly, but far from the boundary, still has a gradient.
"""

from __future__ import annotations

import math
from typing import Any, final

from torch import Tensor

from gan_lightning.families.base import AbstractAlternatingGAN, HasRealTarget, Objective
from gan_lightning.losses import least_squares as losses


@final
class LSGAN(AbstractAlternatingGAN, HasRealTarget):
    """Both players minimise squared distances of D's answers to their targets.

    With (a, b, c) = (-1, 1, 0), or any b - c = 1 and b - a = 2, G against the optimal D minimises
    the Pearson chi-square divergence of p_data + p_g from 2 p_g, but for a term of the reals that
    it cannot move (Mao et al. 2017, section 3.2).

    Args:
        *args: As in `AbstractGAN`.
        fake_target: a, D's target for fakes.
        real_target: b, D's target for reals, above a; `callbacks.LabelSmoothing` moves this one.
        generator_target: c, what G wants D to answer to its fakes, above a.
        **kwargs: As in `AbstractGAN`.

    Raises:
        ValueError: When a target is not a number, or b or c is not above a.

    References:
        Least Squares Generative Adversarial Networks (Mao et al., 2017).
        https://arxiv.org/abs/1611.04076
    """

    def __init__(
        self,
        *args: Any,
        fake_target: float = 0.0,
        real_target: float = 1.0,
        generator_target: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if not math.isfinite(fake_target):
            raise ValueError(f"`fake_target` must be a finite number but got {fake_target}.")
        self.fake_target = fake_target
        self.real_target = real_target
        self.generator_target = self._above_fakes("generator_target", generator_target)

    @property
    def real_target(self) -> float:
        """b; `callbacks.LabelSmoothing` sets it."""
        return self._real_target

    @real_target.setter
    def real_target(self, value: float) -> None:
        self._real_target = self._above_fakes("real_target", value)

    def _above_fakes(self, name: str, value: float) -> float:
        if not self.fake_target < value < math.inf:
            raise ValueError(
                f"`{name}` must be a finite number above fake_target = {self.fake_target}, because "
                f"larger answers mean 'real', but got {value}."
            )
        return value

    def discriminator_loss(self, x: Tensor, *labels: Tensor) -> Objective:
        """E (D(x) - b)^2 + E (D(G(z)) - a)^2."""
        x_fake = self.generator(self.noise(len(x)), *labels)
        d_real = self.discriminator(x, *labels)
        d_fake = self.discriminator(x_fake, *labels)
        loss = losses.discriminator_loss(
            d_real, d_fake, real_target=self.real_target, fake_target=self.fake_target
        )
        return Objective(loss, d_real, d_fake, x_fake)

    def generator_loss(self, x: Tensor, *labels: Tensor) -> Objective:
        """E (D(G(z)) - c)^2."""
        x_fake = self.generator(self.noise(len(x)), *labels)
        d_fake = self.discriminator(x_fake, *labels)
        loss = losses.generator_loss(d_fake, generator_target=self.generator_target)
        return Objective(loss, d_fake=d_fake, x_fake=x_fake)
