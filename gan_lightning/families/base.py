"""The game loop: one concrete `training_step`, so that a family holds nothing but its game.

A family supplies `discriminator_loss` and `generator_loss`; who moves when, what is drawn for
whom, how gradients become updates and what is logged stands here and nowhere else.

A *step* is a generator update everywhere: in `trainer.global_step`, `max_steps`, the names of
checkpoints and the loggers' x-axis. Lightning counts every step taken through a
`LightningOptimizer`, so only the generator steps through one; the discriminator goes through
`trainer.strategy.optimizer_step`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

import torch
from lightning.pytorch.strategies import ParallelStrategy
from torch import Tensor
from torch.optim import Optimizer

from gan_lightning.families._loop import checks, conditions
from gan_lightning.families._loop.averaging import decay, evaluating
from gan_lightning.families._loop.batches import unpack
from gan_lightning.families._loop.draws import Draws, Purpose, Window, seeded_layers
from gan_lightning.families._loop.objective import Objective
from gan_lightning.families._loop.players import Player
from gan_lightning.families._loop.ranks import mean_over_ranks
from gan_lightning.families._loop.resume import read_checkpoint
from gan_lightning.families._loop.run import Run
from gan_lightning.families._loop.state import AbstractGAN, HasRealTarget

__all__ = [
    "AbstractAlternatingGAN",
    "AbstractGAN",
    "HasRealTarget",
    "Objective",
    "read_checkpoint",
]

Given = tuple[Tensor, ...]  # what both players see beside x: labels, or nothing


class AbstractAlternatingGAN(AbstractGAN):
    """Two players who move in turn; a family says what each of them minimises."""

    _run: Run | None = None
    _draws: Draws | None = None

    # --- the game --------------------------------------------------------------------------------

    @abstractmethod
    def discriminator_loss(self, x: Tensor, *given: Any, **nothing: Any) -> Objective:
        """D's cost on reals `x`, `(N, C, H, W)` or `(N, D)`, and labels where the family uses them.

        G's parameters take no gradients here, so `self.generator(z)` makes fakes without a graph.
        An unconditional family declares `(self, x)`, a conditional one `(self, x, labels)`.
        """

    @abstractmethod
    def generator_loss(self, x: Tensor, *given: Any, **nothing: Any) -> Objective:
        """G's cost; D's parameters take no gradients here, but they flow through D to the fakes."""

    def on_discriminator_moved(self) -> None:
        """What a family does to D after each of its updates (WGAN clips its weights)."""

    def noise(self, n: int) -> Tensor:
        """z ~ N(0, I), `(n, latent_dim)`: these samples' rows of a draw for the global batch."""
        return self.draws.normal(n, self.latent_dim)

    def normal(self, n: int, *shape: int) -> Tensor:
        """Standard normal rows `(n, *shape)`, drawn likewise."""
        return self.draws.normal(n, *shape)

    def uniform(self, n: int, *shape: int) -> Tensor:
        """Rows uniform on [0, 1), `(n, *shape)`, drawn likewise."""
        return self.draws.uniform(n, *shape)

    @property
    def draws(self) -> Draws:
        """Random draws for losses and regularizers; called by hand, they follow torch's seed.

        `draws.integers(n, high)` gives labels and categorical codes.
        """
        if self._draws is not None:
            return self._draws
        like = next(self.generator.parameters())
        return Draws(int(torch.randint(2**62, ())), like.device, like.dtype)

    # --- one call: a discriminator update, after every k-th one a generator update -------------

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """One D update on a fresh batch; a G update after every `discriminator_steps`-th one.

        Raises:
            ValueError: When the data or networks cannot be trained on.
            RuntimeError: When the networks are to be compiled and the compiler fails.
        """
        run = self._running()
        x, given = unpack(self, run, batch)
        try:
            with seeded_layers(self.run_seed, self.discriminator_updates, run.rank, x.device):
                self._play(run, x, given)
        except torch._dynamo.exc.TorchDynamoException as error:
            if not self.compile_networks:
                raise
            raise checks.not_compiled(error) from error  # some machines lack a compiler
        finally:
            self.draws.window = None  # also after an exception, when the module is used by hand

    def _play(self, run: Run, x: Tensor, given: Given) -> None:
        due = (self.discriminator_updates + 1) % self.discriminator_steps == 0
        run.logging = due and run.logs_step(self.global_step + 1)
        run.row = {}
        if due and self.updates == "simultaneous":
            self._move_together(run, x, given)
        else:
            self._gradient(run, run.discriminator, Purpose.DISCRIMINATOR, x, given)
            self._move(run.discriminator)
            if due:
                self._gradient(run, run.generator, Purpose.GENERATOR, x, given)
                self._move(run.generator)
        images = len(x) * run.world_size
        self.discriminator_updates += 1
        self.images_seen += images
        self.generator_stepped = due
        if due:
            run.counted += 1
            self._average(run, images * self.discriminator_steps)
        if run.logging:
            self._log_losses(run)

    def _move_together(self, run: Run, x: Tensor, given: Given) -> None:
        """Both gradients at the same point, on the same noise, before either player moves."""
        self._gradient(run, run.discriminator, Purpose.BOTH, x, given)
        self._gradient(run, run.generator, Purpose.BOTH, x, given)
        before = run.loss_scale()
        self._move(run.discriminator)
        # D's step may have changed the fp16 loss scale that G's gradient was taken with.
        if run.loss_scale() != before:
            torch._foreach_mul_(run.generator.gradients(), run.loss_scale() / before)
        self._move(run.generator)

    def _gradient(self, run: Run, player: Player, purpose: int, x: Tensor, given: Given) -> None:
        """Leave the gradient of the player's cost in its parameters, while the other one waits."""
        draws, update, n = self.draws, self.discriminator_updates, len(x)
        player.forget_gradients()
        start = 0
        with run.other(player).waiting():
            for x_chunk, *given_chunk in self._chunks(x, given):
                stop = start + len(x_chunk)
                draws.begin(purpose, update)
                draws.window = Window(n * run.world_size, n * run.rank + start, stop - start)
                share = len(x_chunk) / n
                with nullcontext() if stop == n else self._without_synchronising():
                    objective = self._objective(player, x_chunk, *given_chunk)
                    self.manual_backward(objective.loss * share if share < 1 else objective.loss)
                self.losses[player.name] = objective.loss.detach()
                run.count(objective.counts, share)
                if run.logging:
                    run.note(objective.scalars(player.name), share)
                start = stop

    def mean_over_ranks(self, statistic: Tensor) -> Tensor:
        """The mean of a statistic over all processes, with gradients to each one's part of it.

        For costs that couple the samples of a batch; see `_loop/ranks.py`.
        """
        world_size = 1 if self._run is None else self._run.world_size
        return mean_over_ranks(statistic, world_size)

    def _chunks(self, x: Tensor, given: Given) -> Iterable[tuple[Tensor, ...]]:
        if self.micro_batches == 1:
            return ((x, *given),)
        return zip(*(t.chunk(self.micro_batches) for t in (x, *given)), strict=True)

    def _objective(self, player: Player, x: Tensor, *given: Tensor) -> Objective:
        """The family's cost plus the regularizers of this player."""
        of_discriminator = player.name == "discriminator"
        cost: Callable[..., Objective]
        cost = self.discriminator_loss if of_discriminator else self.generator_loss
        objective = cost(x, *given)
        for regularizer in self.regularizers:
            if regularizer.player == player.name:
                real = objective.real or self.inputs(x, *given)
                fake = objective.fake
                if fake is None and objective.x_fake is not None:
                    fake = (objective.x_fake, *real[1:])
                penalty = regularizer.penalty(self, real, fake)
                objective.loss = objective.loss + penalty
                name = f"penalty/{regularizer.name}"  # two of a name: their sum
                objective.logs[name] = objective.logs.get(name, 0.0) + penalty
        return objective

    def _without_synchronising(self) -> Any:
        """DDP averages gradients once per update, with the last micro-batch."""
        strategy = self.trainer.strategy
        if isinstance(strategy, ParallelStrategy):
            return strategy.block_backward_sync()
        return nullcontext()

    def _move(self, player: Player) -> None:
        """Step the player's optimizer and schedule; Lightning counts G's steps alone."""
        scale = 1.0 if player.scheduler is None else self._running().loss_scale()
        if player.name == "discriminator":
            self.trainer.strategy.optimizer_step(player.optimizer.optimizer, _no_closure)
            self.on_discriminator_moved()
        else:
            player.optimizer.step()
        # The loss scale falls when a step is skipped, and a skipped step is no update.
        if player.scheduler is not None and self._running().loss_scale() >= scale:
            player.scheduler.step()

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip and measure a player's gradient; here fp16 gradients are unscaled already."""
        run = self._running()
        player = run.discriminator
        if optimizer is not player.optimizer.optimizer:
            player = run.generator
        if run.logging or player.clip is not None:
            norm = player.clip_and_measure() / run.remaining_scale(optimizer)
            run.row[f"grad_norm/{player.name}"] = norm

    def _average(self, run: Run, images: int) -> None:
        for averager in run.averagers:
            assert self.ema_halflife is not None  # else there is no average
            averager.update(decay(images, self.images_seen, self.ema_halflife))

    def _log_losses(self, run: Run) -> None:
        """One row: means over micro-batches and ranks."""
        run.finite.settle()
        run.take_counts()
        names = sorted(run.row)
        values = torch.stack([run.row[name].to(run.log_dtype) for name in names])
        if run.world_size > 1:
            values = self.trainer.strategy.reduce(values, reduce_op="mean")
        row = dict(zip(names, values.tolist(), strict=True))
        self.log_row(row | {"images_seen": float(self.images_seen)})

    # --- begin and end of a fit ----------------------------------------------------------------

    def on_train_start(self) -> None:
        """Gather what lasts as long as this fit."""
        like = next(self.generator.parameters())
        self._draws = Draws(self.run_seed, like.device, like.dtype)
        self._run = Run.of(self)
        checks.somebody_moves(self)
        checks.generator_moves(self.trainer, self.discriminator_steps)
        checks.clipping_sees_true_gradients(
            self.trainer, (self.clip_discriminator, self.clip_generator)
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """No checkpoint of networks that have seen NaN; then as in `AbstractGAN`."""
        if self._run is not None:
            self._run.finite.settle()
        super().on_save_checkpoint(checkpoint)

    def teardown(self, stage: str) -> None:
        """Forget the fit; an exception skips this, and `__getstate__` makes up for it."""
        self._run = self._draws = None
        self.discriminator_schedule = self.generator_schedule = None

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles leave the fit behind: its optimizers are wrapped by Lightning."""
        state: dict[str, Any] = super().__getstate__()
        fit = ("_run", "_draws", "discriminator_schedule", "generator_schedule")
        return state | dict.fromkeys(fit)

    def _running(self) -> Run:
        if self._run is None:
            raise RuntimeError(
                "`training_step` must be called by a Trainer, which sets up the players."
            )
        return self._run

    def check_labels(self, labels: Tensor) -> None:
        """Refuse the labels of a batch.

        Raises:
            ValueError: When they are not integers in 0, ..., num_classes - 1.
        """
        assert self.num_classes is not None  # see checks.labels_have_a_use
        conditions.classes(labels, self.num_classes)

    def check_networks(self, x: Tensor, *given: Tensor) -> None:
        """Refuse networks that do not fit the data, on a few samples in evaluation mode.

        Raises:
            ValueError: When shapes disagree.
        """
        z = self.latent(len(x), seed=0).to(x)
        with torch.no_grad(), evaluating(self.generator, self.discriminator):
            with checks.runs("generator", f"z of shape {tuple(z.shape)}"):
                labels = given[0] if given and self.conditional else None
                x_fake = self.generate(self.generator, z, labels)
            checks.same_shape(x, x_fake)
            with (
                checks.runs("discriminator", f"samples of shape {tuple(x.shape)}"),
                checks.no_probability(self.discriminator) as returned,
            ):
                returned.append(self.judge(*self.inputs(x, *given)))
            checks.one_logit(len(x), returned[0], self.samples_per_input)


def _no_closure() -> None:
    """The gradient is there already when an optimizer steps."""
