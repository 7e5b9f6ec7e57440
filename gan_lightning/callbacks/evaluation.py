"""Scores of the averaged generator during training."""

from __future__ import annotations

import math
from typing import Any, final

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor
from tqdm import tqdm

from gan_lightning import __version__
from gan_lightning.callbacks._arguments import positive
from gan_lightning.callbacks._real_samples import ServesRealSamples, suite_of
from gan_lightning.callbacks._trainer import callbacks_of, datamodule_of
from gan_lightning.callbacks.recorder import RunRecorder
from gan_lightning.families.base import AbstractGAN
from gan_lightning.metrics.cache import RealCache, digest
from gan_lightning.metrics.score import Score
from gan_lightning.metrics.suite import MetricSuite

__all__ = ["EvaluationCallback", "direction_of"]

_MOST = 10_000  # samples of either set, unless told otherwise
_PROBED = 8  # real samples whose features a cache must have
_QUIET = 3.0  # seconds before a bar appears


@final
class EvaluationCallback(Callback):
    """Compare samples of the averaged generator with real ones, every so many generator updates.

    Every value goes to the loggers as a curve over generator updates, into
    ``trainer.callback_metrics`` (so `GANCheckpoint(monitor=...)` can follow it), and with its
    protocol and its best step into run.json. Exactly `number` samples are made, dealt out to the
    ranks in chunks that do not depend on how many ranks there are: one process and eight give the
    same scores. Conditional families are asked for the classes of the real samples, where those
    have labels. Real samples pass the extractor once; what comes of them is kept on disk under a
    fingerprint of data and extractor. Nothing of this is part of the module, and no random number
    of training is drawn.

    Args:
        every_n_steps: Generator updates between two evaluations; the end of training always has
            one.
        number: Fake samples, and as many real ones; None takes 10,000, or all real samples if there
            are fewer.
        suite: What is computed; None chooses by the data set (see `metrics.default_suite`).
        data: Whose real samples are compared with, such as a test split; None takes those of
            training.
        chunk: Samples that are made and extracted at a time.
        seed: Of the samples: the same z at every evaluation.
        cache: Whether real statistics are kept on disk.

    Raises:
        ValueError: If an argument is out of range, or, when training starts, if the data module
            serves no real samples, or the extractor does not take the generator's.
    """

    def __init__(
        self,
        every_n_steps: int = 1000,
        number: int | None = None,
        suite: MetricSuite | None = None,
        data: lightning.LightningDataModule | None = None,
        chunk: int = 250,
        seed: int = 0,
        cache: bool = True,
    ) -> None:
        super().__init__()
        self.every_n_steps = positive("every_n_steps", every_n_steps)
        self.number = None if number is None else positive("number", number, least=2)
        self.suite = suite
        self.data = data
        self.chunk = positive("chunk", chunk)
        self.seed = seed
        self.cache = cache
        self.scores: dict[str, Score] = {}  # of the newest evaluation
        self._suite: MetricSuite | None = None
        self._labels: list[Tensor] = []  # of this rank's chunks of real samples
        self._has_real = False
        self._evaluated = -1  # the step of the newest evaluation

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Refuse what cannot be evaluated before it costs any training; forget an earlier fit."""
        self._labels, self._evaluated = [], -1
        if trainer.fast_dev_run or not isinstance(pl_module, AbstractGAN):  # type: ignore[attr-defined]
            return
        data = self._data(trainer)
        real = data.samples
        if self.number is not None and self.number > real:
            raise ValueError(
                f"`number` must be at most the {real} real samples there are, got {self.number}."
            )
        suite = self.suite or suite_of(data, self.number or min(_MOST, real))
        if "test" in suite.sets:
            raise ValueError(
                "`suite` must need real and fake samples alone during training, got metrics that "
                f"need held-out ones as well: {', '.join(suite.names)}."
            )
        suite.to(pl_module.device).reset(keep_real=False)
        suite.extractor(pl_module.sample(1, seed=0).float().nan_to_num())  # shapes and range
        self._suite, self._has_real = suite, False

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Evaluate when it is time."""
        if not isinstance(pl_module, AbstractGAN) or not pl_module.generator_stepped:
            return
        step, last = trainer.global_step, trainer.max_steps
        if self._suite is not None and (step % self.every_n_steps == 0 or step == last):
            self.evaluate(trainer, pl_module)

    def on_train_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Evaluate what came out, unless that is done."""
        if not isinstance(pl_module, AbstractGAN) or self._suite is None:
            return
        if trainer.global_step > 0:
            self.evaluate(trainer, pl_module)

    def evaluate(self, trainer: lightning.Trainer, module: AbstractGAN) -> dict[str, Score]:
        """Evaluate now, on every rank.

        Args:
            trainer: The trainer in whose fit this happens.
            module: The family.

        Returns:
            The scores by name.
        """
        if self._evaluated == trainer.global_step:
            return self.scores
        if self._suite is None:
            raise RuntimeError("`evaluate` must be called in a fit, after its start.")
        data = self._data(trainer)
        number = self.number or min(_MOST, data.samples)
        if not self._has_real:
            self._add_real(trainer, module, data, number)
            self._has_real = True
        self._suite.reset()
        against = f"against {data.identity['data']}, {_generator(module)}"
        if self._add_fake(trainer, module, number):
            self.scores = {
                name: Score(float(score), score.higher_is_better, f"{score.protocol}, {against}")
                for name, score in self._suite.compute().items()
            }
        else:
            rank_zero_warn(f"Samples of step {trainer.global_step} are not finite: no scores.")
            self.scores = {name: Score(math.nan, None, against) for name in self._suite.names}
        self._evaluated = trainer.global_step
        self._record(trainer, module)
        return self.scores

    def _data(self, trainer: lightning.Trainer) -> ServesRealSamples:
        data = self.data or datamodule_of(trainer)
        if not isinstance(data, ServesRealSamples):
            raise ValueError(
                "`data` must be a data module of this package, or one with `samples`, "
                f"`image_shape`, `identity` and `real_chunks`, got {type(data).__name__}."
            )
        return data

    def _add_real(
        self,
        trainer: lightning.Trainer,
        module: AbstractGAN,
        data: ServesRealSamples,
        number: int,
    ) -> None:
        """Real samples through the extractor, or what the cache has of them."""
        assert self._suite is not None
        cache, fingerprint, probe = RealCache(), "", {}
        state = None
        if self.cache and trainer.is_global_zero:
            first = next(iter(data.real_chunks(number, self.chunk)))
            first = first if isinstance(first, Tensor) else first[0]
            fingerprint = f"{number} of {dict(data.identity)} | {digest(first)} | "
            fingerprint += f"{self._suite.describe()} | {__version__}"
            probe = self._suite.probe(first[:_PROBED].to(module.device))
            state = cache.read(fingerprint, probe)
        found = trainer.strategy.broadcast(state is not None)
        if state is not None:
            self._suite.load_real_state(state)
        if found and not module.conditional:
            return
        self._read_real(trainer, module, data, number, extract=not found)
        if self.cache and not found:
            state = self._suite.real_state()
            if trainer.is_global_zero:
                cache.write(fingerprint, state | probe)

    def _read_real(
        self,
        trainer: lightning.Trainer,
        module: AbstractGAN,
        data: ServesRealSamples,
        number: int,
        extract: bool,
    ) -> None:
        """This rank's chunks of real samples, or their labels alone."""
        assert self._suite is not None
        chunks = data.real_chunks(number, self.chunk, trainer.global_rank, trainer.world_size)
        bar = self._bar(trainer, chunks, number, "Real samples")
        for batch, start in zip(bar, self._starts(trainer, number), strict=True):
            x, labels = (batch, None) if isinstance(batch, Tensor) else batch
            if labels is not None:
                self._labels.append(labels)
            if extract:
                index = torch.arange(start, start + len(x))
                self._suite.update(x.to(module.device), real=True, index=index, distinct=True)

    def _add_fake(self, trainer: lightning.Trainer, module: AbstractGAN, number: int) -> bool:
        """This rank's chunks of `number` samples; whether those of all ranks are finite."""
        assert self._suite is not None
        finite = True
        starts = self._starts(trainer, number)
        for i, start in enumerate(self._bar(trainer, starts, number, "Evaluation")):
            n = min(self.chunk, number - start)
            labels = self._labels[i] if module.conditional and self._labels else None
            if labels is not None and bool((labels < 0).any()):  # some samples are unlabelled
                labels = None
            x = module.sample(n, labels, seed=self.seed * 1_000_003 + start).float()
            finite = bool(torch.isfinite(x).all())
            if not finite:
                break
            index = torch.arange(start, start + n)
            self._suite.update(x, real=False, index=index, distinct=True)
        bad = torch.tensor(float(not finite), device=module.device)
        return float(trainer.strategy.reduce(bad, reduce_op="sum")) == 0

    def _starts(self, trainer: lightning.Trainer, number: int) -> range:
        """Where this rank's chunks begin."""
        return range(0, number, self.chunk)[trainer.global_rank :: trainer.world_size]

    def _bar(self, trainer: lightning.Trainer, chunks: Any, number: int, what: str) -> Any:
        """Show progress on the first process, if it takes long."""
        shown = trainer.is_global_zero and trainer.progress_bar_callback is not None
        total = -(-number // self.chunk // trainer.world_size)
        return tqdm(
            chunks, what, total, leave=False, delay=_QUIET, disable=not shown, dynamic_ncols=True
        )

    def _record(self, trainer: lightning.Trainer, module: AbstractGAN) -> None:
        module.log_row(self.scores)
        for callback in callbacks_of(trainer):
            if isinstance(callback, RunRecorder):
                for name, score in self.scores.items():
                    if score.higher_is_better is not None:
                        callback.record_score(
                            name,
                            float(score),
                            higher_is_better=score.higher_is_better,
                            protocol=score.protocol,
                        )


def direction_of(trainer: lightning.Trainer, name: str) -> bool | None:
    """Whether a higher score of that name is better.

    Args:
        trainer: Whose evaluation callbacks are asked.
        name: Of the score.

    Returns:
        None if nobody knows.
    """
    for callback in callbacks_of(trainer):
        if isinstance(callback, EvaluationCallback) and name in callback.scores:
            return callback.scores[name].higher_is_better
    return None


def _generator(module: AbstractGAN) -> str:
    """Which weights samples come from, in words."""
    if module.ema_halflife is None:
        return "the trained generator"
    return f"the averaged generator (half-life {module.ema_halflife:,} images)"
