"""Gathers observations during a fit, once for all monitors of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightning
import torch
from torch import Tensor

from gan_lightning.callbacks._arguments import positive
from gan_lightning.callbacks._batch import split_batch
from gan_lightning.callbacks._real_samples import ServesRealSamples
from gan_lightning.callbacks._trainer import datamodule_of
from gan_lightning.callbacks.monitors.observation import Observation, costs, observe
from gan_lightning.families.base import AbstractGAN

__all__ = ["Observer", "default_interval"]

_SHARE, _LEAST, _MOST = 50, 20, 1000  # looks a run, and generator updates between two
_UNLIMITED = 200
_KEPT = 64  # rows and ...
_FOLDED = 512  # costs of single updates, before they become one tensor
_MOST_HALF = 65_504.0  # float16's largest number


def default_interval(max_steps: int) -> int:
    """Generator updates between two looks: a fiftieth of the run, within 20 and 1,000.

    Args:
        max_steps: Of the trainer; -1 is no limit.
    """
    if max_steps < 1:
        return _UNLIMITED
    return min(max(max_steps // _SHARE, _LEAST), _MOST)


class Observer:
    """Looks at both players at equal intervals; what happens in between is only remembered.

    Between two looks each step costs two references to tensors that are there anyway, and nothing
    waits for the device. Real samples are drawn once: the data module's `real_chunks`, or the first
    batches of training where there is none; the latter are part of checkpoints, images in float16.

    Args:
        every_n_steps: Generator updates between two looks; None takes a fiftieth of the run, within
            20 and 1,000.
        number: Samples at a look. Twice as many real ones are kept: one half is what samples are
            compared with, the other what as many good samples would look like.
        seed: Of z.
        heldout: Real samples that are not trained on; None does without.

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
        self.real: tuple[Tensor, Tensor | None] | None = None
        self.unseen: tuple[Tensor, Tensor | None] | None = None
        self._from_batches = False
        self._found: list[tuple[Tensor, Tensor | None]] = []
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
            ValueError: If there are fewer than two real samples, or `heldout` does not serve what
                the family needs.
        """
        self.interval = self.every_n_steps or default_interval(trainer.max_steps)
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
            self.real = _several(_first(data, 2 * self.number))
        if self.heldout is not None:
            self.unseen = self._heldout(self.heldout, module)

    def _heldout(
        self, data: lightning.LightningDataModule, module: AbstractGAN
    ) -> tuple[Tensor, Tensor | None]:
        if not isinstance(data, ServesRealSamples):
            raise ValueError(
                "`heldout` must be a data module of this package, or one with `samples`, "
                f"`image_shape`, `identity` and `real_chunks`, got {type(data).__name__}."
            )
        x, labels = _first(data, self.number)
        if self.real is not None and x.shape[1:] != self.real[0].shape[1:]:
            raise ValueError(
                f"`heldout` must serve samples of shape {tuple(self.real[0].shape[1:])} as in "
                f"training, got {tuple(x.shape[1:])}."
            )
        if module.conditional and labels is None:
            raise ValueError(
                f"`heldout` must serve labels for {type(module).__name__}, whose networks are "
                f"given them, got {type(data).__name__} without any."
            )
        return x, labels

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
        if self.real is not None:
            x, labels = self.real
            real["real"] = (x[: self.number], None if labels is None else labels[: self.number])
        if self.unseen is not None:
            real["heldout"] = self.unseen
        observation = observe(module, self._z, self._labels, real, self._losses, self._rows)
        self.forget()
        return observation

    def forget(self) -> None:
        """Do as if one had looked: on the processes that do not."""
        self._losses, self._rows = {}, []

    def state_dict(self) -> dict[str, Any]:
        """What is remembered between two looks, and the real samples that came from batches."""
        real = self.real if self._from_batches else None
        return {
            "losses": {name: costs(kept) for name, kept in self._losses.items()},
            "rows": [dict(row) for row in self._rows],
            "epoch": self._epoch,
            "found": [(_packed(x), labels) for x, labels in self._found],
            "real": None if real is None else (_packed(real[0]), real[1]),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint, after `start`."""
        losses = state["losses"].items()
        self._losses = {name: [kept.to(self._device)] for name, kept in losses}
        self._rows = [dict(row) for row in state["rows"]]
        if self.real is None:
            self._epoch = state["epoch"]
            self._found = [(x.float(), labels) for x, labels in state["found"]]
            if state["real"] is not None:
                self.real = (state["real"][0].float(), state["real"][1])

    def _collect(self, batch: Any, epoch: int) -> None:
        """Fill the reservoir from the batches of training, with no sample twice.

        Raises:
            ValueError: If an epoch has a single sample.
        """
        if self._found and epoch > self._epoch:
            self.real, self._found = _several(_joined(self._found, 2 * self.number)), []
            return
        x, labels = split_batch(batch)
        x = _packed(x.detach().float().cpu()).float()  # the same after a resume
        self._epoch = epoch
        self._found.append((x, None if labels is None else labels.cpu()))
        if sum(len(x) for x, _ in self._found) >= 2 * self.number:
            self.real, self._found = _joined(self._found, 2 * self.number), []


def _several(real: tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor | None]:
    if len(real[0]) < 2:
        raise ValueError(
            "The training data must hold at least 2 samples for monitors to compare with, got "
            f"{len(real[0])}."
        )
    return real


def _packed(x: Tensor) -> Tensor:
    """Images in half the bytes, more precisely than in 8 bits; all else as it is."""
    suits = x.ndim == 4 and float(x.abs().max()) <= _MOST_HALF
    return x.half() if suits else x


def _first(data: ServesRealSamples, number: int) -> tuple[Tensor, Tensor | None]:
    """So many real samples, or as many as there are."""
    number = min(number, data.samples)
    batches = [split_batch(batch) for batch in data.real_chunks(number)]
    return _joined(batches, number)


def _joined(
    batches: list[tuple[Tensor, Tensor | None]], number: int
) -> tuple[Tensor, Tensor | None]:
    x = torch.cat([x for x, _ in batches])[:number]
    labels = [y for _, y in batches if y is not None]
    return x, torch.cat(labels)[:number] if len(labels) == len(batches) else None
