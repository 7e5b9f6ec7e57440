"""Sets of image files: a folder of one's own, and CelebA."""

from pathlib import Path
from typing import Literal, final

import torch
from torchvision import datasets
from torchvision.datasets.folder import IMG_EXTENSIONS

from gan_lightning.data.base import (
    AbstractGANData,
    check_choice,
    check_image_size,
    check_positive,
    fetching,
)
from gan_lightning.data.batches import MemorySamples
from gan_lightning.data.disk import DiskSamples, FileImages, digest_of


def check_workers(num_workers: int) -> None:
    """Refuse a negative number of worker processes.

    Raises:
        ValueError: If ``num_workers`` is not an integer >= 0.
    """
    if not isinstance(num_workers, int) or isinstance(num_workers, bool) or num_workers < 0:
        raise ValueError(f"`num_workers` must be an integer of at least 0, got {num_workers!r}.")


@final
class ImageFolder(AbstractGANData):
    """One's own images: a folder of them, or one sub-folder for each class.

    If ``root`` has sub-folders they are the classes, in alphabetical order, and everything below
    them counts; otherwise the set is unlabelled. Of each image the largest square in the middle is
    taken. The folder is listed at once, because the number of classes follows from it; images are
    read later.

    Args:
        root: The folder.
        image_size: Side of the images in pixels, a power of two from 8 to 256.
        batch_size: Samples per batch and process.
        channels: 3 for colour, 1 for grey.
        in_memory: Decode everything once and keep it as bytes (``samples * C * image_size ** 2`` of
            them).
        num_workers: Worker processes that decode; 0 decodes in the training process.

    Raises:
        FileNotFoundError: If the folder, or an image in it or in one of its classes, is missing.
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        root: str | Path,
        image_size: int = 64,
        batch_size: int = 64,
        channels: Literal[1, 3] = 3,
        in_memory: bool = False,
        num_workers: int = 0,
    ) -> None:
        check_image_size(image_size)
        check_workers(num_workers)
        if channels not in (1, 3):
            raise ValueError(f"`channels` must be 1 or 3, got {channels!r}.")
        self._root = Path(root)
        self.classes, self._paths = _list_images(self._root)
        facts: dict[str, object] = {
            "classes": self.classes or None,
            "image_size": image_size,
            "channels": channels,
        }
        shape = (int(channels), image_size, image_size)
        super().__init__(shape, len(self.classes) or None, batch_size, facts)
        self._in_memory = in_memory
        self._num_workers = num_workers

    def read(self) -> MemorySamples | DiskSamples:
        """List the images, and decode them if they are to stay in memory.

        Raises:
            ValueError: If an image cannot be decoded.
        """
        paths = [path for images in self._paths for path in images]
        sizes = torch.tensor([len(images) for images in self._paths])
        labels = torch.arange(len(sizes)).repeat_interleave(sizes) if self.classes else None
        samples = DiskSamples(FileImages(paths, self.image_shape, labels), self._num_workers)
        return samples.in_memory() if self._in_memory else samples

    def digest(self) -> str:
        """Of the files' names below the folder and their sizes."""
        paths = sorted(path for images in self._paths for path in images)
        return digest_of(
            f"{path.relative_to(self._root).as_posix()} {path.stat().st_size}" for path in paths
        )


def _list_images(root: Path) -> tuple[list[str], list[list[Path]]]:
    """The classes of a folder (none without sub-folders) and the images of each, all sorted."""
    if not root.is_dir():
        raise FileNotFoundError(
            f"`root` must be a folder with images, got {root}, which is not one."
        )
    entries = sorted(entry for entry in root.iterdir() if not entry.name.startswith("."))
    folders = [entry for entry in entries if entry.is_dir()]
    if not folders:
        found = [_images_in(entries)]
    else:
        found = [_images_in(sorted(folder.rglob("*"))) for folder in folders]
    for folder, images in zip(folders or [root], found, strict=True):
        if not images:
            raise FileNotFoundError(
                f"`root` must have images ({', '.join(IMG_EXTENSIONS)}) in every class, got "
                f"{folder}, which holds none."
            )
    return [folder.name for folder in folders], found


