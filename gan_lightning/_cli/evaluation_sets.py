"""Sets of samples for `gan-lightning evaluate`: data sets, folders, arrays and runs."""

from __future__ import annotations

import inspect
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jsonargparse import ArgumentParser
from PIL import Image, UnidentifiedImageError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS
from torchvision.transforms.functional import pil_to_tensor

import gan_lightning.data
from gan_lightning.data.base import AbstractGANData
from gan_lightning.families.base import AbstractGAN
from gan_lightning.runs import RunDirectory

__all__ = ["SampleSet", "Sampled", "open_set", "set_of_run"]

_KEYS = ("samples", "images", "features", "arr_0")


class SampleSet(ABC):
    """So many samples of one shape.

    Attributes:
        name: What it is, for people.
        number: How many samples are used.
        shape: Of one sample.
        features: Whether the samples are features, and no extractor is wanted.
        kind: Name of the data set, empty if it is none.
        labels: Classes of the samples, ``(number,)``, if they are known.
    """

    kind = ""
    features = False
    labels: Tensor | None = None

    def __init__(self, name: str, number: int, shape: tuple[int, ...]) -> None:
        self.name, self.number, self.shape = name, number, shape

    @abstractmethod
    def chunks(self, size: int) -> Iterator[Tensor]:
        """The samples, so many at a time."""


class Sampled(SampleSet):
    """Samples of a model, the same as during training for the same seed."""

    def __init__(
        self, name: str, number: int, model: AbstractGAN, seed: int, labels: Tensor | None
    ) -> None:
        self._model, self._seed = model, seed
        self._asked = labels if model.conditional else None
        super().__init__(name, number, tuple(model.sample(1, seed=0).shape[1:]))

    def chunks(self, size: int) -> Iterator[Tensor]:
        """Samples; of the classes of the real ones where they are known."""
        for start in range(0, self.number, size):
            n = min(size, self.number - start)
            labels = None if self._asked is None else self._asked[start : start + n]
            if labels is not None and (len(labels) < n or bool((labels < 0).any())):
                labels = None
            yield self._model.sample(n, labels, seed=self._seed * 1_000_003 + start).float()


class _Data(SampleSet):
    def __init__(self, data: AbstractGANData, number: int | None) -> None:
        self._data = data
        self.kind = type(data).__name__
        taken = data.samples if number is None else min(number, data.samples)
        super().__init__(f"{taken:,} of {data.identity['data']}", taken, data.image_shape)
        self.labels = self._read_labels()

    def _read_labels(self) -> Tensor | None:
        if self._data.num_classes is None:
            return None
        return torch.cat([batch[1] for batch in self._data.real_chunks(self.number)])

    def chunks(self, size: int) -> Iterator[Tensor]:
        for batch in self._data.real_chunks(self.number, size):
            yield batch if isinstance(batch, Tensor) else batch[0]


class _Rows(SampleSet):
    def __init__(self, name: str, rows: Tensor, number: int | None, features: bool) -> None:
        self._rows = rows[:number]
        self.features = features
        super().__init__(name, len(self._rows), tuple(rows.shape[1:]))

    def chunks(self, size: int) -> Iterator[Tensor]:
        yield from torch.split(self._rows, size)


class _Folder(SampleSet):
    def __init__(self, folder: Path, number: int | None) -> None:
        entries = sorted(folder.rglob("*"))
        self._files = [file for file in entries if file.suffix.lower() in IMG_EXTENSIONS][:number]
        if not self._files:
            raise FileNotFoundError(
                f"'{folder}' must hold images ({', '.join(IMG_EXTENSIONS)}), got none."
            )
        shape = tuple(_read_image(self._files[0]).shape)
        super().__init__(f"{len(self._files):,} images in {folder}", len(self._files), shape)

    def chunks(self, size: int) -> Iterator[Tensor]:
        for start in range(0, len(self._files), size):
            yield torch.stack([self._read(file) for file in self._files[start : start + size]])

    def _read(self, file: Path) -> Tensor:
        image = _read_image(file)
        if tuple(image.shape) != self.shape:
            raise ValueError(
                f"images of a folder must have one shape, {self.shape} as in {self._files[0]}, got "
                f"{tuple(image.shape)} in {file}."
            )
        return image


