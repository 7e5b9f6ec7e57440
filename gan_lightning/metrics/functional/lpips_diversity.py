"""How different images of one set look, by a perceptual distance of pairs."""

from collections.abc import Callable

import torch
from torch import Tensor

from gan_lightning.metrics.functional._pairs import image_set, random_pairs

__all__ = ["lpips_diversity"]


def lpips_diversity(
    images: Tensor,
    distance: Callable[[Tensor, Tensor], Tensor],
    pairs: int = 10_000,
    seed: int = 0,
    chunk: int = 64,
) -> Tensor:
    r"""Mean perceptual distance of random pairs of images of a set.

    .. math:: \frac{1}{P} \sum_{(i, j)} d(x_i, x_j)

    over P different random pairs of different images, or all pairs where there are no more. A
    collapsed generator has 0; compare with the value of real images. Unbiased for any number of
    images. The original has pairs of outputs for one input; without inputs, pairs are of the
    whole set.

    Source: Zhu et al. 2017 (BicycleGAN), arXiv:1711.11586, section 5.2; the distance LPIPS: Zhang
    et al. 2018, arXiv:1801.03924.

    Args:
        images: ``(N, C, H, W)``, floats in [-1, 1] or uint8, N at least 2.
        distance: Maps two batches of images, floats in [-1, 1], to distances ``(B,)`` (other shapes
            with B numbers do too).
        pairs: How many.
        seed: Of the pairs; the same on all devices.
        chunk: Pairs at a time.

    Returns:
        A scalar in float64, in the unit of the distance, at least 0.

    Raises:
        ValueError: If these are not images in [-1, 1], there are fewer than two, a number is not
            positive, or the distance does not give one finite number a pair.

    Example:
        >>> images = torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1)
        >>> lpips_diversity(images, lambda x, y: (x - y).abs()).item()
        0.6666666666666666
    """
    images = image_set(images, 2)
    for name, number in {"pairs": pairs, "chunk": chunk}.items():
        if number < 1:
            raise ValueError(f"`{name}` must be at least 1, got {number}.")
    drawn = random_pairs(len(images), pairs, torch.Generator().manual_seed(seed))
    total = torch.zeros((), dtype=torch.float64, device=images.device)
    for some in torch.split(drawn.to(images.device), chunk):
        x, y = _as_floats(images[some[:, 0]]), _as_floats(images[some[:, 1]])
        total += distances(distance, x, y).sum()
    return total / len(drawn)


@torch.no_grad()
def distances(distance: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    """A given distance of pairs, checked.

    Args:
        distance: Maps two batches to B numbers.
        x: ``(B, ...)``.
        y: As x.

    Returns:
        Float64 ``(B,)``.

    Raises:
        ValueError: If it does not give B finite numbers.
    """
    found = distance(x, y)
    if found.numel() != len(x):
        raise ValueError(
            f"`distance` must give one number a pair, got shape {tuple(found.shape)} for {len(x)}."
        )
    if not bool(torch.isfinite(found).all()):
        raise ValueError("`distance` must give finite numbers, got NaN or infinity.")
    return found.double().reshape(-1)


def _as_floats(images: Tensor) -> Tensor:
    if images.dtype == torch.uint8:
        return images.float() / 127.5 - 1
    return images.float() if images.dtype in (torch.float16, torch.bfloat16) else images
