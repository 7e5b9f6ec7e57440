"""Files of images and arrays, read for `gan-lightning evaluate` without unpickling anything."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS
from torchvision.transforms.functional import pil_to_tensor

__all__ = ["has_image_suffix", "image_shape", "read_image", "read_rows"]

_KEYS = ("samples", "images", "features", "arr_0")
_16_BITS = "I;16"  # and its byte orders
_GREY = ("1", "L", "LA")


def has_image_suffix(file: Path) -> bool:
    return file.suffix.lower() in IMG_EXTENSIONS


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    """An image of which no more than the header is read yet."""
    try:
        with Image.open(file) as image:
            if image.mode in ("I", "F"):
                raise ValueError(
                    f"'{file}' must have 8 or 16 bits a channel, got 32 (mode {image.mode})."
                )
            yield image
    except OSError as error:
        raise ValueError(f"'{file}' must be an image, got {error}.") from error


def image_shape(file: Path) -> tuple[int, ...]:
    with _opened(file) as image:
        grey = image.mode in _GREY or image.mode.startswith(_16_BITS)
        return (1 if grey else 3, image.height, image.width)


def read_image(file: Path) -> Tensor:
    """An image, uint8 ``(1 or 3, H, W)``; of several frames the first."""
    with _opened(file) as image:
        if image.mode.startswith(_16_BITS):
            wide = np.asarray(image).astype(np.float64)
            return torch.from_numpy(np.rint(wide * 255 / 65535).astype(np.uint8))[None]
        pixels: Tensor = pil_to_tensor(image.convert("L" if image.mode in _GREY else "RGB"))
        return pixels


def read_rows(path: Path) -> dict[str, Tensor]:
    """The arrays of a file that are used: "samples", or "features", "logits" or both."""
    arrays = _arrays(path)
    key = next((key for key in _KEYS if key in arrays), None)
    if key is None and len(arrays) == 1:
        key = next(iter(arrays))
    if key is None:
        raise ValueError(
            f"'{path}' must hold an array named {', '.join(_KEYS)}, got {', '.join(arrays)}."
        )
    rows = _checked(path, key, arrays[key])
    if rows.ndim == 4:
        return {"samples": _images(path, rows)}
    if key == "logits" or "logits" not in arrays:
        return {"logits" if key == "logits" else "features": rows}
    logits = _checked(path, "logits", arrays["logits"])
    if len(logits) != len(rows):
        raise ValueError(
            f"'{path}' must hold as many rows in logits as in {key}, got {len(logits)} and "
            f"{len(rows)}."
        )
    return {"features": rows, "logits": logits}


def _checked(path: Path, key: str, rows: Tensor) -> Tensor:
    if rows.dtype == torch.bool or rows.is_complex():
        kind = str(rows.dtype).removeprefix("torch.")
        raise ValueError(f"'{path}' must hold real numbers, got {kind} in the array {key}.")
    flat = key in ("features", "logits")
    if rows.ndim not in ((2,) if flat else (2, 4)) or not rows.numel():
        wanted = "(N, D)" if flat else "(N, C, H, W) or (N, D)"
        raise ValueError(
            f"'{path}' must hold samples {wanted}, got shape {tuple(rows.shape)} in the array "
            f"{key}."
        )
    return rows


def _images(path: Path, rows: Tensor) -> Tensor:
    if rows.dtype == torch.uint8 and rows.shape[-1] in (1, 3):
        return rows.permute(0, 3, 1, 2)  # (N, H, W, C), as image libraries save
    if rows.is_floating_point():
        low, high = (float(bound) for bound in rows.aminmax())
        if low >= 0 and high <= 1:
            raise ValueError(
                f"'{path}' must hold images in [-1, 1] or uint8, got floats from {low:.4g} to "
                f"{high:.4g}, which are almost surely in [0, 1]: save 2 * x - 1, or uint8."
            )
    return rows


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
