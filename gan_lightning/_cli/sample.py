"""`gan-lightning sample`: samples of a run as a grid, a folder of pictures or an array."""

from __future__ import annotations

import io
import math
import re
from argparse import Namespace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_lightning.callbacks._grid import save_grid, save_image, to_image, to_uint8
from gan_lightning.callbacks._scatter import half_width, scatter
from gan_lightning.families.base import AbstractGAN
from gan_lightning.loading import load
from gan_lightning.runs import RunDirectory, write_atomically

__all__ = ["sample"]

_ROW = 8  # images in a row of the grid, as in the grids of a training
_NAME = re.compile(r"\d{5,}\.png")  # of a sample in a folder


def sample(options: Namespace) -> int:
    """Draw samples and write them.

    Args:
        options: as parsed by the front door.

    Returns:
        The exit status, 0.

    Raises:
        ValueError: if an option does not fit the run, or the output exists.
        FileNotFoundError: if there is no such run or checkpoint.
    """
    if options.number < 1:
        raise ValueError(f"`--number` must be at least 1, got {options.number}.")
    RunDirectory(options.run_dir).read_config()  # a missing run is the first thing to say
    _refuse_overwriting(options.out, options.overwrite)
    checkpoint = None if options.checkpoint == "last" else options.checkpoint
    model = load(options.run_dir, checkpoint=checkpoint)
    labels = _labels(options.labels, options.number, model)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    samples = model.to(device).sample(
        options.number,
        None if labels is None else labels.to(device),
        seed=options.seed,
        truncation=options.truncation,
    )
    _write(samples.float().cpu(), labels, options.out)
    print(f"wrote {options.number} samples to {options.out}")
    return 0


def _refuse_overwriting(out: Path, overwrite: bool) -> None:
    kind = out.suffix.lower()
    if kind and kind not in (".png", ".npz"):
        raise ValueError(f"`--out` must end in .png or .npz or be a folder, got '{out}'.")
    if kind and out.is_dir():
        raise ValueError(f"`--out` must be a file when it ends in {kind}, got the folder '{out}'.")
    if not kind and out.exists() and not out.is_dir():
        raise ValueError(f"`--out` without a suffix must be a folder, got the file '{out}'.")
    taken = out.exists() if kind else out.is_dir() and any(out.iterdir())
    if taken and not overwrite:
        raise ValueError(f"`--out` must not exist without --overwrite, got '{out}', which does.")


def _labels(text: str | None, number: int, model: AbstractGAN) -> Tensor | None:
    """One label a sample, ``(number,)``: the given classes in turn."""
    if text is None:
        return None
    if not model.conditional:
        raise ValueError(
            f"`--labels` must be left out for a {type(model).__name__}, which knows no classes, "
            f"got '{text}'."
        )
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise ValueError(f"`--labels` must be classes such as 3 or 0,1,2, got '{text}'.")
    classes = [int(part) for part in parts]
    return torch.tensor([classes[i % len(classes)] for i in range(number)])


def _write(samples: Tensor, labels: Tensor | None, out: Path) -> None:
    if out.suffix.lower() == ".npz":
        _write_arrays(samples, labels, out)
    elif samples.ndim == 4:
        _write_images(samples, labels, out)
    elif out.suffix.lower() == ".png" and samples.ndim == 2 and samples.shape[1] == 2:
        save_image(scatter(samples, samples[:0], half_width(samples)), out)
    else:
        raise ValueError(
            f"`--out` must end in .npz for samples of shape {tuple(samples.shape[1:])}, "
            f"got '{out}'."
        )


def _write_arrays(samples: Tensor, labels: Tensor | None, out: Path) -> None:
    arrays = {"samples": samples.numpy()}
    if labels is not None:
        arrays["labels"] = labels.numpy()
    data = io.BytesIO()
    np.savez_compressed(data, **arrays)  # type: ignore[arg-type]
    write_atomically(out, data.getvalue())


def _write_images(samples: Tensor, labels: Tensor | None, out: Path) -> None:
    if out.suffix.lower() == ".png":
        save_grid(samples, out, nrow=min(_ROW, len(samples)), labels=labels)
        return
    digits = max(5, math.ceil(math.log10(len(samples) + 1)))
    names = [f"{i:0{digits}d}.png" for i in range(len(samples))]
    for name, image in zip(names, to_uint8(samples), strict=True):
        save_image(to_image(image), out / name)
    for file in out.iterdir():  # older samples: without --overwrite the folder was empty
        if _NAME.fullmatch(file.name) and file.name not in names:
            file.unlink()
