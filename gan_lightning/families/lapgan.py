"""A game on every level of a Laplacian pyramid.

Denton et al. 2015, "Deep Generative Image Models using a Laplacian Pyramid of Adversarial
Networks" (arXiv:1506.05751), section 2.3.

A level's networks are trained on real coarse images and share nothing with another level's. So the
sum of all levels' costs has for its gradient all levels' own gradients, and one step of each player
trains every level as if it were alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, final, runtime_checkable

import torch
from torch import Tensor, nn

from gan_lightning.families._loop import checks
from gan_lightning.families._loop.averaging import evaluating
from gan_lightning.families.base import AbstractAlternatingGAN, Objective
from gan_lightning.losses import goodfellow as losses

Stage = tuple[Tensor, ...]  # what is seen of a level: (h_k, l_k), or (I_K,) of the coarsest


@runtime_checkable
class GeneratesStages(Protocol):
    """A generator with a network for each level; `networks.LaplacianGenerator` is one.

    Attributes:
        levels: K; there are K levels of details and the coarsest one.
    """

    levels: int

    def stages(self, x: Tensor) -> list[Stage]:
        """Real stages `[(h_0, l_0), ..., (I_K,)]` of images: details h_k with coarse images l_k."""

    def fakes(self, z: Tensor, real: Sequence[Stage]) -> list[Stage]:
        """Fake stages `[(G_0(z_0, l_0), l_0), ..., (G_K(z_K),)]` with the real ones' l_k."""


@runtime_checkable
class JudgesStages(Protocol):
    """A discriminator with a network for each level; `networks.LaplacianDiscriminator` is one.

    Its `forward(x)` is the sum of the logits of all stages of x, `(N,)`.
    """

    levels: int

    def judge_stages(self, stages: Sequence[Stage]) -> list[Tensor]:
        """Logits `(N,)` of each stage."""


@final
class LAPGAN(AbstractAlternatingGAN):
    """Images from the coarsest level up: each level's generator adds details to what is there.

    Args:
        *args: As in `AbstractGAN`; the generator must be a `LaplacianGenerator` or offer what
            `GeneratesStages` does, the discriminator likewise.
        **kwargs: As in `AbstractGAN`, without `regularizers`.

    Raises:
        ValueError: When the networks have no levels, or not the same number of them.

    References:
        Deep Generative Image Models using a Laplacian Pyramid of Adversarial Networks (Denton et
        al., 2015) https://arxiv.org/abs/1506.05751
    """

    unconditional_because: ClassVar[str | None] = (
        "its networks are given coarse images where others are given labels"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _require("generator", self.generator, GeneratesStages)
        _require("discriminator", self.discriminator, JudgesStages)
        if self.generator.levels != self.discriminator.levels:
            raise ValueError(
                f"`discriminator` must have the generator's {self.generator.levels} levels but has "
                f"{self.discriminator.levels}."
            )
        if self.regularizers:
            raise ValueError(
                "`regularizers` must be empty for LAPGAN, because a term on whole images would tie "
                f"its levels to each other, but got {type(self.regularizers[0]).__name__}."
            )

    def check_networks(self, x: Tensor, *given: Tensor) -> None:
        """As in the base class, and no level's network may return probabilities.

        Raises:
            ValueError: When the networks do not fit the data or each other.
        """
        super().check_networks(x, *given)
        assert isinstance(self.generator, GeneratesStages)
        with (
            torch.no_grad(),
            evaluating(self.discriminator),
            checks.no_probability(self.discriminator) as returned,
        ):
            returned += self._judge(self.generator.stages(x))

    def discriminator_loss(self, x: Tensor) -> Objective:
        """The sum over the levels of the usual costs: Denton et al., Eq. 1 and 2."""
        real, fake = self._stages(x)
        d_real, d_fake = self._judge(real), self._judge(fake)
        costs = [losses.discriminator_loss(*logits) for logits in zip(d_real, d_fake, strict=True)]
        loss, logs = torch.stack(costs).sum(), _by_level("discriminator", costs)
        return Objective(loss, torch.cat(d_real), torch.cat(d_fake), logs=logs)

    def generator_loss(self, x: Tensor) -> Objective:
        """The sum over the levels of the non-saturating costs."""
        _, fake = self._stages(x)
        d_fake = self._judge(fake)
        costs = [losses.non_saturating_generator_loss(logits) for logits in d_fake]
        loss, logs = torch.stack(costs).sum(), _by_level("generator", costs)
        return Objective(loss, d_fake=torch.cat(d_fake), logs=logs)

    def _stages(self, x: Tensor) -> tuple[list[Stage], list[Stage]]:
        """Real stages of x, and fakes on the same coarse images."""
        assert isinstance(self.generator, GeneratesStages)
        real = self.generator.stages(x)
        return real, self.generator.fakes(self.noise(len(x)), real)

    def _judge(self, stages: list[Stage]) -> list[Tensor]:
        assert isinstance(self.discriminator, JudgesStages)
        return self.discriminator.judge_stages(stages)


def _require(argument: str, network: nn.Module, protocol: type) -> None:
    if not isinstance(network, protocol):
        methods = {
            "generator": "`levels`, `stages(x)` and `fakes(z, real)`",
            "discriminator": "`levels` and `judge_stages(stages)`",
        }
        raise ValueError(
            f"`{argument}` must have {methods[argument]} for LAPGAN, as "
            f"Laplacian{argument.capitalize()} has, but {type(network).__name__} has not."
        )


def _by_level(player: str, costs: list[Tensor]) -> dict[str, Tensor]:
    return {f"loss/{player}_level_{k}": cost for k, cost in enumerate(costs)}
