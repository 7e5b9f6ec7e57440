"""The base of all data modules."""

import errno
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import ReferenceType, ref

import torch
from lightning import LightningDataModule, LightningModule
from torch import Tensor

from gan_lightning.data.batches import Batch, Batches, BatchOrder, Clock, Samples, epoch_order

_EVALUATION = 2**40 + 4  # the word of `real_chunks` among the seeds of permutations


class AbstractGANData(LightningDataModule, ABC):
    """A set of real samples: its shape, its classes, and the order in which training meets it.

    Batches are ``x`` for an unlabelled set and ``(x, labels)`` for a labelled one. Images travel as
    uint8 and become floats in [-1, 1] on the device, in the dtype of the generator's parameters, by
    ``on_after_batch_transfer``. The order is a function of the run's seed and of the number of
    discriminator updates alone: it depends neither on worker processes nor on the number of ranks,
    and a resumed run goes on exactly where it was. The last, partial batch of an epoch is dropped.

    With a module of another library (one without ``discriminator_updates``) the data module counts
    the batches itself and keeps the count in the checkpoint.

    Args:
        image_shape: Shape of one sample, ``(C, H, W)`` for images, ``(d,)`` for points.
        num_classes: Number of classes, or None for an unlabelled set.
        batch_size: Samples per batch and process.
        facts: The arguments that decide which samples are served, for ``identity``.

    Raises:
        ValueError: If ``batch_size`` is not a positive integer.
    """

    def __init__(
        self,
        image_shape: tuple[int, ...],
        num_classes: int | None,
        batch_size: int,
        facts: dict[str, object],
    ) -> None:
        super().__init__()
        check_positive("batch_size", batch_size)
        self.image_shape = image_shape
        self.num_classes = num_classes
        self.batch_size = batch_size
        self._facts = facts
        self._samples: Samples | None = None
        self._digest: str | None = None
        # Weak, because a cycle would leave worker processes to the garbage collector, which takes
        # their queues apart in any order: ending them then takes seconds.
        self._batches: ReferenceType[Batches] | None = None
        self._clock = Clock(self._module)

    @abstractmethod
    def read(self) -> Samples:
        """Read the set; called once in every process.

        Raises:
            FileNotFoundError: If files are missing.
            ValueError: If a file is corrupt.
        """

    def setup(self, stage: str | None = None) -> None:
        """Read the set unless that is done; outside of a Trainer also download it if asked to."""
        if self._samples is not None:
            return
        if self.trainer is None:
            self.prepare_data()
        self._samples = self.read()

    def train_dataloader(self) -> Batches:
        """The batches of training, in which images are uint8 until ``on_after_batch_transfer``.

        Raises:
            ValueError: If an epoch does not hold one batch for every process.
        """
        trainer = self.trainer
        world_size, rank = (1, 0) if trainer is None else (trainer.world_size, trainer.global_rank)
        samples = self._read_samples()
        order = BatchOrder(len(samples), self.batch_size, world_size, rank)
        clock = self._clock if trainer is not None else Clock(self._module)
        batches = Batches(samples, order, clock, self._overfit_cycle(len(order)))
        self._batches = ref(batches)
        return batches

    def real_chunks(
        self, number: int | None = None, size: int = 250, rank: int = 0, world_size: int = 1
    ) -> Iterator[Batch]:
        """Real samples to compare generated ones with, as a metric wants them.

        They are drawn without replacement by a fixed seed, cut into chunks, and the chunks are
        dealt out to the ranks: no sample comes twice, none is missing, and each chunk is the same
        however many ranks there are. Training is not touched.

        Args:
            number: How many samples, all ranks together; None takes all.
            size: Samples per chunk; the last one may be smaller.
            rank: This process's rank.
            world_size: Number of ranks.

        Yields:
            ``x`` or ``(x, labels)`` of this rank, float32 on the CPU.

        Raises:
            ValueError: If ``number`` or ``size`` is not positive, or there are fewer samples.
        """
        check_positive("size", size)
        samples = self.samples
        number = samples if number is None else number
        check_positive("number", number)
        if number > samples:
            raise ValueError(f"`number` must be at most the {samples} real samples, got {number}.")
        order = epoch_order(samples, _EVALUATION, 0)[:number]
        for batch in self._read_samples().batches(iter(torch.split(order, size)[rank::world_size])):
            if isinstance(batch, Tensor):
                yield to_unit_range(batch, torch.float32)
            else:
                yield to_unit_range(batch[0], torch.float32), batch[1]

    def digest(self) -> str | None:
        """A digest of the files that the samples come from; None where the arguments say it all.

        Asked for once, in a fit: a list of the files may take seconds.
        """
        return None

    @property
    def samples(self) -> int:
        """Number of samples in the set (which is read for it, if it has not been)."""
        return len(self._read_samples())

    @property
    def identity(self) -> dict[str, str | int]:
        """What must not change when a run is resumed; plain types, for the checkpoint."""
        samples = self.samples  # first, because missing files have a sentence there
        if self._digest is None:
            self._digest = self.digest()
        facts = {**self._facts, "files": self._digest}
        arguments = ", ".join(
            f"{name}={value!r}" for name, value in facts.items() if value is not None
        )
        world_size = 1 if self.trainer is None else self.trainer.world_size
        return {
            "data": f"{type(self).__name__}({arguments})",
            "samples": samples,
            "global_batch": self.batch_size * world_size,
        }

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Turn uint8 images into floats in [-1, 1], on the device where they are.

        Args:
            batch: ``x`` or ``(x, labels)``, uint8 images or float points.
            dataloader_idx: Not used.

        Returns:
            The batch with ``x`` in the dtype of the generator's parameters (float32 without a
            module).
        """
        if isinstance(batch, Tensor):
            return to_unit_range(batch, self._dtype())
        x, *rest = batch
        return (to_unit_range(x, self._dtype()), *rest)

    def state_dict(self) -> dict[str, Any]:
        """The number of batches served, if the module keeps no count of its own; else nothing."""
        return {"batches_served": self._clock.served} if self._clock.counts_itself else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the number of batches served."""
        self._clock.served = state_dict.get("batches_served", 0)

    def teardown(self, stage: str) -> None:
        """End the worker processes; the samples stay in memory for the next run."""
        batches = None if self._batches is None else self._batches()
        if batches is not None:
            batches.close()

    def on_exception(self, exception: BaseException) -> None:
        """End the worker processes."""
        self.teardown("fit")

    def _read_samples(self) -> Samples:
        self.setup()
        assert self._samples is not None
        return self._samples

    def _module(self) -> LightningModule | None:
        return None if self.trainer is None else self.trainer.lightning_module

    def _dtype(self) -> torch.dtype:
        module = self._module()
        if module is None:
            return torch.float32
        networks = dict(module.named_children())
        for parameter in networks.get("generator", module).parameters():
            if parameter.is_floating_point():
                return parameter.dtype
        return torch.float32

    def _overfit_cycle(self, batches: int) -> int | None:
        # mypy: Lightning sets the attribute from outside of the Trainer class.
        overfit = 0 if self.trainer is None else self.trainer.overfit_batches  # type: ignore[attr-defined]
        if overfit == 0:
            return None
        # Lightning's rule: an int is a number of batches, a float a share of them.
        return min(overfit, batches) if isinstance(overfit, int) else max(1, int(overfit * batches))


