"""What a rollback changes, so that the same failure does not come again."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, final, runtime_checkable
from weakref import WeakKeyDictionary

import lightning
from torch.optim import Optimizer

from gan_lightning.callbacks._arguments import positive
from gan_lightning.callbacks._trainer import callbacks_of
from gan_lightning.callbacks.annealing import GammaAnnealing, HasGamma
from gan_lightning.families.base import AbstractGAN

__all__ = ["AbstractChange", "ScaleLearningRates", "ScalePenalty", "SetDiscriminatorSteps"]

_RATES = ("lr", "initial_lr", "max_lr", "min_lr")  # the last two: OneCycleLR, CyclicLR
_BASES = ("base_lrs", "max_lrs", "_last_lr")
# What families were configured with, before anything was changed: for a new fit of the same one.
_steps_before: WeakKeyDictionary[AbstractGAN, int] = WeakKeyDictionary()
_weights_before: WeakKeyDictionary[AbstractGAN, list[float]] = WeakKeyDictionary()


class AbstractChange(ABC):
    """Something that is changed after a rollback, on every rank alike."""

    @abstractmethod
    def apply(self, trainer: lightning.Trainer, module: AbstractGAN) -> str:
        """Change it.

        Returns:
            What was changed, with the values before and after.
        """

    def start(self, trainer: lightning.Trainer, module: AbstractGAN) -> None:  # noqa: B027
        """Called when training starts: the time to refuse a family that has nothing to change.

        A new run begins with what the family was configured with.
        """

    def state(self, module: AbstractGAN) -> dict[str, Any]:
        """The values of now that no checkpoint holds otherwise, as plain types."""
        return {}

    def restore(self, module: AbstractGAN, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Put them back when a run is resumed."""


@final
class ScaleLearningRates(AbstractChange):
    """Multiply the players' learning rates, schedules included.

    Args:
        generator: Factor for G's, positive.
        discriminator: Factor for D's, positive.

    Raises:
        ValueError: If a factor is not a positive number.
    """

    def __init__(self, generator: float = 0.5, discriminator: float = 0.5) -> None:
        self.generator = _factor("generator", generator)
        self.discriminator = _factor("discriminator", discriminator)

    def apply(self, trainer: lightning.Trainer, module: AbstractGAN) -> str:
        """Scale the rates of now and those that schedules start from."""
        d, g = trainer.optimizers  # see `AbstractGAN.configure_optimizers`
        players = (
            ("generator", g, module.generator_schedule, self.generator),
            ("discriminator", d, module.discriminator_schedule, self.discriminator),
        )
        words = []
        for name, optimizer, schedule, factor in players:
            if factor == 1:
                continue
            before = _shown(optimizer)
            for group in optimizer.param_groups:
                group.update({rate: factor * group[rate] for rate in _RATES if rate in group})
            if schedule is not None:
                _scale_bases(schedule, factor)
            words.append(f"{name}'s learning rate {before} -> {_shown(optimizer)}")
        return ", ".join(words) or "no learning rate changed"


@runtime_checkable
class HasWeight(Protocol):
    """A regularizer with a weight `weight`, as GradientPenalty."""

    weight: float


@runtime_checkable
class Penalty(Protocol):
    """A term in a player's loss, by its name in the log."""

    name: str

    def penalty(self, game: Any, real: Any, fake: Any) -> Any:
        """Return the term."""


