"""Batches of two streams, samples without labels and samples with them, and batches to validate on.

Like every order in this room it is a pure function of (seed, number of batches served so far).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from gan_lightning._seeds import mix
from gan_lightning.data.batches import Batch, BatchOrder, Samples

UNLABELLED = -1
_ORDER = 3  # last word of the seeds of the labelled stream


def shuffled(size: int, *seeds: int) -> Tensor:
    """A permutation of ``range(size)``, int64, the same on every rank and machine."""
    return torch.randperm(size, generator=torch.Generator().manual_seed(mix(*seeds)))


@final
@dataclass(frozen=True)
class MixedOrder:
    """Batches of a stream of all samples and of a second stream of the labelled ones.

    Rows from ``stream.samples`` on stand for the same samples with their labels shown. The labelled
    stream is one permutation of the labelled samples after the other, cut without regard to their
    ends: there may be fewer of them than a batch takes.

    Args:
        stream: The order of all samples, and this rank's share.
        labelled: Which of them have a label, int64 ``(K,)``.
        per_batch: Labelled samples per batch and rank.
    """

    stream: BatchOrder
    labelled: Tensor
    per_batch: int

    def __len__(self) -> int:
        return len(self.stream)

    def rows(self, seed: int, start: int) -> Iterator[Tensor]:
        """This rank's rows from batch number ``start`` on, ``(batch_size + per_batch,)`` each."""
        # Blocks of the smallest size that holds both kinds in the right proportion: however many
        # ranks there are, each gets whole blocks, and together they get those of a single one.
        blocks = math.gcd(self.stream.batch_size, self.per_batch)
        both = zip(self.stream.rows(seed, start), self._labelled(seed, start), strict=True)
        for hidden, shown in both:
            pair = [hidden.view(blocks, -1), self.stream.samples + shown.view(blocks, -1)]
            yield torch.cat(pair, dim=1).flatten()

    def _labelled(self, seed: int, start: int) -> Iterator[Tensor]:
        size, rank = len(self.labelled), self.stream.rank
        taken = self.per_batch * self.stream.world_size
        epoch, offset = divmod(start * taken, size)
        rest = self.labelled[shuffled(size, seed, epoch, _ORDER)][offset:]
        while True:
            while len(rest) < taken:
                epoch += 1
                rest = torch.cat([rest, self.labelled[shuffled(size, seed, epoch, _ORDER)]])
            yield rest[rank * self.per_batch : (rank + 1) * self.per_batch]
            rest = rest[taken:]


@final
class LabelledRows:
    """Some rows of a set, with labels of their own.

    Args:
        samples: The set.
        rows: Its rows that count, int64 ``(N,)``; one may come twice.
        labels: Their labels, int64 ``(N,)``.
    """

    def __init__(self, samples: Samples, rows: Tensor, labels: Tensor) -> None:
        self._samples = samples
        self._rows = rows
        self._labels = labels

    def __len__(self) -> int:
        return len(self._rows)

    def batches(self, rows: Iterator[Tensor]) -> Iterator[Batch]:
        """One batch (x, labels) for each index tensor of ``rows``, in the same order."""
        asked: list[Tensor] = []  # by worker processes ahead of what they have delivered

        def inner() -> Iterator[Tensor]:
            for row in rows:
                asked.append(row)
                yield self._rows[row]

        for batch in self._samples.batches(inner()):
            x = batch if isinstance(batch, Tensor) else batch[0]
            yield x, self._labels[asked.pop(0)]


@final
class Validation:
    """Held-out samples in order: ``(x, labels)``, each sample once on all processes together.

    Every process gets equally many samples. What fills up the last batch has the label -1.

    Args:
        samples: The held-out samples.
        batch_size: Samples per batch and process.
        world_size: Number of processes.
        rank: This one.
    """

    def __init__(self, samples: Samples, batch_size: int, world_size: int, rank: int) -> None:
        self._samples = samples
        self._batch_size = batch_size
        self._world_size = world_size
        self._rank = rank

    def __len__(self) -> int:
        return math.ceil(len(self._samples) / (self._batch_size * self._world_size))

    def __iter__(self) -> Iterator[Batch]:
        rows = self._own_rows()
        served = self._samples.batches(row.clamp(max=len(self._samples) - 1) for row in rows)
        for row, (x, labels) in zip(rows, served, strict=True):
            yield x, torch.where(row < len(self._samples), labels, UNLABELLED)

    def _own_rows(self) -> list[Tensor]:
        """Rows of each batch; those from ``len(samples)`` on only fill up."""
        per_rank = math.ceil(len(self._samples) / self._world_size)
        first = self._rank * per_rank
        return list(torch.split(torch.arange(first, first + per_rank), self._batch_size))
