"""The two players of a game: their parameters, optimizer and schedule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from lightning.pytorch.cli import LRSchedulerCallable
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau


@dataclass
class Player:
    """One player while a run lasts; the lists are walked once, not in every step.

    Attributes:
        name: "discriminator" or "generator".
        parameters: All parameters of the player's networks and heads, frozen ones included.
        optimizer: As Lightning wraps it.
        scheduler: Steps once per update of this player, or None.
        clip: Largest norm of the player's gradient, or None.
    """

    name: str
    parameters: Sequence[nn.Parameter]
    optimizer: LightningOptimizer
    scheduler: LRScheduler | None
    clip: float | None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """No gradients for this player's parameters; afterwards each one is as it was.

        Saves the weight gradients that nobody uses, and makes the fakes of D's turn without a
        graph.
        """
        moving = [p for p in self.parameters if p.requires_grad]
        try:
            for p in moving:
                p.requires_grad = False
            yield
        finally:
            for p in moving:
                p.requires_grad = True

    def forget_gradients(self) -> None:
        """What `optimizer.zero_grad()` does, without its profiling, which costs more than it."""
        for p in self.parameters:
            p.grad = None

    def gradients(self) -> list[Tensor]:
        """The gradients that the last backward pass left."""
        return [p.grad for p in self.parameters if p.grad is not None]

    def clip_and_measure(self) -> Tensor:
        """Clip the gradient to `clip`, if there is one; return the norm before clipping."""
        gradients = self.gradients()
        norm = torch.nn.utils.get_total_norm(gradients)
        if self.clip is not None:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, self.clip, norm)
        return norm


def unique_parameters(modules: Sequence[nn.Module]) -> list[nn.Parameter]:
    """Parameters of all modules in order, each one once."""
    return list(dict.fromkeys(p for module in modules for p in module.parameters()))


def make_scheduler(
    argument: str, make: LRSchedulerCallable | None, optimizer: torch.optim.Optimizer
) -> LRScheduler | None:
    """A player's learning rate schedule.

    Raises:
        ValueError: For a schedule that follows a metric, because it would need one in every
            update.
    """
    if make is None:
        return None
    scheduler = make(optimizer)
    if isinstance(scheduler, ReduceLROnPlateau):
        raise ValueError(
            f"`{argument}` must depend on the player's updates alone but got ReduceLROnPlateau, "
            "which follows a metric."
        )
    return scheduler
