"""The original game and its two other generator costs.

Goodfellow et al. 2014, "Generative Adversarial Networks" (arXiv:1406.2661), Algorithm 1 and Eq. 1;
Goodfellow 2016, "NIPS 2016 Tutorial" (arXiv:1701.00160), Eq. 8, 10 (minimax), 13 (non-saturating)
and 14 (maximum likelihood). The three families share the discriminator and differ in one line,
the generator's cost. All costs are written on logits and without the factor 1/2 that some texts
carry.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, final

from torch import Tensor

from gan_lightning.families.base import AbstractAlternatingGAN, HasRealTarget, Objective
from gan_lightning.losses import goodfellow as losses


class AbstractGoodfellowGAN(AbstractAlternatingGAN, HasRealTarget):
    """Discriminator of the 2014 game; a family adds the generator's cost.

    Args:
        *args: As in `AbstractGAN`.
        real_target: D's target for real samples, 1 - alpha with one-sided label smoothing; in (0,
            1].
        fake_target: D's target for fakes, beta; in [0, 1). Anything but 0 bends the optimal
            discriminator towards the generator's own old samples (Goodfellow 2016, section 4.2).
        **kwargs: As in `AbstractGAN`.

    Raises:
        ValueError: When a target is out of range, or `fake_target` is not below `real_target`.
    """

    def __init__(
        self, *args: Any, real_target: float = 1.0, fake_target: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if not 0 <= fake_target < 1:
            raise ValueError(f"`fake_target` must lie in [0, 1) but got {fake_target}.")
        self.fake_target = fake_target
        self.real_target = real_target

    @property
    def real_target(self) -> float:
        """D's target for reals; `callbacks.LabelSmoothing` sets it."""
        return self._real_target

    @real_target.setter
    def real_target(self, value: float) -> None:
        if not self.fake_target < value <= 1:
            raise ValueError(
                f"`real_target` must lie in (fake_target = {self.fake_target}, 1] but got {value}."
            )
        self._real_target = value

    def discriminator_loss(self, x: Tensor, *labels: Tensor) -> Objective:
        """Cross-entropy of D on reals and fakes, normalised (batch norm) apart from each other."""
        x_fake = self.generator(self.noise(len(x)), *labels)
        d_real = self.discriminator(x, *labels)
        d_fake = self.discriminator(x_fake, *labels)
        loss = losses.discriminator_loss(
            d_real, d_fake, real_target=self.real_target, fake_target=self.fake_target
        )
        return Objective(loss, d_real, d_fake, x_fake)

    def generator_loss(self, x: Tensor, *labels: Tensor) -> Objective:
        """The generator's cost on fresh fakes."""
        x_fake = self.generator(self.noise(len(x)), *labels)
        d_fake = self.discriminator(x_fake, *labels)
        loss, counts = self.generator_cost(d_fake)
        return Objective(loss, d_fake=d_fake, x_fake=x_fake, counts=counts)

    @abstractmethod
    def generator_cost(self, d_fake: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Cost of logits `(N,)` or `(N, 1)` of fakes, and what is to be counted for the log."""


@final
class MinimaxGAN(AbstractGoodfellowGAN):
    """The zero-sum game: G minimises E log(1 - D(G(z))), whose gradient dies when D wins.

    References:
        Goodfellow et al. 2014, Eq. 1. https://arxiv.org/abs/1406.2661
    """

    def generator_cost(self, d_fake: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """L_G = -E softplus(l_fake), minus D's own term for fakes."""
        return losses.minimax_generator_loss(d_fake), {}


@final
class NonSaturatingGAN(AbstractGoodfellowGAN):
    """The usual GAN: G minimises -E log D(G(z)), whose gradient stays alive when D wins.

    References:
        Goodfellow et al. 2014, section 3; Goodfellow 2016, Eq. 13.
        https://arxiv.org/abs/1701.00160
    """

    def generator_cost(self, d_fake: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """L_G = E softplus(-l_fake)."""
        return losses.non_saturating_generator_loss(d_fake), {}


@final
class MaximumLikelihoodGAN(AbstractGoodfellowGAN):
    """G minimises -E exp(l_fake): at the optimal D its gradient is that of KL(p_data || p_g).

    A few samples with large logits carry all of the gradient, so its variance is high. Above a
    logit of 20 the cost goes on as its tangent, which caps a sample's gradient at e^20; `clamped`
    in the log is the share of logits on which that acts.

    References:
        Goodfellow 2016, Eq. 14. https://arxiv.org/abs/1701.00160
    """

    def generator_cost(self, d_fake: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """L_G = -E exp(l_fake), with its tangent above the clamp."""
        loss, clamped = losses.maximum_likelihood_generator_loss(d_fake)
        return loss, {"clamped": clamped}
