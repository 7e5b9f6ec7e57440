"""Resizing of images in memory."""

import torch
from torch import Tensor
from torch.nn import functional as F

_CHUNK = 4096  # images resized at once: the floats of a whole set would take a gigabyte


def resize(images: Tensor, size: int, *, highest: int = 255) -> Tensor:
    """Resize square images and bring their values to 0..255.

    Bicubic with antialiasing, computed in float32 and rounded once: the filter of PIL, applied to
    the original values. Bicubic overshoots at edges, which is clamped.

    Args:
        images: Shape ``(N, C, S, S)``, any dtype, values in 0..``highest``.
        size: Side of the result in pixels.
        highest: The value that stands for white.

    Returns:
        uint8 images, shape ``(N, C, size, size)``.
    """
    if images.shape[-1] == size and images.dtype == torch.uint8 and highest == 255:
        return images
    resized = torch.empty(*images.shape[:2], size, size, dtype=torch.uint8)
    for source, target in zip(
        torch.split(images, _CHUNK), torch.split(resized, _CHUNK), strict=True
    ):
        floats = source.float() * (255 / highest)
        if images.shape[-1] != size:
            floats = F.interpolate(floats, (size, size), mode="bicubic", antialias=True)
        target.copy_(floats.clamp_(0, 255).round_())
    return resized
