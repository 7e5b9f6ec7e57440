"""Random pairs of samples, and images that are compared in pairs."""

import torch
from torch import Tensor

__all__ = ["image_set", "random_pairs"]

_SLACK = 1e-3  # of [-1, 1]: what half precisions add


def image_set(images: Tensor, least: int, name: str = "images") -> Tensor:
    """Refuse what are not images in [-1, 1].

    Args:
        images: ``(N, C, H, W)``, floats in [-1, 1] or uint8 in 0..255.
        least: Smallest N.
        name: What the caller's argument is called.

    Returns:
        The images, uint8 still so, detached.

    Raises:
        ValueError: If they are something else.
    """
    if images.ndim != 4 or len(images) < least or not images[0].numel():
        raise ValueError(
            f"`{name}` must be (N, C, H, W) with at least {least} images, got shape "
            f"{tuple(images.shape)}."
        )
    if images.dtype != torch.uint8:
        if not images.is_floating_point():
            raise ValueError(f"`{name}` must be floats in [-1, 1] or uint8, got {images.dtype}.")
        low, high = (float(bound) for bound in images.detach().aminmax())
        if not (low >= -1 - _SLACK and high <= 1 + _SLACK):  # also refuses NaN
            raise ValueError(
                f"`{name}` must lie in [-1, 1], got values from {low:.4g} to {high:.4g}."
            )
    return images.detach()


def in_unit_range(images: Tensor) -> Tensor:
    """Images of `image_set` as float64 in [-1, 1]."""
    x = images.double()
    return x / 127.5 - 1 if images.dtype == torch.uint8 else x


def random_pairs(n: int, pairs: int, generator: torch.Generator) -> Tensor:
    """Different unordered pairs of n samples, all of them if there are no more than asked for.

    Args:
        n: Samples, at least 2.
        pairs: How many pairs, at least 1.
        generator: On the CPU.

    Returns:
        Indices ``(P, 2)``, int64, the smaller one second; P is the smaller of `pairs` and
        n (n - 1) / 2.
    """
    total = n * (n - 1) // 2
    if pairs >= total:
        return _decode(torch.arange(total))
    if 2 * pairs >= total:
        return _decode(torch.randperm(total, generator=generator)[:pairs])
    drawn = torch.empty(0, dtype=torch.int64)
    while len(drawn) < pairs:
        more = torch.randint(total, (2 * pairs,), generator=generator)
        drawn = torch.unique(torch.cat([drawn, more]))
    return _decode(drawn[torch.randperm(len(drawn), generator=generator)[:pairs]])


def _decode(k: Tensor) -> Tensor:
    """The k-th pair of (1, 0), (2, 0), (2, 1), (3, 0), ..."""
    larger = ((1 + (8 * k + 1).double().sqrt()) / 2).long()
    larger -= (larger * (larger - 1) // 2 > k).long()  # the root may be rounded up
    larger += (larger * (larger + 1) // 2 <= k).long()
    return torch.stack([larger, k - larger * (larger - 1) // 2], 1)