def _images_in(entries: list[Path]) -> list[Path]:
    return [entry for entry in entries if entry.suffix.lower() in IMG_EXTENSIONS]


@final
class CelebA(AbstractGANData):
    """CelebA, aligned and cropped faces of 178x218 pixels (Liu et al. 2015), unlabelled.

    The files lie as torchvision puts them: ``root/celeba/img_align_celeba/*.jpg`` and
    ``root/celeba/list_eval_partition.txt``.

    Args:
        root: Folder that holds ``celeba``.
        image_size: Side of the images in pixels, a power of two from 8 to 256.
        batch_size: Samples per batch and process.
        split: ``"train"`` (162,770 images), ``"valid"`` (19,867), ``"test"`` (19,962) or ``"all"``.
        crop: Side of the square that is cut out of the middle before resizing, at most 178; papers
            differ (108 in DCGAN's code, 128, 148, 178).
        download: Let torchvision download the files (which needs the package gdown) if they are
            missing.
        num_workers: Worker processes that decode; 0 decodes in the training process.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        root: str | Path = "data",
        image_size: int = 64,
        batch_size: int = 64,
        split: Literal["train", "valid", "test", "all"] = "train",
        crop: int = 178,
        download: bool = False,
        num_workers: int = 2,
    ) -> None:
        check_image_size(image_size)
        check_choice("split", split, ("train", "valid", "test", "all"))
        check_positive("crop", crop)
        check_workers(num_workers)
        if crop > 178:
            raise ValueError(f"`crop` must be at most 178, the images' width, got {crop}.")
        facts: dict[str, object] = {"image_size": image_size, "split": split, "crop": crop}
        super().__init__((3, image_size, image_size), None, batch_size, facts)
        self._root = Path(root)
        self._folder = self._root / "celeba"
        self._split = split
        self._crop = crop
        self._download = download
        self._num_workers = num_workers

    def prepare_data(self) -> None:
        """Download the files if that was asked for and they are missing.

        Raises:
            ConnectionError: If they cannot be downloaded.
        """
        if self._download and not self._found():
            with fetching("CelebA", self._root):
                datasets.CelebA(str(self._root), split=self._split, download=True)

    def read(self) -> DiskSamples:
        """List the images of the split.

        Raises:
            FileNotFoundError: If the folder or the list of the splits is missing.
            ValueError: If the list is corrupt.
        """
        if not self._found():
            raise FileNotFoundError(
                f"CelebA needs the folder img_align_celeba and the file list_eval_partition.txt in "
                f"{self._folder}, where they are missing: pass `download=True`."
            )
        images = FileImages(self._paths(), self.image_shape, crop=self._crop)
        return DiskSamples(images, self._num_workers)

    def digest(self) -> str:
        """Of the names of the split's images: a hundred thousand sizes would take a while."""
        return digest_of(path.name for path in self._paths())

    def _found(self) -> bool:
        images, partition = (
            self._folder / "img_align_celeba",
            self._folder / "list_eval_partition.txt",
        )
        return images.is_dir() and partition.is_file()

    def _paths(self) -> list[Path]:
        partition = self._folder / "list_eval_partition.txt"
        parts = {"train": "0", "valid": "1", "test": "2"}
        rows = [line.split() for line in partition.read_text().splitlines() if line.strip()]
        if any(len(row) != 2 or row[1] not in parts.values() for row in rows):
            raise ValueError(
                f"{partition} must hold lines of a file name and 0, 1 or 2, found others."
            )
        wanted = parts.get(self._split)  # None for "all"
        folder = self._folder / "img_align_celeba"
        return [folder / name for name, part in rows if wanted is None or part == wanted]
