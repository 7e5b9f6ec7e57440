"""Schedules of numbers that are not learning rates: Huang et al. 2024, arXiv:2501.05441.

R3GAN lets the weight of R1 and R2 and Adam's second beta follow cosines over the first part of the
run. The values are functions of `trainer.global_step` alone: nothing is saved, and a resumed run
goes on with exactly the value that it would have had.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, Literal, Protocol, final, runtime_checkable

import lightning
from lightning.pytorch.callbacks import Callback

from gan_lightning.callbacks._arguments import positive
from gan_lightning.families.base import AbstractGAN

Shape = Literal["cosine", "log"]


@runtime_checkable
class HasGamma(Protocol):
    """A regularizer with a weight `gamma`, as R1 and R2."""

    gamma: float


def annealed(step: int, start: float, stop: float, steps: int, shape: Shape) -> float:
    """The value at a step: `start` at 0, `stop` from `steps` on.

    Args:
        step: Generator updates so far.
        start: Value at the beginning.
        stop: Value at the end.
        steps: Generator updates from one to the other.
        shape: "cosine" is flat at both ends; "log" is geometric, a straight line on a log axis.
    """
    if step >= steps:
        return stop
    if shape == "log":
        return float(start * (stop / start) ** (step / steps))
    return stop + (start - stop) * (1 + math.cos(math.pi * step / steps)) / 2


class AbstractAnnealing(Callback):
    """Sets a number before each batch; a subclass says which one."""

    @final
    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Set the value of this step, for both players."""
        assert isinstance(pl_module, AbstractGAN)  # see `setup`
        self.apply(pl_module, self.value(trainer.global_step))

    @abstractmethod
    def value(self, step: int) -> float:
        """The value after so many generator updates."""

    @abstractmethod
    def apply(self, module: AbstractGAN, value: float) -> None:
        """Set it."""


@final
class GammaAnnealing(AbstractAnnealing):
    """Lower (or raise) the weight `gamma` of all regularizers that have one, R1 and R2.

    A strong penalty in the beginning keeps the players calm, a weak one at the end lets D resolve
    details.

    Args:
        start: gamma at the first step, positive.
        stop: gamma from step `steps` on, positive.
        steps: Generator updates between them.
        shape: "cosine", as in R3GAN, or "log", geometric.

    Raises:
        ValueError: If an argument is out of range, or when the fit is set up with a module without
            such a regularizer.

    References:
        The GAN is dead; long live the GAN! (Huang et al., 2024)
        https://arxiv.org/abs/2501.05441
    """

    def __init__(self, start: float, stop: float, steps: int, shape: Shape = "cosine") -> None:
        super().__init__()
        for name, value in {"start": start, "stop": stop}.items():
            if not 0 < value < math.inf:
                raise ValueError(f"`{name}` must be a positive number, got {value}.")
        self.start, self.stop = start, stop
        self.steps = positive("steps", steps)
        self.shape = _known(shape)

    def setup(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        """Refuse a module that has no gamma."""
        regularizers = pl_module.regularizers if isinstance(pl_module, AbstractGAN) else ()
        if not any(isinstance(r, HasGamma) for r in regularizers):
            raise ValueError(
                "`GammaAnnealing` needs a family with a regularizer that has a `gamma`, such as R1 "
                f"or R2, got {type(pl_module).__name__} with "
                f"{[type(r).__name__ for r in regularizers]}."
            )

    def value(self, step: int) -> float:
        """Gamma after so many generator updates."""
        return annealed(step, self.start, self.stop, self.steps, self.shape)

    def apply(self, module: AbstractGAN, value: float) -> None:
        """Set it in every regularizer that has one."""
        for regularizer in module.regularizers:
            if isinstance(regularizer, HasGamma):
                regularizer.gamma = value


@final
class Beta2Annealing(AbstractAnnealing):
    """Raise (or lower) Adam's second beta in both players' optimizers.

    A small one in the beginning follows the fast changes of the gradients' size, a large one at the
    end averages over more steps.

    Args:
        start: beta2 at the first step, in [0, 1).
        stop: beta2 from step `steps` on, in [0, 1).
        steps: Generator updates between them.
        shape: "cosine", as in R3GAN, or "log", in which 1 - beta2 is geometric: the number of steps
            that Adam averages over, 1 / (1 - beta2), grows by the same factor per step.

    Raises:
        ValueError: If an argument is out of range, or when the fit is set up with another module
            than a GAN or starts with an optimizer without betas.

    References:
        The GAN is dead; long live the GAN! (Huang et al., 2024)
        https://arxiv.org/abs/2501.05441
    """

    def __init__(self, start: float, stop: float, steps: int, shape: Shape = "cosine") -> None:
        super().__init__()
        for name, value in {"start": start, "stop": stop}.items():
            if not 0 <= value < 1:
                raise ValueError(f"`{name}` must be in [0, 1), got {value}.")
        self.start, self.stop = start, stop
        self.steps = positive("steps", steps)
        self.shape = _known(shape)

    def setup(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        """Refuse a module that is no GAN; its optimizers are made later."""
        if not isinstance(pl_module, AbstractGAN):
            raise ValueError(f"`Beta2Annealing` needs a GAN, got {type(pl_module).__name__}.")

    def on_fit_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Refuse an optimizer without betas."""
        for optimizer in trainer.optimizers:
            if any(len(group.get("betas", ())) != 2 for group in optimizer.param_groups):
                raise ValueError(
                    "`Beta2Annealing` needs optimizers with two betas, such as Adam, got "
                    f"{type(optimizer).__name__}."
                )

    def value(self, step: int) -> float:
        """beta2 after so many generator updates."""
        if self.shape == "log":
            return 1 - annealed(step, 1 - self.start, 1 - self.stop, self.steps, "log")
        return annealed(step, self.start, self.stop, self.steps, "cosine")

    def apply(self, module: AbstractGAN, value: float) -> None:
        """Set it in every parameter group of both optimizers."""
        for optimizer in module.trainer.optimizers:
            for group in optimizer.param_groups:
                group["betas"] = (group["betas"][0], value)


def _known(shape: Shape) -> Shape:
    if shape not in ("cosine", "log"):
        raise ValueError(f"`shape` must be 'cosine' or 'log', got {shape!r}.")
    return shape
