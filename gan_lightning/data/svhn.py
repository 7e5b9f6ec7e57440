"""SVHN, the house numbers of Google Street View."""

import zlib
from pathlib import Path
from typing import final

import torch
from torch import Tensor
from torchvision import datasets

from gan_lightning.data.published import AbstractPublished


def read_svhn(path: Path) -> tuple[Tensor, Tensor]:
    """Read one file of the cropped digits (format 2 of Netzer et al. 2011).

    Args:
        path: A MATLAB file with ``X`` (32, 32, 3, N) and ``y`` (N, 1), where 10 stands for the
            digit 0.

    Returns:
        uint8 images ``(N, 3, 32, 32)`` and int64 labels ``(N,)``, the digits 0 to 9.

    Raises:
        ValueError: If the file cannot be read or holds something else.
    """
    from scipy.io import loadmat  # comes with scikit-learn
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(path, variable_names=["X", "y"])
        pixels, digits = content["X"], content["y"].reshape(-1)
    except (
        MatReadError,
        ValueError,
        TypeError,
        KeyError,
        OSError,
        EOFError,
        zlib.error,  # the arrays are compressed
    ) as error:
        raise ValueError(
            f"SVHN file {path} must be a MATLAB file with the arrays X and y, found an unreadable "
            f"one ({error})."
        ) from error
    if pixels.shape != (32, 32, 3, len(digits)) or pixels.dtype != "uint8":
        raise ValueError(
            f"SVHN file {path} must hold uint8 pixels of shape 32 x 32 x 3 x {len(digits)}, found "
            f"{pixels.dtype} of shape {' x '.join(map(str, pixels.shape))}."
        )
    labels = torch.from_numpy(digits.astype("int64"))
    if len(labels) == 0 or int(labels.min()) < 0 or int(labels.max()) > 10:
        raise ValueError(f"SVHN file {path} must hold labels from 1 to 10, found others.")
    return torch.from_numpy(pixels).permute(3, 2, 0, 1).contiguous(), labels % 10


@final
class SVHN(AbstractPublished):
    """House-number digits (Netzer et al. 2011); 32x32, 73,257 to train and 26,032 to test.

    ``root`` holds ``train_32x32.mat`` and ``test_32x32.mat``; torchvision downloads them.
    """

    def _file_names(self, split: str) -> tuple[str, ...]:
        return (f"{split}_32x32.mat",)

    def _folders(self) -> tuple[Path, ...]:
        return (self._root,)

    def _fetch(self) -> None:
        for name in self._missing():
            datasets.SVHN(str(self._root), split=name.split("_")[0], download=True)

    def _read_split(self, split: str) -> list[tuple[Tensor, Tensor]]:
        return [read_svhn(self._find(name)) for name in self._file_names(split)]
