"""Ways of resizing images before a network, each by the name of its protocol.

Two libraries whose only difference is this step disagree by whole points of FID. All functions take
levels 0 to 255, the scale of the programs whose results they are to repeat: rounding on another
scale would cost the last bits.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["MODES", "check_mode", "resize"]


def resize(x: Tensor, size: int, mode: str) -> Tensor:
    """Bring images to a square.

    Args:
        x: Floats ``(N, C, H, W)``, levels 0 to 255.
        size: Side of the square in pixels.
        mode: One of `MODES`.

    Returns:
        Floats ``(N, C, size, size)``.

    Raises:
        ValueError: If there is no such mode.
    """
    check_mode(mode)
    return MODES[mode](x, size)


def check_mode(mode: str) -> None:
    """Refuse a name that is not one of `MODES`.

    Raises:
        ValueError: If it is not.
    """
    if mode not in MODES:
        raise ValueError(f"`resize` must be one of {', '.join(MODES)}, got {mode!r}.")


def tf1(x: Tensor, size: int) -> Tensor:
    r"""Bilinear as in TensorFlow 1, whose Inception graph resized its input itself.

    Output pixel i reads the input at :math:`i H / S` (corners not aligned, half pixels not added),
    between the two pixels beside it; nothing is averaged when images shrink. The original FID
    (Heusel et al. 2017, arXiv:1706.08500) and torch-fidelity do this.

    Args:
        x: Floats ``(N, C, H, W)``.
        size: Side of the result.

    Returns:
        Floats ``(N, C, size, size)``, bit for bit torch-fidelity's on a CPU.
    """
    return _between(_between(x, 3, size), 2, size)


def _between(x: Tensor, dim: int, size: int) -> Tensor:
    pixels = x.shape[dim]
    step = torch.tensor(pixels / size, dtype=torch.float32)
    place = torch.arange(size, dtype=torch.float32) * step
    lower = place.long()
    shape = [1, 1, 1, 1]
    shape[dim] = size
    weight = (place - lower).view(shape).to(x.device)
    upper = (lower + 1).clamp_max(pixels - 1)
    low, high = (x.index_select(dim, rows.to(x.device)) for rows in (lower, upper))
    return low + (high - low) * weight


def clean(x: Tensor, size: int) -> Tensor:
    """Bicubic with antialias, channel by channel in floats, cut off at 0 and 255, not rounded.

    The mode "clean" of clean-fid (Parmar, Zhang & Zhu 2022, arXiv:2104.11222), which calls Pillow.
    torch's own kernel has Pillow's coefficient, -0.5, and agrees to a few thousandths of a level.
    The first versions of clean-fid did not cut off.

    Args:
        x: Floats ``(N, C, H, W)``, levels 0 to 255.
        size: Side of the result.

    Returns:
        Floats ``(N, C, size, size)`` in 0 to 255.
    """
    return functional.interpolate(x, (size, size), mode="bicubic", antialias=True).clamp(0, 255)


def pil(x: Tensor, size: int) -> Tensor:
    """Bicubic with antialias in 8 bits: what Pillow and torchvision make of a picture.

    First the rows, then the columns, each time rounded and cut off at 0 and 255. dgm-eval (Stein et
    al. 2023, arXiv:2306.04675) does this unless told otherwise. Pillow computes with weights of 22
    bits, so that single pixels may differ by a level.

    Args:
        x: Floats ``(N, C, H, W)``, levels 0 to 255.
        size: Side of the result.

    Returns:
        Whole numbers ``(N, C, size, size)``, as floats.
    """
    for shape in ((x.shape[2], size), (size, size)):
        x = functional.interpolate(x, shape, mode="bicubic", antialias=True)
        x = (x + 0.5).floor().clamp(0, 255)
    return x


def antialias(x: Tensor, size: int) -> Tensor:
    """Bilinear with antialias: the default of torchmetrics since 1.8.

    Args:
        x: Floats ``(N, C, H, W)``.
        size: Side of the result.

    Returns:
        Floats ``(N, C, size, size)``.
    """
    return functional.interpolate(x, (size, size), mode="bilinear", antialias=True)


def bicubic(x: Tensor, size: int) -> Tensor:
    """Bicubic without antialias, as for CMMD (Jayasumana et al. 2024, arXiv:2401.09603).

    Args:
        x: Floats ``(N, C, H, W)``.
        size: Side of the result.

    Returns:
        Floats ``(N, C, size, size)``; they may leave the range of x a little.
    """
    return functional.interpolate(x, (size, size), mode="bicubic")


MODES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "tf1": tf1,
    "clean": clean,
    "antialias": antialias,
    "pil": pil,
    "bicubic": bicubic,
}