def open_set(
    source: str, number: int | None, root: str | None, like: tuple[int, ...] | None
) -> SampleSet:
    """Find out what a word on the command line stands for.

    Args:
        source: A data set's name, a folder of images, an .npz or a .safetensors file.
        number: How many samples at most; None takes all.
        root: Folder of a data set's files.
        like: Shape of the samples to compare with, for data sets that can be had in several sizes.

    Returns:
        The set.

    Raises:
        FileNotFoundError: If there is no such thing.
        ValueError: If it holds no samples.
    """
    path = Path(source)
    if source in gan_lightning.data.__all__:
        return _Data(_data_set(source, root, like), number)
    if path.is_dir():
        return _Folder(path, number)
    if not path.is_file():
        raise FileNotFoundError(
            f"'{source}' must be a data set ({', '.join(gan_lightning.data.__all__)}), a folder of "
            "images, an .npz or a .safetensors file, got none of them."
        )
    key, rows = _read_rows(path)
    features = key == "features" or rows.ndim == 2
    return _Rows(f"{len(rows[:number]):,} rows of {path}", rows, number, features)


def set_of_run(run: RunDirectory, number: int) -> SampleSet:
    """The data set that a run was trained on.

    Args:
        run: The run directory.
        number: How many samples at most.

    Raises:
        ValueError: If its configuration does not say.
    """
    config = run.read_config().get("data")
    if not isinstance(config, dict):
        raise ValueError(
            f"`--against` must name the real samples for '{run.path}', whose config.yaml names no "
            "data: the run was made in Python."
        )
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--data", type=AbstractGANData, required=True)
    parsed = parser.parse_object({"data": config})
    instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes
    return _Data(instantiate(parsed).data, number)


def _data_set(name: str, root: str | None, like: tuple[int, ...] | None) -> AbstractGANData:
    kind: Any = getattr(gan_lightning.data, name)
    accepted = inspect.signature(kind).parameters
    arguments: dict[str, Any] = {}
    if root is not None and "root" in accepted:
        arguments["root"] = root
    if like is not None and len(like) == 3 and "image_size" in accepted:
        arguments["image_size"] = like[-1]
    try:
        made: AbstractGANData = kind(**arguments)
    except TypeError as error:
        raise ValueError(
            f"`--against` must be a data set that needs no other argument, got '{name}'."
        ) from error
    return made


def _read_image(file: Path) -> Tensor:
    try:
        with Image.open(file) as image:
            pixels: Tensor = pil_to_tensor(
                image if image.mode in ("L", "RGB") else image.convert("RGB")
            )
            return pixels
    except (OSError, UnidentifiedImageError) as error:
        raise ValueError(f"'{file}' must be an image, got {error}.") from error


def _read_rows(path: Path) -> tuple[str, Tensor]:
    """The array of samples in a file, and the name that it has there; nothing is unpickled."""
    arrays = _arrays(path)
    key = next((key for key in _KEYS if key in arrays), None)
    if key is None and len(arrays) == 1:
        key = next(iter(arrays))
    if key is None:
        raise ValueError(
            f"'{path}' must hold an array named {', '.join(_KEYS)}, got {', '.join(arrays)}."
        )
    rows = arrays[key]
    if rows.ndim not in (2, 4) or not len(rows):
        raise ValueError(
            f"'{path}' must hold samples (N, C, H, W) or (N, D), got shape {tuple(rows.shape)}."
        )
    if rows.ndim == 4 and rows.dtype == torch.uint8 and rows.shape[-1] in (1, 3):
        rows = rows.permute(0, 3, 1, 2)  # (N, H, W, C), as image libraries save
    return key, rows


def _arrays(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix.lower() == ".safetensors":
            return dict(load_file(path))
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {key: torch.from_numpy(file[key]) for key in file.files}
    except (SafetensorError, ValueError, OSError, zipfile.BadZipFile, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"'{path}' must hold arrays of numbers, got {reason}.") from error
    raise ValueError(f"'{path}' must end in .npz or .safetensors.")
