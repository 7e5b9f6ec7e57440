"""What lasts as long as one fit: the players, the average, what is to be logged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.optim import Optimizer

from gan_lightning.families._loop import checks
from gan_lightning.families._loop.averaging import Averager
from gan_lightning.families._loop.players import Player, unique_parameters

if TYPE_CHECKING:
    from gan_lightning.families._loop.state import AbstractGAN


class Finite:
    """Notices NaN and infinity in the data without waiting for a device in every step.

    On a CPU a bad batch is refused before anybody learns from it; on a device when the next row is
    logged or the next checkpoint written, so that none is written of networks that have seen it.
    """

    def __init__(self, wait: bool) -> None:
        self._wait = wait  # for the device, in every step
        self._total: Tensor | None = None

    def see(self, x: Tensor) -> None:
        """Remember a batch by its sum, which is finite only if the batch is."""
        total = x.sum(dtype=torch.float32)
        if self._wait:
            checks.finite(total)
        else:  # NaN and infinity minus infinity stay
            self._total = total - total if self._total is None else self._total + (total - total)

    def settle(self) -> None:
        """Refuse what was seen since the fit began."""
        if self._total is not None:
            checks.finite(self._total)


@dataclass
class Run:
    """State of one fit that no checkpoint needs."""

    discriminator: Player
    generator: Player
    averagers: Sequence[Averager]
    scaler: torch.amp.GradScaler | None
    world_size: int
    rank: int
    dtype: torch.dtype
    log_every_n_steps: int
    finite: Finite
    checked: int = 0  # samples in the batch that was checked last
    logging: bool = False
    row: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, Tensor] = field(default_factory=dict)  # sums since the last row
    counted: int = 0  # G updates since the last row

    @classmethod
    def of(cls, module: AbstractGAN) -> Run:
        """Gather it from a module that a trainer is about to train."""
        optimizers = module.optimizers()
        assert isinstance(optimizers, list)  # D's and G's, see configure_optimizers
        d_optimizer, g_optimizer = optimizers
        discriminator = Player(
            "discriminator",
            unique_parameters(module.discriminator_modules()),
            d_optimizer,
            module.discriminator_schedule,
            module.clip_discriminator,
        )
        generator = Player(
            "generator",
            unique_parameters(module.generator_modules()),
            g_optimizer,
            module.generator_schedule,
            module.clip_generator,
        )
        return cls(
            discriminator,
            generator,
            [Averager(average, network) for average, network in module.averages()],
            getattr(module.trainer.precision_plugin, "scaler", None),
            module.trainer.world_size,
            module.global_rank,
            next(module.generator.parameters()).dtype,
            module.trainer.log_every_n_steps,  # type: ignore[attr-defined]  # set by a connector
            Finite(wait=module.device.type == "cpu"),
        )

    @property
    def log_dtype(self) -> torch.dtype:
        """Rows of a float64 run keep their precision."""
        return torch.float64 if self.dtype == torch.float64 else torch.float32

    def other(self, player: Player) -> Player:
        """The player who waits while `player` moves."""
        return self.generator if player is self.discriminator else self.discriminator

    def logs_step(self, step: int) -> bool:
        """Whether a row is due at this step; a trainer's 0 means never."""
        return self.log_every_n_steps > 0 and step % self.log_every_n_steps == 0

    def note(self, scalars: dict[str, Tensor], share: float) -> None:
        """Gather a (micro-)batch's scalars for the row; what D's turn said of its fakes stays.

        D's turn comes first, and its `logits/fake` and `sign/fake` are the ones that belong beside
        `logits/real`: the same D, at the same moment.
        """
        player = next(iter(scalars))  # loss/<player>
        for name, value in scalars.items():
            if player == "loss/generator" and name in ("logits/fake", "sign/fake"):
                continue
            old = self.row.get(name)
            self.row[name] = value * share if old is None else old + value * share

    def count(self, counts: dict[str, Tensor], share: float) -> None:
        """Gather what is averaged over all updates, not only those that are logged."""
        for name, value in counts.items():
            self.counts[name] = self.counts.get(name, 0.0) + share * value.detach()

    def take_counts(self) -> None:
        """Put the means since the last row into the row."""
        self.row.update((name, total / self.counted) for name, total in self.counts.items())
        self.counts, self.counted = {}, 0

    def loss_scale(self) -> float:
        """The factor on the losses under 16-mixed precision, else 1."""
        return 1.0 if self.scaler is None else self.scaler.get_scale()

    def remaining_scale(self, optimizer: Optimizer) -> float:
        """What a gradient is still scaled by before a step (fused optimizers unscale inside)."""
        fused = getattr(optimizer, "_step_supports_amp_scaling", False)
        return self.loss_scale() if fused else 1.0