_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def fetching(name: str, root: Path) -> Iterator[None]:
    """Say in one sentence that a download failed.

    Args:
        name: The set.
        root: Where it was to be laid.

    Raises:
        ConnectionError: If anything is raised inside: torchvision, urllib and gdown have all kinds.
        OSError: As it is, if the disk is full or the folder may not be written.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConnectionError(
            f"`download` needs the network, but {name} could not be fetched into '{root}': {reason}"
        ) from error


def to_unit_range(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Map uint8 pixels 0..255 to [-1, 1]; other tensors only change their dtype.

    Args:
        x: uint8 images of any shape, or floats.
        dtype: Floating dtype of the result.

    Returns:
        ``x / 127.5 - 1`` for uint8, where 0 gives -1 and 255 gives 1 exactly.
    """
    if x.dtype != torch.uint8:
        return x.to(dtype)
    # Half precisions would lose a grey level to rounding on the way.
    return x.to(torch.promote_types(dtype, torch.float32)).div_(127.5).sub_(1.0).to(dtype)


def check_positive(name: str, value: int) -> None:
    """Refuse anything but a positive integer.

    Raises:
        ValueError: If ``value`` is not an integer >= 1.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`{name}` must be an integer of at least 1, got {value!r}.")


def check_image_size(
    image_size: int, largest: int = 256, native: int | None = None, name: str = "image_size"
) -> None:
    """Refuse image sizes that no network here is built for.

    Args:
        image_size: Side of the square images in pixels.
        largest: Largest power of two that is allowed.
        native: One more size that is allowed, the set's own.
        name: The argument's name.

    Raises:
        ValueError: If ``image_size`` is neither a power of two from 8 to ``largest`` nor
            ``native``.
    """
    allowed = [8 << power for power in range(6) if 8 << power <= largest]
    if native is not None and native not in allowed:
        allowed.append(native)
    if isinstance(image_size, bool) or image_size not in allowed:
        listed = ", ".join(str(size) for size in sorted(allowed))
        raise ValueError(f"`{name}` must be one of {listed}, got {image_size!r}.")


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a value that is not among ``choices``.

    Raises:
        ValueError: If it is not.
    """
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {', '.join(choices)}, got {value!r}.")
