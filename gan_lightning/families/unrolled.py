"""Metz et al. 2017, "Unrolled Generative Adversarial Networks" (arXiv:1611.02163), Eq. 6 to 11.

The generator answers not the discriminator that stands, but the one that it would become: its
cost is taken after K updates of D, and its gradient goes through them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from gan_lightning.families._loop.players import unique_parameters
from gan_lightning.families.base import AbstractAlternatingGAN, HasRealTarget, Objective
from gan_lightning.losses import goodfellow as losses
from gan_lightning.optim.differentiable import (
    check_differentiable,
    differentiable_update,
    parameters_of,
    state_of,
)

Values = dict[str, Tensor]  # D's parameters and buffers by name


@final
class UnrolledGAN(AbstractAlternatingGAN, HasRealTarget):
    """The zero-sum game against a discriminator that is allowed K more updates.

    D's optimizer must be SGD, Adam or GANAdam: its update is differentiated.

    Args:
        *args: As in `AbstractGAN`.
        unrolling: K, the updates of D that G looks ahead, each on the same samples and noise; 0
            gives the plain zero-sum game.
        real_target: D's target for real samples, 1 - alpha with one-sided label smoothing; in (0,
            1].
        **kwargs: As in `AbstractGAN`.

    Raises:
        ValueError: When an argument is out of range, or one that the inner updates cannot follow.

    References:
        Unrolled Generative Adversarial Networks (Metz et al., 2017)
        https://arxiv.org/abs/1611.02163
    """

    whole_batch_because: ClassVar[str | None] = (
        "the discriminator's inner updates are taken on the whole batch"
    )

    def __init__(
        self, *args: Any, unrolling: int = 5, real_target: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(unrolling, bool) or not isinstance(unrolling, int) or unrolling < 0:
            raise ValueError(f"`unrolling` must be an integer from 0 on but got {unrolling!r}.")
        if self.clip_discriminator is not None:
            raise ValueError(
                "`clip_discriminator` must be None for UnrolledGAN, because the gradients of its "
                f"inner updates are not clipped, but got {self.clip_discriminator}."
            )
        if self.compile_networks:
            raise ValueError(
                "`compile_networks` must be False for UnrolledGAN, because torch.compile has no "
                "second derivatives, but got True."
            )
        self.unrolling = unrolling
        self.real_target = real_target
        self._moving: frozenset[str] | None = None  # D's parameters that its last turn moved

    @property
    def real_target(self) -> float:
        """D's target for reals; `callbacks.LabelSmoothing` sets it."""
        return self._real_target

    @real_target.setter
    def real_target(self, value: float) -> None:
        if not 0 < value <= 1:
            raise ValueError(f"`real_target` must lie in (0, 1] but got {value}.")
        self._real_target = value

    # --- the game --------------------------------------------------------------------------------

    def discriminator_loss(self, x: Tensor, *labels: Tensor) -> Objective:
        """L_D, minus the f of the paper's Eq. 4."""
        self._moving = _not_frozen(self.discriminator)  # in G's turn all of D looks frozen
        x_fake = self.generator(self.noise(len(x)), *labels)
        loss, d_real, d_fake = self._cost(x, x_fake, *labels)
        return Objective(loss, d_real, d_fake, x_fake)

    def generator_loss(self, x: Tensor, *labels: Tensor) -> Objective:
        """The surrogate f_K = -L_D(theta_G, theta_D^K(theta_G)): Eq. 9.

        Its term for reals stays, because theta_D^K depends on G.
        """
        x_fake = self.generator(self.noise(len(x)), *labels)
        with torch.autocast(x.device.type, enabled=False):  # second derivatives, as in penalties
            x_fake = x_fake.to(x.dtype)
            ahead = self.look_ahead(self._optimizer(), x, x_fake, *labels)
            loss, _, d_fake = self._at(ahead, self._cost, x, x_fake, *labels)
        return Objective(-loss, d_fake=d_fake, x_fake=x_fake)

    def look_ahead(
        self, optimizer: Optimizer, x: Tensor, x_fake: Tensor, *labels: Tensor
    ) -> Values:
        """D's parameters theta_D^K (Eq. 6, 7) and buffers after K steps of its optimizer.

        All steps see the same samples. Neither D nor its optimizer is moved.

        Args:
            optimizer: D's, with its moments.
            x: Reals `(N, ...)`.
            x_fake: Fakes `(N, ...)` with a graph to the generator, which the result inherits.
            *labels: Labels `(N,)` of both, in a conditional game.

        Returns:
            All parameters and buffers of D by name.
        """
        moving = _not_frozen(self.discriminator) if self._moving is None else self._moving
        values = _copies(self.discriminator)
        names: dict[Tensor, str] = {p: name for name, p in self.discriminator.named_parameters()}
        of_optimizer = [names[p] for p in parameters_of(optimizer)]
        states = state_of(optimizer)
        for _ in range(self.unrolling):
            cost = self._at(values, self._inner_cost, x, x_fake, *labels)
            wanted = [n for n in of_optimizer if n in moving]
            found = torch.autograd.grad(
                cost, [values[n] for n in wanted], create_graph=True, allow_unused=True
            )
            gradients = dict(zip(wanted, found, strict=True))
            params, states = differentiable_update(
                optimizer,
                [values[n] for n in of_optimizer],
                [gradients.get(n) for n in of_optimizer],
                states,
            )
            values |= dict(zip(of_optimizer, params, strict=True))
        return values

    def _cost(self, x: Tensor, x_fake: Tensor, *labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """L_D, and D's logits of reals and fakes."""
        d_real = self.judge(*self.inputs(x, *labels))
        d_fake = self.judge(x_fake, *labels)
        loss = losses.discriminator_loss(d_real, d_fake, real_target=self.real_target)
        return loss, d_real, d_fake

    def _inner_cost(self, x: Tensor, x_fake: Tensor, *labels: Tensor) -> Tensor:
        """What D minimises, its regularizers included."""
        cost, _, _ = self._cost(x, x_fake, *labels)
        for regularizer in self.regularizers:
            if regularizer.player == "discriminator":
                fake = (x_fake, *labels)
                cost = cost + regularizer.penalty(self, self.inputs(x, *labels), fake)
        return cost

    def _at(self, values: Values, function: Callable[..., Any], *inputs: Tensor) -> Any:
        """A function of the game, computed with other parameters and buffers in D's place."""
        in_place = {f"discriminator.{name}": value for name, value in values.items()}
        return functional_call(_Game(self.discriminator, function), in_place, inputs)

    def _optimizer(self) -> Optimizer:
        """D's optimizer; outside of a fit a new one, which has no moments."""
        if self._run is not None:
            return self._run.discriminator.optimizer.optimizer
        return self.discriminator_optimizer(unique_parameters(self.discriminator_modules()))

    # --- what it refuses -------------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        """Refuse several processes; then as in `AbstractGAN`."""
        super().setup(stage)
        if stage == "fit" and self.trainer.world_size > 1:
            raise ValueError(
                "`devices` must be 1 for UnrolledGAN, because its inner updates are not "
                f"synchronised, but got {self.trainer.world_size} processes."
            )

    def configure_optimizers(self) -> tuple[list[Optimizer], list[Any]]:
        """As in `AbstractGAN`, and refuse an optimizer of D that cannot be differentiated."""
        optimizers, schedules = super().configure_optimizers()
        check_differentiable(optimizers[0], argument="discriminator_optimizer")
        return optimizers, schedules


class _Game(nn.Module):
    """Makes a method of the game a forward pass, in which `functional_call` replaces D's tensors.

    The method reaches D through the family, and D is the same object here and there.
    """

    def __init__(self, discriminator: nn.Module, function: Callable[..., Any]) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*inputs)


def _not_frozen(discriminator: nn.Module) -> frozenset[str]:
    return frozenset(n for n, p in discriminator.named_parameters() if p.requires_grad)


def _copies(discriminator: nn.Module) -> Values:
    """Leaves for the parameters; clones of the buffers, which batch norm moves in place."""
    values = {n: p.detach().requires_grad_() for n, p in discriminator.named_parameters()}
    return values | {n: b.detach().clone() for n, b in discriminator.named_buffers()}
