"""Scores of the averaged generator during training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, final, runtime_checkable

import lightning
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from tqdm import tqdm

from gan_lightning.callbacks._arguments import positive
from gan_lightning.callbacks._trainer import callbacks_of, datamodule_of
from gan_lightning.callbacks.recorder import RunRecorder
from gan_lightning.families.base import AbstractGAN
from gan_lightning.metrics.cache import RealCache
from gan_lightning.metrics.defaults import default_suite
from gan_lightning.metrics.suite import MetricSuite, Score

__all__ = ["EvaluationCallback", "HasModes", "ServesRealSamples"]

_MOST = 10_000  # samples of either set, unless told otherwise
_QUIET = 3.0  # seconds before a bar appears


@runtime_checkable
class ServesRealSamples(Protocol):
    """A data module that serves real samples to compare with, as all of this package do."""

    @property
    def samples(self) -> int:
        """How many there are."""

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""

    @property
    def identity(self) -> Mapping[str, str | int]:
        """Which samples these are, under "data"."""

    def real_chunks(
        self, number: int | None = None, size: int = 250, rank: int = 0, world_size: int = 1
    ) -> Iterator[Any]:
        """This rank's chunks of `number` samples, ``x`` or ``(x, labels)``."""


@runtime_checkable
class HasModes(Protocol):
    """A mixture whose modes are known."""

    centres: Tensor
    std: float


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
        ValueError: If an argument is out of range, or the data module serves no real samples.
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
        self._evaluated = -1  # the step of the newest evaluation

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Refuse data that cannot be compared with; forget an earlier fit."""
        data = self._data(trainer)
        real = data.samples
        if self.number is not None and self.number > real:
            raise ValueError(
                f"`number` must be at most the {real} real samples there are, got {self.number}."
            )
        self._suite, self._labels, self._evaluated = None, [], -1

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
        if (
            trainer.global_step % self.every_n_steps == 0
            or trainer.global_step == trainer.max_steps
        ):
            self.evaluate(trainer, pl_module)

    def on_train_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Evaluate what came out, unless that is done."""
        if isinstance(pl_module, AbstractGAN) and trainer.global_step > 0:
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
        data = self._data(trainer)
        number = self.number or min(_MOST, data.samples)
        if self._suite is None:
            self._suite = self.suite or suite_of(data, number)
            self._suite.to(module.device)
            self._suite.reset(keep_real=False)
            self._add_real(trainer, module, data, number)
        self._suite.reset()
        self._add_fake(trainer, module, number)
        against = f"against {data.identity['data']}, {_generator(module)}"
        self.scores = {
            name: Score(float(score), score.higher_is_better, f"{score.protocol}, {against}")
            for name, score in self._suite.compute().items()
        }
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
        cache, fingerprint = RealCache(), f"{number} of {data.identity['data']} | "
        fingerprint += self._suite.describe()
        state = cache.read(fingerprint) if self.cache and trainer.is_global_zero else None
        found = trainer.strategy.broadcast(state is not None)
        if state is not None:
            self._suite.load_real_state(state)
        if found and not module.conditional:
            return
        chunks = data.real_chunks(number, self.chunk, trainer.global_rank, trainer.world_size)
        for batch in self._bar(trainer, chunks, number, "Real samples"):
            x, labels = (batch, None) if isinstance(batch, Tensor) else batch
            if labels is not None:
                self._labels.append(labels)
            if not found:
                self._suite.update(x.to(module.device), real=True)
        if self.cache and not found:
            state = self._suite.real_state()
            if trainer.is_global_zero:
                cache.write(fingerprint, state)

    def _add_fake(self, trainer: lightning.Trainer, module: AbstractGAN, number: int) -> None:
        """This rank's chunks of `number` samples."""
        assert self._suite is not None
        chunks = range(0, number, self.chunk)[trainer.global_rank :: trainer.world_size]
        for i, start in enumerate(self._bar(trainer, chunks, number, "Evaluation")):
            n = min(self.chunk, number - start)
            labels = self._labels[i] if module.conditional and self._labels else None
            if labels is not None and bool((labels < 0).any()):  # some samples are unlabelled
                labels = None
            seed = self.seed * 1_000_003 + start
            self._suite.update(module.sample(n, labels, seed=seed).float(), real=False)

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


def _generator(module: AbstractGAN) -> str:
    """Which weights samples come from, in words."""
    if module.ema_halflife is None:
        return "the trained generator"
    return f"the averaged generator (half-life {module.ema_halflife:,} images)"


def suite_of(data: ServesRealSamples, number: int) -> MetricSuite:
    """Choose metrics for a data module and so many samples."""
    modes = (data.centres, data.std) if isinstance(data, HasModes) else None
    kind = type(data).__name__
    if kind == "SemiSupervised":  # a wrapper: the set inside says what the images are
        kind = str(data.identity["data"]).partition("data=")[2].partition("(")[0]
    return default_suite(kind, data.image_shape, number, modes)
