"""CIFAR-10 and CIFAR-100, from their binary version.

torchvision reads the Python version, which is made of pickles, and a pickle runs whatever code it
holds when it is loaded. The binary version holds the same images as plain bytes, so it is read here
instead.
"""

from pathlib import Path
from typing import ClassVar, final

import torch
from torch import Tensor
from torchvision.datasets.utils import download_and_extract_archive

from gan_lightning.data.published import AbstractPublished

_PIXELS = 3 * 32 * 32


def read_cifar(path: Path, label_bytes: int, num_classes: int) -> tuple[Tensor, Tensor]:
    """Read one file of the binary version (Krizhevsky 2009).

    Args:
        path: The file: records of ``label_bytes`` labels and 3,072 pixels, channel by channel.
        label_bytes: 1 for CIFAR-10; 2 for CIFAR-100 (the coarse label, then the fine one, which is
            used).
        num_classes: Number of classes.

    Returns:
        uint8 images ``(N, 3, 32, 32)`` and int64 labels ``(N,)``.

    Raises:
        ValueError: If the file's length is not whole records, or a label is out of range.
    """
    content = bytearray(path.read_bytes())
    record = label_bytes + _PIXELS
    if len(content) == 0 or len(content) % record:
        raise ValueError(
            f"CIFAR file {path} must be a positive multiple of {record} bytes long, found "
            f"{len(content)} bytes."
        )
    records = torch.frombuffer(content, dtype=torch.uint8).reshape(-1, record)
    labels = records[:, label_bytes - 1].long()
    if (highest := int(labels.max())) >= num_classes:
        raise ValueError(
            f"CIFAR file {path} must hold labels from 0 to {num_classes - 1}, found {highest}."
        )
    return records[:, label_bytes:].reshape(-1, 3, 32, 32), labels


class AbstractCIFAR(AbstractPublished):
    """32x32 colour images (50,000 and 10,000), from the binary version of the archive (165 MB).

    The files are looked for in ``root`` itself and in the folder that the archive unpacks to.
    """

    _url: ClassVar[str]
    _md5: ClassVar[str]
    _folder: ClassVar[str]
    _pickled_folder: ClassVar[str]
    _files: ClassVar[dict[str, tuple[str, ...]]]
    _label_bytes: ClassVar[int]

    def _file_names(self, split: str) -> tuple[str, ...]:
        return self._files[split]

    def _folders(self) -> tuple[Path, ...]:
        return self._root, self._root / self._folder

    def _fetch(self) -> None:
        download_and_extract_archive(self._url, str(self._root), md5=self._md5)

    def _remedy(self) -> str:
        if (self._root / self._pickled_folder).is_dir():
            return (
                f"pass `download=True` ({self._pickled_folder} holds pickles, which are not read)"
            )
        return super()._remedy()

    def _read_split(self, split: str) -> list[tuple[Tensor, Tensor]]:
        paths = [self._find(name) for name in self._file_names(split)]
        return [read_cifar(path, self._label_bytes, self._classes) for path in paths]


@final
class CIFAR10(AbstractCIFAR):
    """Ten classes of animals and vehicles; 32x32, 50,000 to train and 10,000 to test."""

    _url = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
    _md5 = "c32a1d4ab5d03f1284b67883e8d87530"
    _folder = "cifar-10-batches-bin"
    _pickled_folder = "cifar-10-batches-py"
    _files: ClassVar[dict[str, tuple[str, ...]]] = {
        "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        "test": ("test_batch.bin",),
    }
    _label_bytes = 1


@final
class CIFAR100(AbstractCIFAR):
    """A hundred (fine) classes; 32x32, 50,000 to train and 10,000 to test."""

    _url = "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"
    _md5 = "03b5dce01913d631647c71ecec9e9cb8"
    _folder = "cifar-100-binary"
    _pickled_folder = "cifar-100-python"
    _files: ClassVar[dict[str, tuple[str, ...]]] = {"train": ("train.bin",), "test": ("test.bin",)}
    _label_bytes = 2
    _classes = 100
