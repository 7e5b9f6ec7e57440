"""Images that stay on disk and are decoded when a batch needs them."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from gan_lightning.data.batches import Batch, MemorySamples

_Loaded: TypeAlias = Batch | str  # a batch, or the sentence that says why there is none


def load_image(source: Path | BytesIO, shape: tuple[int, ...], crop: int | None = None) -> Tensor:
    """Decode an image, cut out its middle and resize it. Grey levels of 16 bits are scaled to 8.

    Args:
        source: File name or encoded bytes, in any format that PIL reads.
        shape: ``(C, S, S)`` with C = 1 (grey) or 3 (RGB).
        crop: Side of the square that is cut out of the middle, in the original's pixels; None, or a
            side longer than the image, takes the largest square.

    Returns:
        uint8 tensor of that shape (PIL's bicubic filter, antialiased).

    Raises:
        ValueError: If the pixels are floats, or integers beyond 16 bits: what is white is unknown.
        OSError: If it is no image, or incomplete.
    """
    channels, size, _ = shape
    with Image.open(source) as opened:
        image = _in_8_bits(opened).convert("L" if channels == 1 else "RGB")
    side = min(*image.size, crop or max(image.size))
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.crop((left, top, left + side, top + side))
    pixels = np.array(image.resize((size, size), Image.Resampling.BICUBIC))
    return torch.from_numpy(pixels.reshape(size, size, channels)).permute(2, 0, 1).contiguous()


def _in_8_bits(image: Image.Image) -> Image.Image:
    """Scale 16 bits to 8, where PIL's own conversion would cut off at 255."""
    if image.mode == "F":
        raise ValueError("its pixels are floats, mode F, whose white is unknown")
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    pixels = np.asarray(image).astype(np.int64)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError("its pixels are integers beyond 16 bits, whose white is unknown")
    return Image.fromarray(((pixels + 128) // 257).astype(np.uint8))  # 65535 / 257 = 255


def digest_of(lines: Iterable[str]) -> str:
    """Sum up what a set is made of.

    Args:
        lines: File names and sizes, in an order that does not change.

    Returns:
        16 hexadecimal digits (BLAKE2b).
    """
    digest = hashlib.blake2b(digest_size=8)
    for line in lines:
        digest.update(line.encode(errors="surrogateescape") + b"\n")
    return digest.hexdigest()


class AbstractImages(Dataset[Tensor], ABC):
    """Encoded images and how to reach them.

    Args:
        shape: ``(C, S, S)`` of the decoded images.
        labels: Classes, int64 ``(N,)``, or None.
        crop: As in :func:`load_image`.
    """

    def __init__(
        self, shape: tuple[int, ...], labels: Tensor | None = None, crop: int | None = None
    ) -> None:
        self.shape = shape
        self.labels = labels
        self.crop = crop

    @abstractmethod
    def __len__(self) -> int:
        """Number of images."""

    @abstractmethod
    def source(self, row: int) -> Path | BytesIO:
        """Where image ``row`` can be decoded from."""

    @abstractmethod
    def name(self, row: int) -> str:
        """What to call image ``row`` in a message."""

    def __getitem__(self, row: int) -> Tensor:
        """Image ``row``, uint8 of shape ``shape``.

        Raises:
            ValueError: If it cannot be decoded.
        """
        try:
            return load_image(self.source(row), self.shape, self.crop)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise ValueError(
                f"Image {self.name(row)} must be a complete image file, found one that cannot be "
                f"decoded ({error})."
            ) from error

    def __getitems__(self, rows: Sequence[int]) -> _Loaded:
        """A whole batch, or the sentence about the image that could not be decoded.

        An exception raised in a worker process would reach the user with the worker's trace in its
        message.
        """
        try:
            x = torch.stack([self[row] for row in rows])
        except ValueError as error:
            return str(error)
        return x if self.labels is None else (x, self.labels[torch.as_tensor(rows)])


@final
class FileImages(AbstractImages):
    """Images in files of their own.

    Args:
        paths: The files.
        shape: ``(C, S, S)`` of the decoded images.
        labels: Classes, int64 ``(N,)``, or None.
        crop: As in :func:`load_image`.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        shape: tuple[int, ...],
        labels: Tensor | None = None,
        crop: int | None = None,
    ) -> None:
        super().__init__(shape, labels, crop)
        # One array of strings, not a list of objects: worker processes would copy each object's
        # page on touching its reference count.
        self._paths = np.array([str(path) for path in paths])

    def __len__(self) -> int:
        return len(self._paths)

    def source(self, row: int) -> Path:
        """The file's path."""
        return Path(self.name(row))

    def name(self, row: int) -> str:
        """The file's path."""
        return str(self._paths[row])


@final
class DiskSamples:
    """Samples that are decoded batch by batch, in this process or in worker processes.

    The order comes from outside and is the same for any number of workers. The torch DataLoader in
    here is never seen by Lightning, which would exchange its sampler under DDP.

    Args:
        images: The images.
        num_workers: Worker processes; 0 decodes in this one.
    """

    def __init__(self, images: AbstractImages, num_workers: int = 0) -> None:
        self._images = images
        self._num_workers = num_workers

    def __len__(self) -> int:
        return len(self._images)

    def batches(self, rows: Iterator[Tensor]) -> Iterator[Batch]:
        """One batch for each index tensor of ``rows``, in the same order.

        Raises:
            ValueError: If an image cannot be decoded.
        """
        loader: DataLoader[Tensor] = DataLoader(
            self._images,
            batch_sampler=map(Tensor.tolist, rows),  # any iterable will do
            num_workers=self._num_workers,
            collate_fn=_as_it_is,
            generator=torch.Generator(),  # else it draws its seed from the global generator
            pin_memory=torch.cuda.is_available(),
        )
        for batch in loader:
            yield _checked(batch)

    def in_memory(self) -> MemorySamples:
        """Decode everything once.

        Raises:
            ValueError: If an image cannot be decoded.
        """
        chunks = torch.split(torch.arange(len(self)), 256)
        images = torch.empty(len(self), *self._images.shape, dtype=torch.uint8)
        for chunk, batch in zip(chunks, self.batches(iter(chunks)), strict=True):
            images[chunk] = batch if isinstance(batch, Tensor) else batch[0]
        return MemorySamples(images, self._images.labels)


def _as_it_is(batch: Any) -> Any:  # ``__getitems__`` has made the batch already
    return batch


def _checked(batch: _Loaded) -> Batch:
    if isinstance(batch, str):
        raise ValueError(batch)
    if isinstance(batch, list):  # what pinning makes of a tuple
        return batch[0], batch[1]
    return batch
