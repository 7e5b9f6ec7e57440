"""What the published sets of small square images have in common."""

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor

from gan_lightning.data.base import (
    AbstractGANData,
    check_choice,
    check_image_size,
    check_positive,
    fetching,
)
from gan_lightning.data.batches import MemorySamples
from gan_lightning.data.images import resize


class AbstractPublished(AbstractGANData):
    """A published set of small labelled images, downloaded once and held in memory as bytes.

    Images are resized once, when they are read.

    Args:
        root: Folder of the files.
        image_size: Side of the images in pixels, a power of two from 8 to 256 (or the set's own).
        batch_size: Samples per batch and process.
        split: ``"train"``, ``"test"`` or ``"all"`` (both, in this order).
        limit: Keep only the first so many samples.
        download: Download the files into ``root`` if they are missing.

    Raises:
        ValueError: If an argument is out of range.
    """

    _channels: ClassVar[int] = 3
    _native_size: ClassVar[int | None] = None
    _classes: ClassVar[int] = 10

    def __init__(
        self,
        root: str | Path = "data",
        image_size: int = 32,
        batch_size: int = 64,
        split: Literal["train", "test", "all"] = "train",
        limit: int | None = None,
        download: bool = False,
    ) -> None:
        check_image_size(image_size, native=self._native_size)
        check_choice("split", split, ("train", "test", "all"))
        if limit is not None:
            check_positive("limit", limit)
        facts: dict[str, object] = {"image_size": image_size, "split": split, "limit": limit}
        shape = (self._channels, image_size, image_size)
        super().__init__(shape, self._classes, batch_size, facts)
        self._root = Path(root)
        self._splits = ("train", "test") if split == "all" else (split,)
        self._limit = limit
        self._download = download

    def prepare_data(self) -> None:
        """Download the files if that was asked for and some are missing.

        Raises:
            ConnectionError: If they cannot be downloaded.
        """
        if self._download and self._missing():
            with fetching(type(self).__name__, self._root):
                self._fetch()

    def read(self) -> MemorySamples:
        """Read, check, cut and resize the images.

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If a file is corrupt.
        """
        if missing := self._missing():
            places = " or ".join(str(folder) for folder in self._folders())
            raise FileNotFoundError(
                f"{type(self).__name__} needs the files {', '.join(missing)} in {places}, where "
                f"they are missing: {self._remedy()}."
            )
        parts = [part for split in self._splits for part in self._read_split(split)]
        images, labels = (torch.cat(pieces)[: self._limit] for pieces in zip(*parts, strict=True))
        return MemorySamples(resize(images, self.image_shape[-1]), labels)

    @abstractmethod
    def _file_names(self, split: str) -> tuple[str, ...]:
        """Names of the files that hold ``"train"`` or ``"test"``."""

    @abstractmethod
    def _folders(self) -> tuple[Path, ...]:
        """Where files are looked for, in this order."""

    @abstractmethod
    def _fetch(self) -> None:
        """Download what is missing."""

    @abstractmethod
    def _read_split(self, split: str) -> list[tuple[Tensor, Tensor]]:
        """Read uint8 images ``(N, C, S, S)`` and int64 labels ``(N,)``, part by part."""

    def _remedy(self) -> str:
        return "pass `download=True`"

    def _candidates(self, name: str) -> list[Path]:
        return [folder / name for folder in self._folders()]

    def _find(self, name: str) -> Path:
        """Where a file is, or should be."""
        candidates = self._candidates(name)
        return next((path for path in candidates if path.is_file()), candidates[0])

    def _missing(self) -> list[str]:
        names = [name for split in self._splits for name in self._file_names(split)]
        return [name for name in names if not self._find(name).is_file()]
