"""Samples as a picture: the grid of images, and the file it is written to."""

import io
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional

from gan_lightning.runs import write_atomically

__all__ = ["make_grid", "save_grid", "save_image", "to_image", "to_uint8"]

_SMALLEST_CELL = 48  # pixels; a 16x16 digit is enlarged three times
_PADDING = 2
_GREY = 64  # between the cells: seen on black and on white
_CAPTION = 12  # pixels below a cell for its label
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def to_uint8(images: Tensor) -> Tensor:
    """Map images from [-1, 1] to bytes: -1 to 0, 1 to 255, rounded; what lies outside is clamped.

    Args:
        images: floating point, any shape. NaN becomes mid-grey.

    Returns:
        uint8 of the same shape.

    Example:
        >>> to_uint8(torch.tensor([-1.0, 0.0, 1.0, 7.0])).tolist()
        [0, 128, 255, 255]
    """
    x = images.detach().float().nan_to_num(nan=0.0, posinf=1.0, neginf=-1.0).clamp(-1, 1)
    return ((x + 1) * 127.5).round().to(torch.uint8)


def make_grid(images: Tensor, nrow: int = 8, labels: Tensor | None = None) -> Tensor:
    """Lay images out row by row.

    Small images are enlarged by a whole factor, so that a cell has at least 48 pixels. Cells that
    stay empty in the last row have the grid's grey.

    Args:
        images: ``(N, C, H, W)`` in [-1, 1], C = 1 (grey), 3 (RGB) or 4 (RGBA).
        nrow: images in a row, 1 to N.
        labels: ``(N,)`` integers, written below the images.

    Returns:
        uint8 ``(C, height, width)`` on the CPU.

    Raises:
        ValueError: if the shape, the channels, `nrow` or the number of labels do not fit.
    """
    _check(images, nrow, labels)
    cells = _enlarged(to_uint8(images).cpu())
    n, channels, height, width = cells.shape
    below = 0 if labels is None else _CAPTION
    row_height, column_width = height + below + _PADDING, width + _PADDING
    rows = math.ceil(n / nrow)
    size = (channels, rows * row_height + _PADDING, nrow * column_width + _PADDING)
    grid = torch.full(size, _GREY, dtype=torch.uint8)
    if channels == 4:
        grid[3] = 255
    for i, cell in enumerate(cells):
        top = i // nrow * row_height + _PADDING
        left = i % nrow * column_width + _PADDING
        grid[:, top : top + height, left : left + width] = cell
        if labels is not None:
            caption = _caption(int(labels[i]), width)
            grid[:3, top + height : top + height + below, left : left + width] = caption
    return grid


def to_image(grid: Tensor) -> Image.Image:
    """Wrap a grid for PIL.

    Args:
        grid: uint8 ``(C, height, width)``, C = 1, 3 or 4.

    Returns:
        The picture, of mode L, RGB or RGBA.
    """
    array = grid.permute(1, 2, 0).contiguous().numpy()
    if array.shape[2] == 1:
        array = array[:, :, 0]
    return Image.fromarray(array, mode=None)


def save_image(picture: Image.Image, path: str | Path) -> None:
    """Write a PNG, whole or not at all.

    Args:
        picture: any mode that PNG has.
        path: the file; its folder is made if it is missing.
    """
    data = io.BytesIO()
    picture.save(data, format="PNG")
    write_atomically(Path(path), data.getvalue())


def save_grid(
    images: Tensor, path: str | Path, nrow: int = 8, labels: Tensor | None = None
) -> None:
    """Write images as one PNG, laid out by `make_grid`.

    Args:
        images: ``(N, C, H, W)`` in [-1, 1], C = 1 (grey), 3 (RGB) or 4 (RGBA).
        path: the file; its folder is made if it is missing.
        nrow: images in a row, 1 to N.
        labels: ``(N,)`` integers, written below the images.

    Raises:
        ValueError: if the shape, the channels, `nrow` or the number of labels do not fit.
    """
    save_image(to_image(make_grid(images, nrow, labels)), path)


def _check(images: Tensor, nrow: int, labels: Tensor | None) -> None:
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(
            f"`images` must have shape (N, C, H, W), N >= 1, got {tuple(images.shape)}."
        )
    if images.shape[1] not in _MODES:
        raise ValueError(
            f"`images` must have 1, 3 or 4 channels to be drawn, got {images.shape[1]}."
        )
    if not 1 <= nrow <= len(images):
        raise ValueError(
            f"`nrow` must lie between 1 and the number of images {len(images)}, got {nrow}."
        )
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"`labels` must have one label an image, got {len(labels)}.")


def _enlarged(cells: Tensor) -> Tensor:
    factor = math.ceil(_SMALLEST_CELL / min(cells.shape[2:]))
    if factor == 1:
        return cells
    return functional.interpolate(cells, scale_factor=factor, mode="nearest")


def _caption(label: int, width: int) -> Tensor:
    """The label in white on the grid's grey, ``(12, width)``."""
    picture = Image.new("L", (width, _CAPTION), _GREY)
    ImageDraw.Draw(picture).text((2, 0), str(label), fill=255)
    return torch.from_numpy(np.array(picture))
