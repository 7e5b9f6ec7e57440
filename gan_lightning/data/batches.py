"""Which samples make which batch: a pure function of (seed, number of batches served so far).

Nothing about the order is ever saved. A run that is resumed after ``n`` discriminator updates asks
for the batches from number ``n`` on and gets what the uninterrupted run got. Lightning's own epoch
counters cannot serve: after some resumes they count an epoch twice.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, final, runtime_checkable

import torch
from torch import Tensor

from gan_lightning._seeds import mix

Batch: TypeAlias = Tensor | tuple[Tensor, Tensor]
"""``x`` of shape ``(N, *image_shape)``, or ``(x, labels)`` with int64 labels of shape ``(N,)``."""


def epoch_order(samples: int, seed: int, epoch: int) -> Tensor:
    """The order of one epoch, the same on every rank and machine.

    Args:
        samples: Number of samples in the set.
        seed: Seed of the run.
        epoch: Number of the epoch, from 0.

    Returns:
        A permutation of ``range(samples)``, int64, shape ``(samples,)``.
    """
    return torch.randperm(samples, generator=torch.Generator().manual_seed(mix(seed, epoch)))


@final
@dataclass(frozen=True)
class BatchOrder:
    """How the permutations of the epochs are cut into batches and shared among ranks.

    A global batch is ``batch_size * world_size`` consecutive entries of the epoch's permutation,
    and a rank gets contiguous rows of it: the ranks' batches put together are the batch of a single
    process. What is left at the end of an epoch is dropped.

    Args:
        samples: Number of samples in the set.
        batch_size: Samples per batch and rank.
        world_size: Number of ranks.
        rank: This process's rank.

    Raises:
        ValueError: If an epoch does not hold a single global batch.
    """

    samples: int
    batch_size: int
    world_size: int = 1
    rank: int = 0

    def __post_init__(self) -> None:
        if self.global_batch > self.samples:
            raise ValueError(
                "`batch_size` times the number of processes must be at most the number of samples, "
                f"{self.samples}, got {self.batch_size} x {self.world_size} = {self.global_batch}."
            )

    @property
    def global_batch(self) -> int:
        """Samples per batch, all ranks together."""
        return self.batch_size * self.world_size

    def __len__(self) -> int:
        return self.samples // self.global_batch

    def rows(self, seed: int, start: int) -> Iterator[Tensor]:
        """This rank's indices, batch after batch and epoch after epoch, without end.

        Args:
            seed: Seed of the run.
            start: Number of the first batch, counted from the beginning of the run.

        Yields:
            Indices into the set, int64, shape ``(batch_size,)``.
        """
        epoch, position = divmod(start, len(self))
        while True:
            order = epoch_order(self.samples, seed, epoch)
            for at in range(position, len(self)):
                first = at * self.global_batch + self.rank * self.batch_size
                yield order[first : first + self.batch_size]
            epoch, position = epoch + 1, 0


class Samples(Protocol):
    """Where the samples lie: in memory or on disk."""

    def __len__(self) -> int:
        """Number of samples."""

    def batches(self, rows: Iterator[Tensor]) -> Iterator[Batch]:
        """One batch for each index tensor of ``rows``, in the same order."""


@final
class MemorySamples:
    """Samples held in memory; a batch is one ``index_select``.

    Args:
        x: All samples, uint8 images ``(N, C, H, W)`` or float32 points ``(N, d)``.
        labels: Their classes, int64 ``(N,)``, or None for an unlabelled set.
    """

    def __init__(self, x: Tensor, labels: Tensor | None = None) -> None:
        self.x = x.contiguous()
        self.labels = labels

    def __len__(self) -> int:
        return len(self.x)

    def batches(self, rows: Iterator[Tensor]) -> Iterator[Batch]:
        """One batch for each index tensor of ``rows``, in the same order."""
        for row in rows:
            x = self.x.index_select(0, row)
            yield x if self.labels is None else (x, self.labels.index_select(0, row))


class Order(Protocol):
    """Which rows make which batch of this rank: `BatchOrder`, or `mixed.MixedOrder`."""

    def __len__(self) -> int:
        """Batches of an epoch."""

    def rows(self, seed: int, start: int) -> Iterator[Tensor]:
        """The rows of batch number ``start`` and of all that follow."""


@runtime_checkable
class CountsUpdates(Protocol):
    """A module that knows how many batches its discriminator has seen, and its run's seed."""

    discriminator_updates: int
    run_seed: int


@final
class Clock:
    """How far training is: the module's own count where it keeps one, else the batches served here.

    Args:
        module: Returns the module in training, or None outside of a Trainer.
    """

    def __init__(self, module: Callable[[], object]) -> None:
        self._module = module
        self.served = 0

    @property
    def counts_itself(self) -> bool:
        """Whether the count of batches is kept here, because the module keeps none."""
        return not isinstance(self._module(), CountsUpdates)

    def read(self) -> tuple[int, int]:
        """The seed of the run and the number of the next batch."""
        module = self._module()
        if isinstance(module, CountsUpdates):
            return module.run_seed, module.discriminator_updates
        return int(os.environ.get("PL_GLOBAL_SEED", 0)), self.served


@final
class Batches:
    """The iterable that training reads: ``len(batches)`` batches from wherever training stands.

    It is not a torch DataLoader, so Lightning puts no sampler of its own into it. An iteration that
    starts in the middle of an epoch (after a resume) runs over into the next one: Lightning takes
    from it only what its epoch still lacks.

    Args:
        samples: The set.
        order: Its order and this rank's share.
        clock: Tells where training stands.
        cycle: If given, only the first ``cycle`` batches of the first epoch are ever served
            (``Trainer(overfit_batches=...)``).
    """

    def __init__(
        self, samples: Samples, order: Order, clock: Clock, cycle: int | None = None
    ) -> None:
        self._samples = samples
        self._order = order
        self._clock = clock
        self._cycle = cycle
        self._stream: Iterator[Batch] = iter(())
        self._next: tuple[int, int] | None = None  # (seed, number) of the stream's next batch

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Batch]:
        # The clock is read at the first `next`, not at `iter`: Lightning calls `iter` long before
        # it needs a batch. Nothing may stand after the last `yield`, because Lightning stops asking
        # at `len`.
        seed, start = self._clock.read()
        for number in range(start, start + len(self)):
            batch = self._fetch(seed, number if self._cycle is None else number % self._cycle)
            self._clock.served = number + 1
            yield batch

    def _fetch(self, seed: int, number: int) -> Batch:
        if self._next != (seed, number):  # else the open stream goes on, with its worker processes
            self._stream = self._samples.batches(self._order.rows(seed, number))
        batch = next(self._stream)
        self._next = (seed, number + 1)
        return batch

    def close(self) -> None:
        """Let go of the open stream, which ends its worker processes."""
        self._stream, self._next = iter(()), None

    # With these two Lightning knows that the loader can go on in the middle of an epoch, and does
    # not warn that it cannot. They are empty because the position follows from the clock.
    def state_dict(self) -> dict[str, Any]:
        """Nothing: the position is a function of the module's counter."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing to restore."""
