"""A labelled set of which training sees few labels, and held-out samples to validate on.

The protocol is that of Salimans et al. 2016 (arXiv:1606.03498), section 6.1: a stream of all
training samples without labels, beside a stream of the few labelled ones, which repeat.
"""

from typing import Literal, NamedTuple, final
from weakref import ref

import torch
from torch import Tensor

from gan_lightning.data.base import AbstractGANData
from gan_lightning.data.batches import Batches, BatchOrder, Clock, MemorySamples, Order, Samples
from gan_lightning.data.disk import DiskSamples
from gan_lightning.data.mixed import UNLABELLED, LabelledRows, MixedOrder, Validation, shuffled

# Last words of seeds, so that no two purposes share a permutation: far from the numbers of epochs,
# which `epoch_order` has there, and from the word of `mixed`.
_KEEP, _HOLD_OUT = 2**40 + 1, 2**40 + 2


class Split(NamedTuple):
    """Rows of the inner set, int64 each."""

    training: Tensor
    held_out: Tensor
    labelled: Tensor  # positions in `training`, not rows


@final
class SemiSupervised(AbstractGANData):
    """Few labels of a labelled set: batches (x, labels) in which -1 says that a sample has none.

    A batch holds `data.batch_size` samples of the stream of all training samples, whose labels are
    hidden, and `labelled_per_batch` of the labelled ones. Both kinds are interleaved in a fixed
    pattern, so that any number of processes gets equal parts, and all processes together the batch
    of a single one. With all labels or none there is one stream.

    Args:
        data: The labelled set.
        labels: How many samples keep their labels, equally many of each class; "all" or 0 as well.
        labelled_per_batch: Labelled samples per batch and process; None takes as many as
            `data.batch_size`, or none where all labels are kept or hidden.
        label_seed: Chooses the samples that keep their labels.
        validation: The share of each class that is held out and never trained on, or a set of its
            own for validation (a test split); 0 holds nothing out.
        validation_seed: Chooses the samples that are held out.

    Raises:
        ValueError: If the set has no labels, or an argument is out of range.
    """

    def __init__(
        self,
        data: AbstractGANData,
        labels: int | Literal["all"] = 100,
        labelled_per_batch: int | None = None,
        label_seed: int = 0,
        validation: AbstractGANData | float = 0.2,
        validation_seed: int = 0,
    ) -> None:
        classes = _classes(data)
        _check_labels(labels, classes)
        _check_validation(validation, data)
        if labelled_per_batch is None:
            labelled_per_batch = 0 if labels in ("all", 0) else data.batch_size
        _check_labelled_per_batch(labelled_per_batch, labels)
        facts: dict[str, object] = {
            "data": _Verbatim(_described(data)),
            "labels": labels,
            "labelled_per_batch": labelled_per_batch,
            "label_seed": label_seed,
            "validation": validation,
            "validation_seed": validation_seed,
        }
        if isinstance(validation, AbstractGANData):
            facts["validation"] = _Verbatim(_described(validation))
        batch_size = data.batch_size + labelled_per_batch
        super().__init__(data.image_shape, classes, batch_size, facts)
        self.data = data
        self.labels = labels
        self.labelled_per_batch = labelled_per_batch
        self.label_seed = label_seed
        self.validation = validation
        self.validation_seed = validation_seed
        self._held_out: Samples | None = None
        self._labelled = torch.empty(0, dtype=torch.int64)

    def prepare_data(self) -> None:
        """Let the inner set download its files."""
        self.data.prepare_data()
        if isinstance(self.validation, AbstractGANData):
            self.validation.prepare_data()

    def read(self) -> Samples:
        """Read the inner set, hide labels and hold samples out.

        Raises:
            FileNotFoundError: If files are missing.
            ValueError: If a file is corrupt, or a class has too few samples.
        """
        samples = self.data.read()
        labels = _labels_of(samples)
        split = self._split(labels)
        kept = torch.full_like(split.training, UNLABELLED)
        kept[split.labelled] = labels[split.training[split.labelled]]
        self._labelled = split.labelled
        if isinstance(self.validation, AbstractGANData):
            self._held_out = self.validation.read()
        elif len(split.held_out):
            self._held_out = LabelledRows(samples, split.held_out, labels[split.held_out])
        if not self.labelled_per_batch:
            return LabelledRows(samples, split.training, kept)
        # Two copies of the training set: hidden labels first, then the labels that are kept.
        hidden = torch.full_like(kept, UNLABELLED)
        return LabelledRows(samples, split.training.repeat(2), torch.cat([hidden, kept]))

    @property
    def samples(self) -> int:
        """Number of training samples."""
        copies = 2 if self.labelled_per_batch else 1
        return len(self._read_samples()) // copies

    def digest(self) -> str | None:
        """Of the inner set's files."""
        return self.data.digest()

    def train_dataloader(self) -> Batches:
        """The batches of training, (x, labels).

        Raises:
            ValueError: If an epoch does not hold one batch for every process.
        """
        world_size, rank = self._place()
        samples = self._read_samples()
        stream = BatchOrder(self.samples, self.data.batch_size, world_size, rank)
        order: Order = stream
        if self.labelled_per_batch:
            order = MixedOrder(stream, self._labelled, self.labelled_per_batch)
        clock = self._clock if self.trainer is not None else Clock(self._module)
        batches = Batches(samples, order, clock, self._overfit_cycle(len(order)))
        self._batches = ref(batches)
        return batches

    def val_dataloader(self) -> "Validation | list[Validation]":
        """The held-out samples in order, (x, labels); an empty list where there are none."""
        self._read_samples()
        if self._held_out is None:
            return []
        return Validation(self._held_out, self.data.batch_size, *self._place())

    def _place(self) -> tuple[int, int]:
        trainer = self.trainer
        return (1, 0) if trainer is None else (trainer.world_size, trainer.global_rank)

    def _split(self, labels: Tensor) -> Split:
        share = 0.0 if isinstance(self.validation, AbstractGANData) else self.validation
        classes = range(self.num_classes or 0)
        order = shuffled(len(labels), self.validation_seed, _HOLD_OUT)
        held = [rows[: round(share * len(rows))] for rows in _by_class(order, labels, classes)]
        held_out = torch.cat(held).sort().values
        staying = torch.ones(len(labels), dtype=torch.bool)
        staying[held_out] = False
        training = staying.nonzero()[:, 0]
        if self.labels == "all":
            return Split(training, held_out, torch.arange(len(training)))
        each = self.labels // len(classes)
        positions = shuffled(len(training), self.label_seed, _KEEP)
        own = _by_class(positions, labels[training], classes)
        for number, candidates in enumerate(own):
            if len(candidates) < each:
                raise ValueError(
                    f"`labels` must be at most {len(classes)} times the training samples of the "
                    f"smallest class, but class {number} has {len(candidates)}, got {self.labels}."
                )
        kept = torch.cat([candidates[:each] for candidates in own]).sort().values
        return Split(training, held_out, kept)


