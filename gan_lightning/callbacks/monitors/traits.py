"""What advice asks a game about: its traits and settings, never its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.optim import Optimizer

from gan_lightning.families.base import AbstractGAN


@runtime_checkable
class ClipsWeights(Protocol):
    """A critic whose weights stay in [-clip, clip] (Arjovsky et al. 2017)."""

    clip: float


@runtime_checkable
class LooksAhead(Protocol):
    """A generator that plays against D's next updates (Metz et al. 2017)."""

    unrolling: int


@runtime_checkable
class HasGeneratorCost(Protocol):
    """A family whose generator's cost is a function of D's logits of fakes alone."""

    def generator_cost(self, d_fake: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The cost, and what is counted."""


@runtime_checkable
class JudgesStages(Protocol):
    """A discriminator of a pyramid, which takes neither packs nor penalties on whole images."""

    def judge_stages(self, stages: Sequence[Any]) -> list[Tensor]:
        """Logits of each level."""


@runtime_checkable
class Penalty(Protocol):
    """A term of a player's cost."""

    name: str
    player: str

    def penalty(self, game: Any, real: Any, fake: Any) -> Tensor:
        """The term."""


def penalties(module: AbstractGAN) -> list[str]:
    """Names of the terms on D, those that the family brings itself included."""
    own = [value for value in vars(module).values() if isinstance(value, Penalty)]
    terms = [term for term in (*module.regularizers, *own) if isinstance(term, Penalty)]
    return [term.name for term in terms if term.player == "discriminator"]


def is_pyramid(module: AbstractGAN) -> bool:
    """Whether there is a discriminator for each resolution."""
    return isinstance(module.discriminator, JudgesStages)


def has_two_networks(module: AbstractGAN) -> bool:
    """Whether the game is one of two plain networks, which another objective could train."""
    players = (*module.generator_modules(), *module.discriminator_modules())
    special = module.always_conditional or module.unpacked_because is not None or is_pyramid(module)
    return len(players) == 2 and module.uses_labels == module.conditional and not special


def saturates(module: AbstractGAN) -> bool:
    """Whether G's cost has hardly a gradient at fakes that D is sure about."""
    if not isinstance(module, HasGeneratorCost):
        return False
    with torch.enable_grad():
        logit = torch.full((1,), -10.0, requires_grad=True)
        (gradient,) = torch.autograd.grad(module.generator_cost(logit)[0], logit)
    return bool(gradient.abs() < 0.01)


def layers(networks: Sequence[nn.Module]) -> Iterator[nn.Module]:
    """All modules inside of some networks."""
    for network in networks:
        yield from network.modules()


def largest_kernel(module: AbstractGAN) -> int:
    """The longest side of all convolutions; 0 without any."""
    every = layers((*module.generator_modules(), *module.discriminator_modules()))
    return max((max(m.kernel_size) for m in every if isinstance(m, _ConvNd)), default=0)


def discriminator_has(module: AbstractGAN, kind: type) -> bool:
    """Whether D has a layer of a class."""
    return any(isinstance(layer, kind) for layer in layers(module.discriminator_modules()))


def optimizers(module: AbstractGAN) -> dict[str, Optimizer]:
    """Both optimizers by player while a trainer has the module, else none."""
    try:
        return dict(zip(("discriminator", "generator"), module.trainer.optimizers, strict=False))
    except RuntimeError:  # no trainer
        return {}


def setting(module: AbstractGAN, player: str, name: str) -> Any:
    """An entry of the first group of a player's optimizer; None if it is not known."""
    optimizer = optimizers(module).get(player)
    return None if optimizer is None else optimizer.param_groups[0].get(name)
