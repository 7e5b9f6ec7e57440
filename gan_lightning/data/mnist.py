"""MNIST and the sets that share its format."""

from pathlib import Path
from typing import Any, ClassVar, final

from torch import Tensor
from torchvision import datasets

from gan_lightning.data.idx import read_idx
from gan_lightning.data.published import AbstractPublished


class AbstractMNIST(AbstractPublished):
    """28x28 grey images of 10 classes (60,000 and 10,000) in four IDX files, plain or gzipped.

    The files are looked for in ``root`` itself and where torchvision, which downloads them, puts
    them: ``root/<Name>/raw``. An ``image_size`` of 28 leaves the images as they are.
    """

    _channels = 1
    _native_size = 28
    _torchvision: ClassVar[Any]  # torchvision's class, used for downloading only

    def _file_names(self, split: str) -> tuple[str, ...]:
        part = "train" if split == "train" else "t10k"
        return f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"

    def _folders(self) -> tuple[Path, ...]:
        return self._root, self._root / type(self).__name__ / "raw"

    def _candidates(self, name: str) -> list[Path]:
        return [folder / f"{name}{end}" for folder in self._folders() for end in ("", ".gz")]

    def _fetch(self) -> None:
        self._torchvision(str(self._root), download=True)

    def _remedy(self) -> str:
        return "pass `download=True`, or lay them there, plain or gzipped (.gz)"

    def _read_split(self, split: str) -> list[tuple[Tensor, Tensor]]:
        image_file, label_file = (self._find(name) for name in self._file_names(split))
        images, labels = read_idx(image_file, 3), read_idx(label_file, 1)
        if images.shape[1:] != (28, 28):
            found = " x ".join(map(str, images.shape[1:]))
            raise ValueError(f"IDX file {image_file} must hold images of 28 x 28, found {found}.")
        if len(images) != len(labels):
            raise ValueError(
                f"IDX file {label_file} must hold one label for each of the {len(images)} images "
                f"in {image_file}, found {len(labels)}."
            )
        if (highest := int(labels.max())) > 9:
            raise ValueError(
                f"IDX file {label_file} must hold labels from 0 to 9, found {highest}."
            )
        return [(images.unsqueeze(1), labels.long())]


@final
class MNIST(AbstractMNIST):
    """Handwritten digits (LeCun, Cortes & Burges); 28x28, 60,000 to train and 10,000 to test."""

    _torchvision = datasets.MNIST


@final
class FashionMNIST(AbstractMNIST):
    """Clothes (Xiao, Rasul & Vollgraf 2017); 28x28, 60,000 to train and 10,000 to test.

    Debian's package ``dataset-fashion-mnist`` lays the files into
    ``/usr/share/datasets/fashion-mnist``, which can be given as ``root``.
    """

    _torchvision = datasets.FashionMNIST

    def _remedy(self) -> str:
        return (
            "pass `download=True`, or install Debian's package dataset-fashion-mnist and pass "
            "`root='/usr/share/datasets/fashion-mnist'`"
        )


@final
class KMNIST(AbstractMNIST):
    """Cursive Japanese (Clanuwat et al. 2018); 28x28, 60,000 to train and 10,000 to test."""

    _torchvision = datasets.KMNIST
