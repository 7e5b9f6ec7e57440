"""Gathers observations during a fit, once for all monitors of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, final

import lightning
import torch
from torch import Tensor

from gan_lightning.callbacks._arguments import positive
from gan_lightning.callbacks._batch import split_batch
from gan_lightning.callbacks._real_samples import ServesRealSamples
from gan_lightning.callbacks._trainer import datamodule_of
from gan_lightning.callbacks.monitors.observation import Observation, costs, observe
from gan_lightning.callbacks.monitors.reals import (
    Reals,
    affordable,
    first,
    heldout,
    joined,
    packed,
    several,
    unlike,
)
from gan_lightning.families.base import AbstractGAN

__all__ = ["Observer", "default_interval", "planned_steps"]

_SHARE, _LEAST, _MOST = 50, 20, 1000  # looks a run, and generator updates between two
_UNLIMITED = 200
_KEPT = 64  # rows and ...
_FOLDED = 512  # costs of single updates, before they become one tensor


def default_interval(max_steps: int) -> int:
    """Generator updates between two looks: a fiftieth of the run, within 20 and 1,000.

    Args:
        max_steps: Of the run; -1 is no limit, where 200 is taken.
    """
    if max_steps < 1:
        return _UNLIMITED
    return min(max(max_steps // _SHARE, _LEAST), _MOST)


def planned_steps(trainer: lightning.Trainer, module: AbstractGAN) -> int | None:
    """Generator updates of the whole run, by `max_steps` and `max_epochs`; None without a limit.

    Args:
        trainer: In a fit, its data at hand.
        module: The family, with as many discriminator steps as it will make.
    """
    limits = [trainer.max_steps] if trainer.max_steps > 0 else []
    batches, epochs = trainer.num_training_batches, trainer.max_epochs
    if epochs is not None and epochs > 0 and math.isfinite(batches):
        limits.append(int(batches) * epochs // module.discriminator_steps)
    return min(limits, default=None)


@final
class Observer:
    """Looks at both players at equal intervals; what happens in between is only remembered.

    Between two looks each step costs two references to tensors that are there anyway, and nothing
    waits for the device. Real samples are drawn once: the data module's `real_chunks`, or the first
    batches of training where there is none; the latter are part of checkpoints, images in float16.
    All that is kept stays under 50 MB: of images larger than about 3x73x73 a look takes fewer
    samples and keeps fewer real ones, but never under 64 and 128 (100 MB for 3x256x256).

    Args:
        every_n_steps: Generator updates between two looks; None takes a fiftieth of the run, within
            20 and 1,000, and 200 for a run without `max_steps` and `max_epochs`. A resumed run
            keeps the interval that it had, unless a number is given.
        number: Samples at a look. Twice as many real ones are kept: one half is what samples are
            compared with, the other what as many good samples would look like.
        seed: Of z.
        heldout: Real samples that are not trained on; None does without. If most of them are
            among those of training, a warning says so.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        every_n_steps: int | None = None,
        number: int = 256,
        seed: int = 0,
        heldout: lightning.LightningDataModule | None = None,
    ) -> None:
        if every_n_steps is not None:
            positive("every_n_steps", every_n_steps)
        self.every_n_steps = every_n_steps
        self.number = positive("number", number, least=8)
        self.seed = seed
        self.heldout = heldout
        self.interval = 0  # of this fit
        self.planned: int | None = None
        self.real: Reals | None = None
        self.unseen: Reals | None = None
        self._from_batches = False
        self._found: list[Reals] = []
        self._epoch = 0  # of the first of them
        self._losses: dict[str, list[Tensor]] = {}
        self._rows: list[Mapping[str, float]] = []
        self._z = torch.empty(0)
        self._labels: Tensor | None = None
        self._device = torch.device("cpu")

    def start(self, trainer: lightning.Trainer, module: AbstractGAN) -> None:
        """Draw what stays the same for the whole fit.

        Args:
            trainer: Of the fit.
            module: The family.

        Raises:
            ValueError: If there are fewer than two real samples, or `heldout` is the training set
                or does not serve what the family needs.
        """
        self.planned = planned_steps(trainer, module)
        self.interval = self.every_n_steps or default_interval(self.planned or -1)
        self._z = module.latent(self.number, seed=self.seed)
        self._labels = None
        if module.conditional:
            assert module.num_classes is not None  # the family has asked for it
            self._labels = torch.arange(self.number) % module.num_classes
        self._found, self._losses, self._rows = [], {}, []
        self._device = next(module.generator.parameters()).device
        data = datamodule_of(trainer)
        self.real = self.unseen = None
        self._from_batches = not isinstance(data, ServesRealSamples)
        if isinstance(data, ServesRealSamples):
            kept = 2 * affordable(self.number, data.image_shape)
            self.real = several(first(data, kept))
        if self.heldout is not None:
            self.unseen = heldout(self.heldout, data, module, self.number)
        if self.real is not None:
            unlike(self.unseen, self.real[0])

    def watch(self, trainer: lightning.Trainer, module: AbstractGAN, batch: Any) -> None:
        """Remember a training step.

        Args:
            trainer: Of the fit.
            module: The family, after its step.
            batch: What it was trained on, x, (x,) or (x, labels).
        """
        for name, loss in module.losses.items():
            if name == "discriminator" or module.generator_stepped:
                kept = self._losses.setdefault(name, [])
                kept.append(loss)
                if len(kept) >= _FOLDED and not kept[-_FOLDED].ndim:  # one tensor of many
                    kept[-_FOLDED:] = [torch.stack(kept[-_FOLDED:])]
        every = trainer.log_every_n_steps  # type: ignore[attr-defined]  # set by a connector
        if every > 0 and module.generator_stepped and trainer.global_step % every == 0:
            row = {k: float(v) for k, v in trainer.callback_metrics.items() if "/" in k}
            self._rows = [*self._rows[1 - _KEPT :], row]
        if self.real is None:
            self._collect(batch, trainer.current_epoch)

    def due(self, trainer: lightning.Trainer, module: AbstractGAN) -> bool:
        """Whether it is time to look."""
        return module.generator_stepped and trainer.global_step % self.interval == 0

    def look(self, module: AbstractGAN) -> Observation:
        """Look now, and forget what was remembered."""
        real = {}
        n = self._affordable()
        if self.real is not None:
            x, labels = self.real
            real["real"] = (x[:n], None if labels is None else labels[:n])
        if self.unseen is not None:
            real["heldout"] = self.unseen
        given = None if self._labels is None else self._labels[:n]
        observation = observe(module, self._z[:n], given, real, self._losses, self._rows)
        self.forget()
        return observation

    def forget(self) -> None:
        """Do as if one had looked: on the processes that do not."""
        self._losses, self._rows = {}, []

    def state_dict(self) -> dict[str, Any]:
        """What is remembered between two looks, and the real samples that came from batches."""
        real = self.real if self._from_batches else None
        return {
            "number": self.number,
            "seed": self.seed,
            "losses": {name: costs(kept) for name, kept in self._losses.items()},
            "rows": [dict(row) for row in self._rows],
            "epoch": self._epoch,
            "found": [(packed(x), labels) for x, labels in self._found],
            "real": None if real is None else (packed(real[0]), real[1]),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint, after `start`."""
        losses = state["losses"].items()
        self._losses = {name: [kept.to(self._device)] for name, kept in losses}
        self._rows = [dict(row) for row in state["rows"]]
        if self.real is None and state.get("number", self.number) == self.number:
            self._epoch = state["epoch"]
            self._found = [(x.float(), labels) for x, labels in state["found"]]
            if state["real"] is not None:
                self._fill((state["real"][0].float(), state["real"][1]))

    def looks_alike(self, state: Mapping[str, Any]) -> bool:
        """Whether looks of a checkpoint were at the same z; see `state_dict`."""
        same = {"number": self.number, "seed": self.seed}
        return all(state.get(name, value) == value for name, value in same.items())

    def _affordable(self) -> int:
        """Samples at a look; before a batch was seen nobody knows how large they are."""
        known = [self.real] if self.real is not None else self._found
        return affordable(self.number, known[0][0].shape[1:]) if known else self.number

    def _collect(self, batch: Any, epoch: int) -> None:
        """Fill the reservoir from the batches of training, with no sample twice.

        Raises:
            ValueError: If an epoch has a single sample, or held-out samples are of another shape.
        """
        if self._found and epoch > self._epoch:
            self._fill(several(joined(self._found, 2 * self._affordable())))
            return
        x, labels = split_batch(batch)
        x = packed(x.detach().float().cpu()).float()  # the same after a resume
        if not self._found:
            unlike(self.unseen, x, whole=False)
        self._epoch = epoch
        self._found.append((x, None if labels is None else labels.cpu()))
        if sum(len(x) for x, _ in self._found) >= 2 * self._affordable():
            self._fill(joined(self._found, 2 * self._affordable()))

    def _fill(self, real: Reals) -> None:
        self.real, self._found = real, []
        unlike(self.unseen, real[0])
