"""Pictures of the training: samples of the same z, again and again."""

import re
from pathlib import Path
from typing import Any, final

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_warn
from PIL import Image
from torch import Tensor

from gan_lightning.callbacks._arguments import positive
from gan_lightning.callbacks._batch import split_batch
from gan_lightning.callbacks._facts import data_facts
from gan_lightning.callbacks._film import save_film
from gan_lightning.callbacks._grid import make_grid, save_image, to_image
from gan_lightning.callbacks._run_directory import run_directory
from gan_lightning.callbacks._scatter import half_width, scatter
from gan_lightning.families.base import AbstractGAN

__all__ = ["SampleLogger"]

_NAME = re.compile(r"step_(\d+)\.png")


@final
class SampleLogger(Callback):
    """Draw samples of the averaged generator, from the same z every time.

    Images become a grid; points ``(N, 2)`` a scatter plot over real points, on axes that stay the
    same. The pictures go to ``samples/step_000500.png`` and to the image channel of a W&B or
    TensorBoard logger: one before training, one every `every_n_steps` generator updates and one at
    the end, when a film of them, ``training.gif``, is made as well. Families with labels get one
    class a row. Only the first process draws. Samples that are neither images with 1, 3 or 4
    channels nor points in the plane are not drawn, which a warning says once.

    Args:
        every_n_steps: generator updates between two pictures.
        number: samples in a picture.
        seed: of z.
        directory: where to write; None: ``samples`` of the run directory.
        nrow: images in a row of the grid, at most `number`.
        gif: whether to make the film, of at most 60 pictures.

    Raises:
        ValueError: if an argument is out of range.
    """

    def __init__(
        self,
        every_n_steps: int = 250,
        number: int = 64,
        seed: int = 0,
        directory: str | Path | None = None,
        nrow: int = 8,
        gif: bool = True,
    ) -> None:
        super().__init__()
        self.every_n_steps = positive("every_n_steps", every_n_steps)
        self.number = positive("number", number)
        self.seed = seed
        self.directory = None if directory is None else Path(directory)
        self.nrow = positive("nrow", nrow)
        if nrow > number:
            raise ValueError(f"`nrow` must be at most `number` = {number}, got {nrow}.")
        self.gif = gif
        self._drawn: int | None = None  # the step of the newest picture
        self._real: Tensor | None = None  # (N, 2), behind the scatter plots
        self._drawable = True

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Forget an earlier fit."""
        self._drawn, self._real, self._drawable = None, None, True

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Before the first step, draw the untrained generator, which also shows that it can be."""
        if self._drawn is not None or not trainer.is_global_zero:
            return
        self._drawn = trainer.global_step
        x, _ = split_batch(batch)
        if x.ndim == 2:
            self._real = x.detach().float().cpu()
        if trainer.global_step == 0 and isinstance(pl_module, AbstractGAN):
            self._draw(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Draw every `every_n_steps` generator updates."""
        if not isinstance(pl_module, AbstractGAN) or not pl_module.generator_stepped:
            return
        if trainer.global_step % self.every_n_steps == 0 and trainer.is_global_zero:
            self._draw(trainer, pl_module)

    def on_train_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Draw the last picture and make the film."""
        if not isinstance(pl_module, AbstractGAN) or not trainer.is_global_zero:
            return
        if self._drawn is not None and self._drawn != trainer.global_step:
            self._draw(trainer, pl_module)
        if self.gif and self._drawable:
            folder = self._folder(trainer)
            save_film(_pictures(folder, trainer.global_step), folder / "training.gif")

    def _folder(self, trainer: lightning.Trainer) -> Path:
        return run_directory(trainer).samples if self.directory is None else self.directory

    def _draw(self, trainer: lightning.Trainer, module: AbstractGAN) -> None:
        if not self._drawable:
            return
        labels = _labels(trainer, module, self.number, self.nrow)
        samples = module.sample(self.number, labels, seed=self.seed).float().cpu()
        try:
            picture = self._picture(samples, labels)
        except ValueError as error:  # no reason to end a training
            self._drawable = False
            rank_zero_warn(f"`SampleLogger` draws nothing in this run: {error}")
            return
        save_image(picture, self._folder(trainer) / f"step_{trainer.global_step:06d}.png")
        _show(trainer, picture)
        self._drawn = trainer.global_step

    def _picture(self, samples: Tensor, labels: Tensor | None) -> Image.Image:
        if samples.ndim == 4:
            return to_image(make_grid(samples, self.nrow, labels))
        if samples.shape[1:] == (2,) and self._real is not None:
            return scatter(samples, self._real, half_width(self._real))
        raise ValueError(
            "`SampleLogger` draws images (N, C, H, W) and points (N, 2), got samples of shape "
            f"{tuple(samples.shape)}."
        )


def _labels(
    trainer: lightning.Trainer, module: AbstractGAN, number: int, nrow: int
) -> Tensor | None:
    """One class a row, over and over; None for families without labels or data without classes."""
    classes: int | None = data_facts(trainer).get("num_classes")
    if not module.conditional or classes is None:
        return None
    return torch.arange(number) // nrow % classes


def _show(trainer: lightning.Trainer, picture: Image.Image) -> None:
    """Send the picture to the image channels of the loggers that have one."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image("samples", [picture], step=trainer.global_step)
        elif isinstance(logger, TensorBoardLogger):
            pixels = np.asarray(picture.convert("RGB"))
            logger.experiment.add_image("samples", pixels, trainer.global_step, dataformats="HWC")


def _pictures(folder: Path, last_step: int) -> list[Path]:
    """Pictures up to a step, in order: a run resumed at an earlier step leaves later ones."""
    found = [(m, file) for file in folder.glob("step_*.png") if (m := _NAME.fullmatch(file.name))]
    steps = sorted((int(m[1]), file) for m, file in found)
    return [file for step, file in steps if step <= last_step]