@final
class ScalePenalty(AbstractChange):
    """Multiply the weights of a family's penalties: R1, R2 and GradientPenalty, WGANGP's included.

    Args:
        factor: Positive.
        name: Which one, such as "r1", "r2" or "gradient_penalty"; None takes all.

    Raises:
        ValueError: If the factor is not a positive number or, when training starts, if the family
            has no such penalty or a callback anneals its weight.
    """

    def __init__(self, factor: float = 10.0, name: str | None = None) -> None:
        self.factor = _factor("factor", factor)
        self.name = name

    def start(self, trainer: lightning.Trainer, module: AbstractGAN) -> None:
        """Refuse a family without such a penalty.

        Raises:
            ValueError: Then, and if `GammaAnnealing` would set the weight anew in each step.
        """
        found = [penalty.name for penalty in _penalties(module)]
        chosen = list(self._chosen(module))
        if not chosen:
            wanted = "a penalty with a weight" if self.name is None else f"a penalty '{self.name}'"
            raise ValueError(
                f"`ScalePenalty` needs a family with {wanted}, got {type(module).__name__} with "
                f"{found}."
            )
        annealed = any(isinstance(c, GammaAnnealing) for c in callbacks_of(trainer))
        if annealed and any(isinstance(penalty, HasGamma) for penalty in chosen):
            raise ValueError(
                "`ScalePenalty` needs a weight that stays what it is set to, but GammaAnnealing "
                f"sets that of {chosen[0].name} in every step."
            )
        if trainer.global_step == 0 and module in _weights_before:
            for penalty, weight in zip(
                _penalties(module), _weights_before.pop(module), strict=True
            ):
                _set_weight(penalty, weight)

    def apply(self, trainer: lightning.Trainer, module: AbstractGAN) -> str:
        """Scale the weights."""
        words = []
        self._remember(module)
        for penalty in self._chosen(module):
            before = _weight(penalty)
            _set_weight(penalty, self.factor * before)
            words.append(f"weight of {penalty.name} {before:g} -> {_weight(penalty):g}")
        return ", ".join(words)

    def state(self, module: AbstractGAN) -> dict[str, Any]:
        """All weights, by the penalties' names in order."""
        return {"weights": [[p.name, _weight(p)] for p in self._chosen(module)]}

    def restore(self, module: AbstractGAN, state: Mapping[str, Any]) -> None:
        """Set them; what the family does not have any more is left out."""
        self._remember(module)
        for penalty, (name, weight) in zip(
            self._chosen(module), state.get("weights", []), strict=False
        ):
            if penalty.name == name:
                _set_weight(penalty, weight)

    def _remember(self, module: AbstractGAN) -> None:
        _weights_before.setdefault(module, [_weight(penalty) for penalty in _penalties(module)])

    def _chosen(self, module: AbstractGAN) -> Iterator[Penalty]:
        return (p for p in _penalties(module) if self.name in (None, p.name))


@final
class SetDiscriminatorSteps(AbstractChange):
    """Set how many updates D makes per generator update.

    Args:
        discriminator_steps: At least 1.

    Raises:
        ValueError: If it is out of range.
    """

    def __init__(self, discriminator_steps: int) -> None:
        self.discriminator_steps = positive("discriminator_steps", discriminator_steps)

    def start(self, trainer: lightning.Trainer, module: AbstractGAN) -> None:
        """Undo what was set in an earlier fit."""
        if trainer.global_step == 0 and module in _steps_before:
            module.discriminator_steps = _steps_before.pop(module)

    def apply(self, trainer: lightning.Trainer, module: AbstractGAN) -> str:
        """Set it; a generator update is due when D's updates are a multiple of it."""
        before = module.discriminator_steps
        _steps_before.setdefault(module, before)
        module.discriminator_steps = self.discriminator_steps
        return f"discriminator steps {before} -> {self.discriminator_steps}"

    def state(self, module: AbstractGAN) -> dict[str, Any]:
        """The number of now."""
        return {"discriminator_steps": module.discriminator_steps}

    def restore(self, module: AbstractGAN, state: Mapping[str, Any]) -> None:
        """Set it again."""
        _steps_before.setdefault(module, module.discriminator_steps)
        module.discriminator_steps = state["discriminator_steps"]


def _factor(name: str, value: float) -> float:
    if isinstance(value, bool) or not 0 < value < math.inf:
        raise ValueError(f"`{name}` must be a positive number, got {value!r}.")
    return value


def _shown(optimizer: Optimizer) -> str:
    rates = dict.fromkeys(f"{float(group['lr']):.3g}" for group in optimizer.param_groups)
    return "/".join(rates)


def _scale_bases(schedule: Any, factor: float) -> None:
    """Scale what a schedule computes rates from, in those that it is made of as well."""
    for name in _BASES:
        if hasattr(schedule, name):
            setattr(schedule, name, [factor * rate for rate in getattr(schedule, name)])
    for inner in getattr(schedule, "_schedulers", ()):  # SequentialLR, ChainedScheduler
        _scale_bases(inner, factor)


def _penalties(module: AbstractGAN) -> Iterator[Penalty]:
    """A family's regularizers that have a weight, and those that it holds itself, each once."""
    own = [value for value in vars(module).values() if isinstance(value, Penalty)]
    every: list[object] = [*module.regularizers, *own]
    for candidate in {id(p): p for p in every}.values():
        if isinstance(candidate, Penalty) and isinstance(candidate, HasGamma | HasWeight):
            yield candidate


def _weight(penalty: Penalty) -> float:
    if isinstance(penalty, HasGamma):
        return penalty.gamma
    assert isinstance(penalty, HasWeight)  # see `_penalties`
    return penalty.weight


def _set_weight(penalty: Penalty, value: float) -> None:
    if isinstance(penalty, HasGamma):
        penalty.gamma = value
    elif isinstance(penalty, HasWeight):
        penalty.weight = value
