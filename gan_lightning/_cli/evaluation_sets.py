"""Sets of samples for `gan-lightning evaluate`: data sets, folders, arrays and runs."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentParser
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS

import gan_lightning.data
from gan_lightning._cli.evaluation_files import has_image_suffix, image_shape, read_image, read_rows
from gan_lightning.data.base import AbstractGANData
from gan_lightning.families.base import AbstractGAN
from gan_lightning.runs import RunDirectory

__all__ = ["DATA_SETS", "SampleSet", "Sampled", "accepts", "open_set", "set_of_run"]


def _is_data_set(kind: object) -> bool:
    known = isinstance(kind, type) and issubclass(kind, AbstractGANData)
    return known and not inspect.isabstract(kind)


DATA_SETS = tuple(
    name for name in gan_lightning.data.__all__ if _is_data_set(getattr(gan_lightning.data, name))
)


class SampleSet(ABC):
    """So many samples of one shape.

    Attributes:
        name: What it is, for people.
        number: How many samples are used.
        shape: Of one sample.
        outputs: What was extracted elsewhere, of "features" and "logits"; empty for samples that
            want an extractor.
        num_classes: Columns of the logits, if there are any.
        kind: Name of the data set, empty if it is none.
    """

    kind = ""
    outputs: tuple[str, ...] = ()
    num_classes: int | None = None

    def __init__(self, name: str, number: int, shape: tuple[int, ...]) -> None:
        self.name, self.number, self.shape = name, number, shape

    @abstractmethod
    def chunks(self, size: int) -> Iterator[dict[str, Tensor]]:
        """So many at a time: "samples", or each of `outputs`."""

    def labels(self) -> Tensor | None:
        """Classes of the samples, ``(number,)``, if they are known."""
        return None


class Sampled(SampleSet):
    """Samples of a model, the same as during training for the same seed."""

    def __init__(
        self, name: str, number: int, model: AbstractGAN, seed: int, real: SampleSet
    ) -> None:
        self._model, self._seed, self._real = model, seed, real
        super().__init__(name, number, tuple(model.sample(1, seed=0).shape[1:]))

    def chunks(self, size: int) -> Iterator[dict[str, Tensor]]:
        """Samples; of the classes of the real ones where they are known."""
        asked = self._real.labels() if self._model.conditional else None
        for start in range(0, self.number, size):
            n = min(size, self.number - start)
            labels = None if asked is None else asked[start : start + n]
            if labels is not None and (len(labels) < n or bool((labels < 0).any())):
                labels = None
            x = self._model.sample(n, labels, seed=self._seed * 1_000_003 + start)
            yield {"samples": x.float()}


class _Data(SampleSet):
    def __init__(self, data: AbstractGANData, number: int | None) -> None:
        self._data = data
        self.kind = type(data).__name__
        taken = data.samples if number is None else min(number, data.samples)
        super().__init__(f"{taken:,} of {data.identity['data']}", taken, data.image_shape)

    def labels(self) -> Tensor | None:
        """Read only where they are asked for: the images are read with them."""
        if self._data.num_classes is None:
            return None
        return torch.cat([batch[1] for batch in self._data.real_chunks(self.number)])

    def chunks(self, size: int) -> Iterator[dict[str, Tensor]]:
        for batch in self._data.real_chunks(self.number, size):
            yield {"samples": batch if isinstance(batch, Tensor) else batch[0]}


class _Rows(SampleSet):
    def __init__(self, path: Path, arrays: dict[str, Tensor], number: int | None) -> None:
        rows = next(iter(arrays.values()))
        drawn = _drawn(len(rows), number)
        self._arrays = arrays if drawn is None else {k: x[drawn] for k, x in arrays.items()}
        if "samples" not in arrays:
            self.outputs = tuple(arrays)
            self.num_classes = arrays["logits"].shape[1] if "logits" in arrays else None
        taken = len(rows) if drawn is None else len(drawn)
        super().__init__(_said(taken, len(rows), f"rows of {path}"), taken, tuple(rows.shape[1:]))

    def chunks(self, size: int) -> Iterator[dict[str, Tensor]]:
        for start in range(0, self.number, size):
            yield {name: rows[start : start + size] for name, rows in self._arrays.items()}


class _Folder(SampleSet):
    def __init__(self, folder: Path, number: int | None) -> None:
        files = [file for file in sorted(folder.rglob("*")) if has_image_suffix(file)]
        if not files:
            raise FileNotFoundError(
                f"'{folder}' must hold images ({', '.join(IMG_EXTENSIONS)}), got none."
            )
        drawn = _drawn(len(files), number)
        self._files = files if drawn is None else [files[i] for i in drawn.tolist()]
        name = _said(len(self._files), len(files), f"images in {folder}")
        super().__init__(name, len(self._files), image_shape(self._files[0]))
        for file in self._files:  # from the headers alone, before anything is computed
            if (shape := image_shape(file)) != self.shape:
                raise ValueError(
                    f"images of a folder must have one shape, {self.shape} as in "
                    f"{self._files[0]}, got {shape} in {file}."
                )

    def chunks(self, size: int) -> Iterator[dict[str, Tensor]]:
        for start in range(0, self.number, size):
            images = [read_image(file) for file in self._files[start : start + size]]
            yield {"samples": torch.stack(images)}


def accepts(name: str, argument: str) -> bool:
    """Whether a data set has an argument, such as ``split``.

    Args:
        name: One of `DATA_SETS`.
        argument: Its name.
    """
    return argument in inspect.signature(getattr(gan_lightning.data, name)).parameters


def open_set(
    source: str,
    number: int | None,
    *,
    root: str | None = None,
    split: str | None = None,
    like: tuple[int, ...] | None = None,
) -> SampleSet:
    """Find out what a word on the command line stands for.

    Args:
        source: A data set's name, a folder of images, an .npz or a .safetensors file.
        number: How many samples at most, drawn by a fixed seed; None takes all.
        root: Folder of a data set's files.
        split: Of a data set.
        like: Shape of the samples to compare with, for data sets that can be had in several sizes.

    Returns:
        The set.

    Raises:
        FileNotFoundError: If there is no such thing.
        ValueError: If it holds no samples.
    """
    path = Path(source)
    if source in DATA_SETS:
        return _Data(_data_set(source, root, split, like), number)
    if path.is_dir():
        return _Folder(path, number)
    if not path.is_file():
        raise FileNotFoundError(
            f"'{source}' must be a data set ({', '.join(DATA_SETS)}), a folder of images, an .npz "
            "or a .safetensors file, got none of them."
        )
    return _Rows(path, read_rows(path), number)


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


def _data_set(
    name: str, root: str | None, split: str | None, like: tuple[int, ...] | None
) -> AbstractGANData:
    kind: Any = getattr(gan_lightning.data, name)
    size = like[-1] if like is not None and len(like) == 3 else None
    wanted = {"root": root, "split": split, "image_size": size}
    arguments = {k: v for k, v in wanted.items() if v is not None and accepts(name, k)}
    try:
        made: AbstractGANData = kind(**arguments)
    except TypeError as error:
        raise ValueError(
            f"`--against` and `--test` must be data sets that need no other argument, got '{name}'."
        ) from error
    return made


def _drawn(total: int, number: int | None) -> Tensor | None:
    """Which samples are taken, the same ones each time; None for all of them."""
    if number is None or number >= total:
        return None
    # The first ones would do for no set that is sorted by class.
    order = torch.randperm(total, generator=torch.Generator().manual_seed(0))
    return order[:number].sort().values


def _said(taken: int, total: int, what: str) -> str:
    return f"{total:,} {what}" if taken == total else f"{taken:,} of {total:,} {what}, drawn"