class _Verbatim(str):
    """Text that is its own ``repr``, for the arguments in ``identity``."""

    def __repr__(self) -> str:
        return str(self)


def _described(data: AbstractGANData) -> str:
    facts = {name: value for name, value in data._facts.items() if value is not None}
    arguments = ", ".join(f"{name}={value!r}" for name, value in facts.items())
    return f"{type(data).__name__}({arguments})"


def _by_class(rows: Tensor, labels: Tensor, classes: range) -> list[Tensor]:
    """The rows of each class, in the order in which they come."""
    return [rows[labels[rows] == number] for number in classes]


def _labels_of(samples: Samples) -> Tensor:
    labels = None
    if isinstance(samples, MemorySamples):
        labels = samples.labels
    elif isinstance(samples, DiskSamples):
        labels = samples._images.labels
    if labels is not None:
        return labels
    # Samples of somebody else's: read through them once.
    rows = torch.split(torch.arange(len(samples)), 256)
    return torch.cat([batch[1] for batch in samples.batches(iter(rows))])


def _classes(data: AbstractGANData) -> int:
    if data.num_classes is None:
        raise ValueError(
            f"`data` must be a labelled set, got {type(data).__name__}, which has no classes."
        )
    return data.num_classes


def _check_labels(labels: int | str, classes: int) -> None:
    if labels == "all":
        return
    if not isinstance(labels, int) or isinstance(labels, bool) or labels < 0 or labels % classes:
        raise ValueError(
            f"`labels` must be 'all' or a multiple of the {classes} classes, equally many of each, "
            f"got {labels!r}."
        )


def _check_labelled_per_batch(number: int, labels: int | str) -> None:
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise ValueError(
            f"`labelled_per_batch` must be an integer of at least 0, or None, got {number!r}."
        )
    if number and labels == 0:
        raise ValueError(
            f"`labelled_per_batch` must be 0 where `labels` is 0, because there are none to take, "
            f"got {number}."
        )


def _check_validation(validation: AbstractGANData | float, data: AbstractGANData) -> None:
    if not isinstance(validation, AbstractGANData):
        if not 0 <= validation < 1:
            raise ValueError(f"`validation` must be a share in [0, 1), got {validation!r}.")
        return
    if isinstance(validation, SemiSupervised) or _described(validation) == _described(data):
        raise ValueError(
            "`validation` must be another set or split than `data`, whose samples are trained on, "
            f"got {_described(validation)} twice."
        )
    own, other = ((d.image_shape, d.num_classes) for d in (data, validation))
    if own != other:
        raise ValueError(
            f"`validation` must have the image shape and the classes of `data`, {own}, got {other}."
        )
