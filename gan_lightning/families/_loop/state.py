"""What a GAN is between steps: networks, optimizers, averaging, samples, checkpoints, log."""

from __future__ import annotations

import os
from abc import ABC
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import lightning
import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gan_lightning.families._loop import averaging, checks, conditions, resume
from gan_lightning.families._loop.latent import latent
from gan_lightning.families._loop.networks import packing
from gan_lightning.families._loop.players import make_scheduler, unique_parameters
from gan_lightning.optim import GANAdam
from gan_lightning.regularizers import AbstractRegularizer

_OBJECTS = [
    "generator",
    "discriminator",
    "generator_optimizer",
    "discriminator_optimizer",
    "regularizers",
    "generator_scheduler",
    "discriminator_scheduler",
    "encoder",
]
_SAMPLE_BATCH = 256


class HasRealTarget(ABC):
    """A family whose discriminator has a target for reals (`callbacks.LabelSmoothing` moves it)."""

    real_target: float


class AbstractGAN(lightning.LightningModule):
    """Two networks, their optimizers, the averaged generator, and how they are saved and sampled.

    Args:
        generator: Maps z `(N, latent_dim)` to images `(N, C, H, W)` in [-1, 1] or points `(N, D)`.
        discriminator: Maps samples to one logit each, `(N,)` or `(N, 1)`.
        latent_dim: Dimension of z.
        generator_optimizer: Makes G's optimizer from its parameters.
        discriminator_optimizer: Makes D's optimizer from its parameters.
        discriminator_steps: D updates, each on a fresh batch, per generator update.
        updates: "alternating" moves D, then G against the moved D on fresh noise. "simultaneous"
            takes both players' gradients at the same point, on the same noise, before either
            moves.
        regularizers: Terms added to a player's loss.
        generator_scheduler: Makes G's learning rate schedule, stepped once per G update.
        discriminator_scheduler: Makes D's, stepped once per D update.
        clip_generator: Largest norm of G's gradient; None does not clip.
        clip_discriminator: The same for D.
        micro_batches: Chunks into which a step's batch is split to save memory; their gradients
            are summed before a player moves.
        ema_halflife: Half-life of the averaged generator, in images seen by D; None keeps none.
        compile_networks: Compile both networks in place, which keeps the names in checkpoints.
        num_classes: Number of classes of the data; needed where labels are used.
        conditional: Whether both networks are given labels: `generator(z, labels)` and
            `discriminator(x, labels)`.

    Attributes:
        generator_ema: The averaged generator, or None; what `sample` uses.
        discriminator_updates: D updates so far. Noise, dropout and the position in the data are
            functions of it; it is saved with every checkpoint.
        images_seen: Real images that D has seen, on all processes together.
        generator_stepped: Whether the last training step ended with a generator update.
        losses: Each player's newest cost (of its last micro-batch), detached and on the device.
        run_seed: The seed of `lightning.seed_everything`, or 0 when it was not called.
        samples_per_input: Samples that D judges together: 1, or the m of a packed discriminator.

    Raises:
        ValueError: When an argument is out of range, or the discriminator returns probabilities.
    """

    # Why a family cannot hand labels to its networks, or None where it can.
    unconditional_because: ClassVar[str | None] = None
    always_conditional: ClassVar[bool] = False  # the game is one of samples and labels
    # Why D cannot judge several samples together, or None where it can.
    unpacked_because: ClassVar[str | None] = None
    # Why a step's batch cannot be split, or None where it can.
    whole_batch_because: ClassVar[str | None] = None

    # Set once or more per batch. nn.Module.__setattr__ looks through parameters, buffers and
    # modules first, which for Lightning's `_current_fx_name` alone (50 times a batch) shows in a
    # profile.
    _plain: ClassVar[frozenset[str]] = frozenset(
        {"_current_fx_name", "discriminator_updates", "images_seen", "generator_stepped"}
    )

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        latent_dim: int,
        generator_optimizer: OptimizerCallable = GANAdam,
        discriminator_optimizer: OptimizerCallable = GANAdam,
        discriminator_steps: int = 1,
        updates: Literal["alternating", "simultaneous"] = "alternating",
        regularizers: Sequence[AbstractRegularizer] = (),
        generator_scheduler: LRSchedulerCallable | None = None,
        discriminator_scheduler: LRSchedulerCallable | None = None,
        clip_generator: float | None = None,
        clip_discriminator: float | None = None,
        micro_batches: int = 1,
        ema_halflife: float | None = 10_000,
        compile_networks: bool = False,
        num_classes: int | None = None,
        conditional: bool = False,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=_OBJECTS)
        resume.keep_plain(self.hparams)  # so that checkpoints load as weights only
        self.automatic_optimization = False
        self.generator = generator
        self.discriminator = discriminator
        self.latent_dim = latent_dim
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.discriminator_steps = discriminator_steps
        self.updates = updates
        self.regularizers = tuple(regularizers)
        self.generator_scheduler = generator_scheduler
        self.discriminator_scheduler = discriminator_scheduler
        self.clip_generator = clip_generator
        self.clip_discriminator = clip_discriminator
        self.micro_batches = micro_batches
        self.ema_halflife = ema_halflife
        self.compile_networks = compile_networks
        self.num_classes = num_classes
        self.conditional = conditional or self.always_conditional
        self.samples_per_input = packing(discriminator)
        self.discriminator_schedule: LRScheduler | None = None
        self.generator_schedule: LRScheduler | None = None
        checks.arguments(self)
        self.generator_ema = averaging.averaged_copy(generator) if ema_halflife else None
        self.discriminator_updates = 0
        self.images_seen = 0
        self._steps_to_go_on_with: int | None = None  # of a checkpoint, until the first step
        self.generator_stepped = False
        self.losses: dict[str, Tensor] = {}
        self.run_seed = 0

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._plain:
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    # --- players ---------------------------------------------------------------------------------

    @property
    def uses_labels(self) -> bool:
        """Whether the losses are given the labels of a batch."""
        return self.conditional

    def inputs(self, x: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        """What D is shown of real samples: x, and beside it what the batch gives."""
        return (x, *given)

    def judge(self, *inputs: Tensor) -> Tensor:
        """D's logits of its inputs, `(N,)` or `(N, 1)`: what regularizers take gradients of."""
        return self.discriminator(*inputs)  # type: ignore[no-any-return]

    def generator_modules(self) -> Sequence[nn.Module]:
        """What moves in G's turn; families with heads or encoders of G's player add them."""
        return [self.generator]

    def discriminator_modules(self) -> Sequence[nn.Module]:
        """What moves in D's turn."""
        return [self.discriminator]

    def averages(self) -> Sequence[tuple[nn.Module, nn.Module]]:
        """Averaged copies, each with the network that it follows."""
        return [] if self.generator_ema is None else [(self.generator_ema, self.generator)]

    def configure_optimizers(self) -> tuple[list[Optimizer], list[Any]]:
        """One optimizer a player, D's first, and the schedules there are."""
        d = self.discriminator_optimizer(unique_parameters(self.discriminator_modules()))
        g = self.generator_optimizer(unique_parameters(self.generator_modules()))
        self.discriminator_schedule = make_scheduler(
            "discriminator_scheduler", self.discriminator_scheduler, d
        )
        self.generator_schedule = make_scheduler("generator_scheduler", self.generator_scheduler, g)
        schedules = [
            s for s in (self.discriminator_schedule, self.generator_schedule) if s is not None
        ]
        return [d, g], [{"scheduler": s, "interval": "step"} for s in schedules]

    # --- samples ---------------------------------------------------------------------------------

    def sample(
        self,
        n: int,
        labels: Tensor | Sequence[int] | int | None = None,
        *,
        seed: int | None = None,
        z: Tensor | None = None,
        truncation: float | None = None,
    ) -> Tensor:
        """Samples of the averaged generator in evaluation mode, for users, callbacks and metrics.

        Args:
            n: Number of samples.
            labels: Classes for a conditional family, `(n,)` integers, or one for all; None draws
                them uniformly.
            seed: Draws the same z and labels on every device; None draws fresh ones.
            z: Latent codes `(n, latent_dim)` to use instead of drawn ones.
            truncation: Draw z from the normal distribution truncated at this value.

        Returns:
            Images `(n, C, H, W)` in [-1, 1] or points `(n, D)`, on the module's device.

        Raises:
            ValueError: When `n` is not positive, `z` has another shape or is not floating-point,
                or labels do not fit the family.
        """
        if n < 1:
            raise ValueError(f"`n` must be at least 1 but got {n}.")
        classes = conditions.labels_of(self, n, labels, seed)
        z = self.latent(n, seed, truncation) if z is None else z
        checks.latent_codes(z, (n, self.latent_dim))
        network = self.generator if self.generator_ema is None else self.generator_ema
        like = next(network.parameters())
        chunks = torch.split(z.to(like), _SAMPLE_BATCH)
        given: Sequence[Tensor | None] = [None] * len(chunks)
        if classes is not None:
            given = torch.split(classes.to(like.device), _SAMPLE_BATCH)
        with torch.no_grad(), averaging.evaluating(network):
            return torch.cat([self.generate(network, *c) for c in zip(chunks, given, strict=True)])

    def latent(self, n: int, seed: int | None = None, truncation: float | None = None) -> Tensor:
        """Latent codes `(n, latent_dim)`, float64 on the CPU: the same for a seed everywhere."""
        return latent(n, self.latent_dim, seed, truncation)

    def generate(self, generator: nn.Module, z: Tensor, labels: Tensor | None) -> Tensor:
        """How `sample` calls a generator: with labels, if there are any."""
        x: Tensor = generator(z) if labels is None else generator(z, labels)
        return x

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """The trained (not averaged) generator, as it is: `(N, latent_dim)` to samples."""
        return self.generate(self.generator, z, labels)

    # --- a run -----------------------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        """Refuse trainers that cannot train two players; take the run's seed."""
        if stage == "fit":
            checks.trainer_can_train_two_players(self.trainer)
            self.run_seed = int(os.environ.get("PL_GLOBAL_SEED", "0"))
            if self.compile_networks:
                players = (*self.generator_modules(), *self.discriminator_modules())
                for network in dict.fromkeys(players):
                    network.compile()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Two counters are all that a resume needs beside weights, optimizers and schedules."""
        checkpoint[resume.KEY] = resume.record(self)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another family, other networks, data set, batch size or seed.

        Raises:
            ValueError: When the checkpoint cannot be continued exactly.
        """
        saved = resume.checked(self, checkpoint)
        self.discriminator_updates = saved["discriminator_updates"]
        self.images_seen = saved["images_seen"]
        self._steps_to_go_on_with = resume.steps_to_go_on_with(self, saved)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Go on from a checkpoint with the schedule that it was written under, or not at all.

        Raises:
            ValueError: When a callback that had changed `discriminator_steps` is missing.
        """
        if self._steps_to_go_on_with is not None:
            resume.same_steps(self, self._steps_to_go_on_with)
            self._steps_to_go_on_with = None

    def log_row(self, row: Mapping[str, float | Tensor]) -> None:
        """Send one row to every logger and into `trainer.callback_metrics`.

        `self.log` is not used: Lightning would flush it by its own count of batches and repeat
        stale values. Call it on every rank with values that agree.
        """
        floats = {name: float(value) for name, value in row.items()}
        for logger in self.trainer.loggers:
            logger.log_metrics(floats, step=self.global_step)
        tensors = {k: torch.tensor(v, dtype=torch.float64) for k, v in floats.items()}
        self.trainer.callback_metrics.update(tensors)
