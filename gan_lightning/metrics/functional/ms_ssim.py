"""How alike images of one set are, by the multi-scale structural similarity of pairs."""

import torch
from torch import Tensor
from torch.nn import functional

from gan_lightning.metrics.functional._neighbours import ENTRIES
from gan_lightning.metrics.functional._pairs import image_set, in_unit_range, random_pairs

__all__ = ["ms_ssim", "ms_ssim_diversity"]

_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, from the finest
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2  # 2: the range of [-1, 1]


def ms_ssim_diversity(
    images: Tensor, pairs: int = 10_000, seed: int = 0, labels: Tensor | None = None
) -> Tensor:
    r"""Mean multi-scale structural similarity of random pairs of images of a set.

    .. math:: \frac{1}{P} \sum_{(i, j)} \mathrm{MS\text{-}SSIM}(x_i, x_j)

    over P different random pairs of different images, or all pairs where there are no more. High
    values mean that the images look alike: a collapsed generator has 1. Real images of the same
    classes give the value to compare with; a much lower one is not better, since noise has about 0.
    Unbiased for any number of images. With labels, pairs are drawn within classes, an equal number
    from each, and the classes' means are averaged (Odena et al. draw 100 pairs of each class);
    classes with a single image have no pairs and are left out.

    See `ms_ssim` for the conventions of the similarity itself, which libraries disagree on.

    Source: Odena et al. 2017, arXiv:1610.09585, section 4.2.

    Args:
        images: ``(N, C, H, W)``, floats in [-1, 1] or uint8, N at least 2.
        pairs: How many, of all classes together (at least one a class).
        seed: Of the pairs; the same on all devices.
        labels: Classes, integers ``(N,)``.

    Returns:
        A scalar in float64, in [0, 1].

    Raises:
        ValueError: If these are not images in [-1, 1], there are fewer than two (of any class),
            `pairs` is not positive, or labels do not fit.
    """
    images = image_set(images, 2)
    if pairs < 1:
        raise ValueError(f"`pairs` must be at least 1, got {pairs}.")
    generator = torch.Generator().manual_seed(seed)
    groups = _groups(len(images), labels)
    means = []
    for members in groups:
        drawn = random_pairs(len(members), max(1, pairs // len(groups)), generator)
        means.append(_mean_similarity(images, members[drawn].to(images.device)))
    return torch.stack(means).mean()


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    r"""Multi-scale structural similarity of images with images.

    .. math::
        \Big( \overline{l \cdot cs} \Big)_M^{w_M} \prod_{j=1}^{M-1} \overline{cs}_j^{\,w_j}, \quad
        l = \frac{2 \mu_x \mu_y + C_1}{\mu_x^2 + \mu_y^2 + C_1}, \quad
        cs = \frac{2 \sigma_{xy} + C_2}{\sigma_x^2 + \sigma_y^2 + C_2},

    with local moments under a Gaussian window of 11 x 11 pixels with standard deviation 1.5,
    bars for means over pixels and channels, C1 = (0.01 R)^2, C2 = (0.03 R)^2 for pixels in 0..R,
    and scales halved by means of 2 x 2 pixels.

    Choices where libraries disagree:

    - Windows lie wholly within the image ("valid", Wang et al., ProGAN). torchmetrics pads
      by reflection and crops only some of its maps, so its values are higher; pytorch_msssim is
      valid too.
    - The paper's five scales need 176 pixels. Here as many are used as leave a side of at least
      11 pixels on the coarsest, with their weights divided by their sum. (Others refuse small
      images, or shrink the window.) Numbers of images of different size do not compare.
    - Below 11 pixels there is one scale and the window shrinks to the image, with a standard
      deviation in proportion.
    - Channels are averaged on each scale, before the product (ProGAN; pytorch_msssim averages the
      channels' products).
    - A negative mean, of anticorrelated images, counts as 0, since its power is not real.

    Source: Wang et al. 2003 (Multiscale structural similarity for image quality assessment),
    equation 7.

    Args:
        x: ``(N, C, H, W)`` in float64, in [-1, 1].
        y: As x.

    Returns:
        Similarities ``(N,)`` in [0, 1]; 1 for equal images.
    """
    x, y = (x + 1).clamp_min(0), (y + 1).clamp_min(0)  # pixels are at least 0 in the luminance
    scales = _scales(min(x.shape[2:]))
    weights = torch.tensor(_WEIGHTS[:scales], dtype=torch.float64)
    window = _window(min(_WINDOW, *x.shape[2:])).to(x)
    product = x.new_ones(len(x))
    for scale, weight in enumerate((weights / weights.sum()).tolist()):
        if scale:
            x, y = _halve(x), _halve(y)
        luminance, structure = _terms(x, y, window)
        value = luminance * structure if scale == scales - 1 else structure
        product = product * value.mean((1, 2, 3)).clamp_min(0) ** weight
    return product


def _groups(n: int, labels: Tensor | None) -> list[Tensor]:
    """Indices of the images of each class with at least two, on the CPU."""
    if labels is None:
        return [torch.arange(n)]
    if labels.shape != (n,) or labels.is_floating_point():
        raise ValueError(
            f"`labels` must be integers of shape ({n},), got {labels.dtype} of shape "
            f"{tuple(labels.shape)}."
        )
    labels = labels.cpu()
    groups = [(labels == label).nonzero()[:, 0] for label in torch.unique(labels)]
    groups = [members for members in groups if len(members) > 1]
    if not groups:
        raise ValueError(f"`labels` must name a class of at least 2 images, got {n} of one each.")
    return groups


def _mean_similarity(images: Tensor, pairs: Tensor) -> Tensor:
    rows = max(1, ENTRIES // (5 * images[0].numel()))
    parts = [
        ms_ssim(in_unit_range(images[some[:, 0]]), in_unit_range(images[some[:, 1]]))
        for some in torch.split(pairs, rows)
    ]
    return torch.cat(parts).mean()


def _scales(side: int) -> int:
    scales = 1
    while scales < len(_WEIGHTS) and (side + 1) // 2 >= _WINDOW:
        scales, side = scales + 1, (side + 1) // 2
    return scales


def _window(size: int) -> Tensor:
    offsets = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    weights = (-0.5 * (offsets / (_SIGMA * size / _WINDOW)).square()).exp()
    return weights / weights.sum()


def _terms(x: Tensor, y: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
    """Maps of the luminance term and of contrast times structure."""
    # Windows of constant images must have variance 0: moments around the images' own means.
    shift_x, shift_y = (image.mean((1, 2, 3), keepdim=True) for image in (x, y))
    u, v = x - shift_x, y - shift_y
    moments = _blur(torch.cat([u, v, u * u, v * v, u * v]), window).chunk(5)
    mean_u, mean_v = moments[:2]
    variances = (moments[2] - mean_u.square()) + (moments[3] - mean_v.square())
    covariance = moments[4] - mean_u * mean_v
    mean_x, mean_y = mean_u + shift_x, mean_v + shift_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x.square() + mean_y.square() + _C1)
    return luminance, (2 * covariance + _C2) / (variances + _C2)


def _blur(x: Tensor, window: Tensor) -> Tensor:
    channels = x.shape[1]
    down = window.view(1, 1, -1, 1).expand(channels, -1, -1, -1)
    across = window.view(1, 1, 1, -1).expand(channels, -1, -1, -1)
    return functional.conv2d(functional.conv2d(x, down, groups=channels), across, groups=channels)


def _halve(x: Tensor) -> Tensor:
    """Means of 2 x 2 pixels; the last row and column of an odd side are repeated."""
    height, width = x.shape[2:]
    x = functional.pad(x, (0, width % 2, 0, height % 2), mode="replicate")
    return functional.avg_pool2d(x, 2)
