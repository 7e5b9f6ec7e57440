"""A cheap sign of mode collapse: how far apart samples lie, against how far apart real ones do."""

from typing import Any, final

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from gan_lightning.callbacks._arguments import positive
from gan_lightning.callbacks._batch import split_batch
from gan_lightning.families.base import AbstractGAN
from gan_lightning.metrics.functional.pairwise import mean_pairwise_distance


@final
class SampleDiversity(Callback):
    """Log ``diversity/pairwise``: mean distance between samples over that between real ones.

    About 1 for a generator as diverse as the data; near 0 when all samples look alike (complete
    collapse). A generator that covers half the modes evenly is not seen by it: distances between
    modes hardly change. The samples come from the averaged generator and the same z every time; the
    real ones are the current batch.

    Args:
        every_n_steps: generator updates between two values.
        number: samples compared, at least 2; at most a batch is compared.
        seed: of z.

    Raises:
        ValueError: if an argument is out of range, or a batch has fewer than two samples.
    """

    def __init__(self, every_n_steps: int = 250, number: int = 64, seed: int = 0) -> None:
        super().__init__()
        self.every_n_steps = positive("every_n_steps", every_n_steps)
        self.number = positive("number", number, least=2)
        self.seed = seed

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Compare, every `every_n_steps` generator updates, on every rank."""
        if not isinstance(pl_module, AbstractGAN) or not pl_module.generator_stepped:
            return
        if trainer.global_step % self.every_n_steps == 0:
            pl_module.log_row({"diversity/pairwise": self._ratio(trainer, pl_module, batch)})

    def _ratio(self, trainer: lightning.Trainer, module: AbstractGAN, batch: Any) -> float:
        x, labels = split_batch(batch)
        n = min(self.number, len(x))
        if n < 2:
            raise ValueError(
                f"`SampleDiversity` needs batches of at least 2 samples, got {len(x)}."
            )
        given = labels[:n] if module.conditional and labels is not None else None
        samples = module.sample(n, given, seed=self.seed)
        real = mean_pairwise_distance(x[:n])
        fake = mean_pairwise_distance(samples)
        # The same number on every rank, so that what monitors it decides alike everywhere.
        pair = trainer.strategy.reduce(torch.stack([fake, real]), reduce_op="mean")
        return float(pair[0] / pair[1])
