"""ProGAN's distance of patches on the levels of a Laplacian pyramid."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gan_lightning.metrics.functional._neighbours import ENTRIES
from gan_lightning.metrics.functional._pairs import image_set, in_unit_range
from gan_lightning.metrics.functional.sliced_wasserstein import sliced_costs

__all__ = ["PatchSWD", "multiscale_patch_swd"]

_SIDE = 7  # of a patch
_COARSEST = 16  # pixels


@dataclass(frozen=True)
class PatchSWD:
    """Sliced Wasserstein distances of patches, one for each level.

    Attributes:
        resolutions: The shorter side of each level in pixels, the finest first.
        levels: The distances times 1,000, float64 ``(L,)``.
    """

    resolutions: tuple[int, ...]
    levels: Tensor

    @property
    def mean(self) -> Tensor:
        """Mean over the levels, a scalar in float64."""
        return self.levels.mean()


def multiscale_patch_swd(
    real_images: Tensor,
    fake_images: Tensor,
    patches: int = 128,
    projections: int = 512,
    seed: int = 0,
) -> PatchSWD:
    r"""Sliced Wasserstein distance between patches of images, scale by scale.

    Each image becomes a Laplacian pyramid (Burt and Adelson 1983: 5 x 5 binomial filter, mirrored
    at the edges) with levels down to 16 pixels; a smaller image is one level. On each level 128
    random patches of 7 x 7 pixels are taken from each image, each channel of a set of patches is
    brought to mean 0 and standard deviation 1 (over all patches of that set), and

    .. math::
        10^3 \cdot \frac{1}{L} \sum_{l=1}^{L} W_1(\theta_l^\top X, \theta_l^\top Y)

    is taken over 4 x 128 random directions. A fine level compares noise and edges, a coarse one
    the composition. Because of the normalisation the distance does not see brightness or contrast
    of a whole level. As any distance of samples it falls with the number of images (the paper:
    8,192) and is at least 0.

    Choices: the same positions are used for both sets, so that equal sets give exactly 0;
    directions and positions are drawn by torch, so that values agree with the authors' code up to
    sampling noise only; sets of different size are coupled by exact quantiles. The
    authors' pixels in 0..255 give the same, by the normalisation. A constant channel stays 0.

    The patches of one level of both sets are held in memory, 128 * 49 * C * 8 bytes an image;
    beside them only blocks of a fixed size.

    Source: Karras et al. 2018, arXiv:1710.10196, section 5.

    Args:
        real_images: ``(N, C, H, W)``, floats in [-1, 1] or uint8, sides at least 7, N at least 2.
        fake_images: ``(M, C, H, W)``.
        patches: From each image on each level.
        projections: Number of directions.
        seed: Of positions and directions; the same on all devices.

    Returns:
        A `PatchSWD`.

    Raises:
        ValueError: If these are not images in [-1, 1] of one shape, a set has fewer than two, or a
            number is not positive.
    """
    for name, number in {"patches": patches, "projections": projections}.items():
        if number < 1:
            raise ValueError(f"`{name}` must be at least 1, got {number}.")
    real = image_set(real_images, 2, "real_images")
    fake = image_set(fake_images, 2, "fake_images")
    shape = tuple(real.shape[1:])
    if shape != tuple(fake.shape[1:]) or min(shape[1:]) < _SIDE:
        raise ValueError(
            "`real_images` and `fake_images` must have one shape with sides of at least "
            f"{_SIDE} pixels, got {shape} and {tuple(fake.shape[1:])}."
        )
    resolutions = _resolutions(min(shape[1:]))
    generator = torch.Generator().manual_seed(seed)
    size = (len(resolutions), projections, shape[0] * _SIDE**2)
    directions = torch.randn(size, generator=generator, dtype=torch.float64)
    directions = (directions / directions.norm(dim=2, keepdim=True)).to(real.device)
    values = []
    for level, of_level in enumerate(directions):
        x, y = (
            _normalised_patches(s.to(real.device), level, len(resolutions), patches, seed)
            for s in (real, fake)
        )
        values.append(torch.cat(list(sliced_costs(x, y, of_level, 1.0))).mean())
    return PatchSWD(resolutions, 1e3 * torch.stack(values))


def _resolutions(side: int) -> tuple[int, ...]:
    found = [side]
    while (found[-1] + 1) // 2 >= _COARSEST:
        found.append((found[-1] + 1) // 2)
    return tuple(found)


def _normalised_patches(images: Tensor, level: int, levels: int, number: int, seed: int) -> Tensor:
    """Patches of one level as rows ``(N * number, C * 49)``, each channel standardised."""
    generator = torch.Generator().manual_seed(seed + 1 + level)  # the same for both sets
    channels, rows = images.shape[1], 0
    size = (len(images) * number, channels, _SIDE**2)
    x = torch.empty(size, dtype=torch.float64, device=images.device)
    for some in _chunks(images, number):
        found = _patches(_level(some, level, level == levels - 1), number, generator)
        x[rows : rows + len(found)] = found
        rows += len(found)
    mean = x.mean((0, 2), keepdim=True)
    x -= mean
    # Part by part: the squares of all would be as large as x.
    parts = torch.split(x, max(1, ENTRIES // x[0].numel()))
    squares = torch.stack([part.square().sum((0, 2), keepdim=True) for part in parts]).sum(0)
    std = (squares / (len(x) * _SIDE**2)).sqrt()
    flat = std <= 1e-12 * (1 + mean.abs())  # what remains of a constant channel is rounding
    x /= torch.where(flat, torch.inf, std)
    return x.flatten(1)


def _chunks(images: Tensor, number: int) -> Iterator[Tensor]:
    largest = images.shape[1] * max(images[0, 0].numel(), number * _SIDE**2)
    for some in torch.split(images, max(1, ENTRIES // largest)):
        yield in_unit_range(some)


def _patches(x: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """Random patches ``(N * number, C, 49)`` of images ``(N, C, H, W)``."""
    n, channels, height, width = x.shape
    draws = torch.rand(n, number, 2, generator=generator, dtype=torch.float64)
    corners = torch.tensor([height, width]) - _SIDE + 1
    at = (draws * corners).long().to(x.device)
    steps = torch.arange(_SIDE, device=x.device)
    rows = (at[..., 0, None] + steps)[:, :, :, None]  # (N, number, 7, 1)
    columns = (at[..., 1, None] + steps)[:, :, None, :]
    flat = (rows * width + columns).flatten(1)
    found = x.flatten(2).gather(2, flat[:, None].expand(-1, channels, -1))
    return found.view(n, channels, number, -1).transpose(1, 2).flatten(0, 1)


def _level(x: Tensor, level: int, last: bool) -> Tensor:
    """One level of the Laplacian pyramid of images; the last one is Gaussian."""
    for _ in range(level):
        x = _down(x)
    return x if last else x - _up(_down(x), x.shape[2:])


def _filter(x: Tensor) -> Tensor:
    """The 5 x 5 binomial filter, mirrored at the edges."""
    weights = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]).to(x) / 16
    channels = x.shape[1]
    x = functional.pad(x, (2, 2, 2, 2), mode="reflect")
    x = functional.conv2d(x, weights.view(1, 1, 5, 1).expand(channels, -1, -1, -1), groups=channels)
    return functional.conv2d(
        x, weights.view(1, 1, 1, 5).expand(channels, -1, -1, -1), groups=channels
    )


def _down(x: Tensor) -> Tensor:
    return _filter(x)[:, :, ::2, ::2]


def _up(x: Tensor, size: torch.Size) -> Tensor:
    """Zeros between the pixels, then the filter; 4 keeps the mean."""
    spread = x.new_zeros(*x.shape[:2], *size)
    spread[:, :, ::2, ::2] = x
    return 4 * _filter(spread)
