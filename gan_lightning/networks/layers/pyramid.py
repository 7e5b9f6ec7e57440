"""The Laplacian pyramid: Burt, Adelson 1983, "The Laplacian Pyramid as a Compact Image Code".

The form of Denton et al. 2015, arXiv:1506.05751, Eq. 3 and 4, with d(.) and u(.) for one step down
and up. Any pair of them makes a pyramid that can be undone; these two are aligned with each other
(no shift by half a pixel), keep the mean, and stay within the range of their argument.

Shapes below: N images, C channels, H x W pixels.
"""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional


def down(x: Tensor) -> Tensor:
    """d(x): blur with a box of 2 x 2 pixels and keep one pixel of four.

    Args:
        x: Images ``(N, C, H, W)`` with even sides.

    Returns:
        ``(N, C, H/2, W/2)``.

    Raises:
        ValueError: If a side is odd.
    """
    if x.dim() != 4 or x.shape[2] % 2 or x.shape[3] % 2:
        raise ValueError(f"`x` must have shape (N, C, H, W) with even H, W, got {tuple(x.shape)}.")
    return functional.avg_pool2d(x, 2)


def up(x: Tensor) -> Tensor:
    """u(x): expand by bilinear interpolation, the kernel (1, 3, 3, 1) / 4 along each side.

    Args:
        x: Images ``(N, C, H, W)``.

    Returns:
        ``(N, C, 2 H, 2 W)``.
    """
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def laplacian_pyramid(x: Tensor, levels: int) -> tuple[list[Tensor], Tensor]:
    r"""What is lost on every step down, and what remains: Denton et al. 2015, Eq. 3.

    .. math:: I_0 = x, \quad I_{k+1} = d(I_k), \quad h_k = I_k - u(I_{k+1})

    Args:
        x: Images ``(N, C, H, W)``; ``2**levels`` divides both sides.
        levels: K, the number of steps down, at least 0.

    Returns:
        ``[h_0, ..., h_{K-1}]`` of shapes ``(N, C, H/2**k, W/2**k)``, and ``I_K``.

    Raises:
        ValueError: If an odd side cannot be halved.
    """
    details = []
    for _ in range(levels):
        coarse = down(x)
        details.append(x - up(coarse))
        x = coarse
    return details, x


def reconstruct(details: Sequence[Tensor], coarsest: Tensor) -> Tensor:
    r"""The images of a pyramid, to rounding: Denton et al. 2015, Eq. 4.

    .. math:: I_k = u(I_{k+1}) + h_k

    Args:
        details: ``[h_0, ..., h_{K-1}]``.
        coarsest: ``I_K``.

    Returns:
        ``I_0``.

    Example:
        >>> import torch
        >>> x = torch.rand(2, 3, 16, 16)
        >>> details, coarsest = laplacian_pyramid(x, levels=2)
        >>> [tuple(h.shape[2:]) for h in details], tuple(coarsest.shape[2:])
        ([(16, 16), (8, 8)], (4, 4))
        >>> bool((reconstruct(details, coarsest) - x).abs().max() < 1e-6)
        True
    """
    x = coarsest
    for h in reversed(details):
        x = up(x) + h
    return x
