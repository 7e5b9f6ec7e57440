"""The residual pair of SNGAN.

Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks", arXiv:1802.05957,
appendix B.4, the networks for CIFAR-10; the residual blocks are those of Gulrajani et al. 2017,
"Improved Training of Wasserstein GANs", arXiv:1704.00028, appendix F.

All maps of a player have the same number of channels, 256 in the paper's generator and 128 in its
discriminator. At 32x32 the blocks are the paper's; at other sides their number follows the side.

Shapes below: N samples, C image channels, S the side of an image.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from gan_lightning.networks.base import (
    Network,
    check_positive,
    check_sample_shape,
    check_shape,
    one_or_more,
)
from gan_lightning.networks.layers.spectral import spectrally_normalised

_SIZES = (16, 32, 64)
_FIRST = 4  # side of the map that G makes of z
_LAST = 8  # side of the maps that D's last two blocks see


class ResNetGenerator(Network):
    r"""Generator :math:`x = G(z)`: z to a 4x4 map, doubled by residual blocks with batch norm.

    Args:
        image_shape: ``(C, S, S)`` with S = 16, 32 or 64, any C.
        latent_dim: Dimension of z.
        width: Channels of every map; the paper has 256.

    Raises:
        ValueError: If the shape is not one of these, or a size is not a positive integer.

    References:
        | Spectral Normalization for Generative Adversarial Networks (Miyato et al., 2018)
        | https://arxiv.org/abs/1802.05957
    """

    def __init__(
        self, image_shape: tuple[int, ...], latent_dim: int = 128, width: int = 64
    ) -> None:
        super().__init__()
        self.image_shape = _square_image(image_shape)
        check_positive(latent_dim=latent_dim, width=width)
        self.latent_dim = latent_dim
        doublings = (self.image_shape[1] // _FIRST).bit_length() - 1
        self.input = nn.Linear(latent_dim, width * _FIRST**2)
        self.body = nn.Sequential(*(_Up(width) for _ in range(doublings)))  # (N, width, S, S)
        self.norm = nn.BatchNorm2d(width)
        self.output = nn.Conv2d(width, self.image_shape[0], 3, padding=1)
        self.apply(_initialise)
        nn.init.xavier_uniform_(self.output.weight)  # no ReLU after it, hence no gain

    def forward(self, z: Tensor) -> Tensor:
        """Images ``(N, C, S, S)`` in [-1, 1] from z ``(N, latent_dim)``."""
        check_shape("z", z, (self.latent_dim,))
        maps = self.body(self.input(z).view(len(z), -1, _FIRST, _FIRST))
        return torch.tanh(self.output(functional.relu(self.norm(maps))))


class ResNetDiscriminator(Network):
    """Discriminator of residual blocks without batch norm: down to 8x8, two blocks, a sum.

    Args:
        image_shape: ``(C, S, S)`` with S = 16, 32 or 64, any C.
        width: Channels of every map; the paper has 128.
        outputs: Numbers for each image: 1 for a logit, more for classes or a critic of several.
        spectral_norm: Divide every weight by its spectral norm, as SNGAN does; False for WGAN-GP.

    Attributes:
        feature_dim: Length of a row of `features`: ``width``.

    Raises:
        ValueError: If the shape is not one of these, or a size is not a positive integer.

    References:
        | Spectral Normalization for Generative Adversarial Networks (Miyato et al., 2018)
        | https://arxiv.org/abs/1802.05957
    """

    def __init__(
        self,
        image_shape: tuple[int, ...],
        width: int = 64,
        outputs: int = 1,
        spectral_norm: bool = True,
    ) -> None:
        super().__init__()
        self.image_shape = _square_image(image_shape)
        check_positive(width=width, outputs=outputs)
        halvings = (self.image_shape[1] // _LAST).bit_length() - 1
        blocks: list[nn.Module] = [_First(self.image_shape[0], width)]
        blocks += [_Block(width, halve=True) for _ in range(halvings - 1)]
        blocks += [_Block(width, halve=False) for _ in range(2)]
        self.body = nn.Sequential(*blocks)  # (N, width, 8, 8)
        self.logit = nn.Linear(width, outputs)
        self.feature_dim = width
        self.apply(_initialise)
        if spectral_norm:
            spectrally_normalised(self)

    def features(self, x: Tensor) -> Tensor:
        """Sums over the last maps, ``(N, feature_dim)``, of images ``(N, C, S, S)``."""
        check_shape("x", x, self.image_shape)
        return functional.relu(self.body(x)).sum((2, 3))

    def from_features(self, features: Tensor) -> Tensor:
        """What `forward` returns, from features ``(N, feature_dim)``."""
        return one_or_more(self.logit(features))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of images ``(N, C, S, S)``: ``(N,)``, or ``(N, outputs)`` if more than 1."""
        return self.from_features(self.features(x))


class _Up(nn.Module):
    """G's block: batch norm, ReLU, doubling, convolution; twice, and a 1x1 shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm2d(width), nn.BatchNorm2d(width)])
        self.convolutions = _convolutions(width, width)
        self.shortcut = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.convolutions[0](_double(functional.relu(self.norms[0](x))))
        h = self.convolutions[1](functional.relu(self.norms[1](h)))
        shortcut: Tensor = self.shortcut(_double(x))
        return h + shortcut


class _Block(nn.Module):
    """D's block: ReLU, convolution; twice, and the identity or, with halving, a 1x1 shortcut."""

    def __init__(self, width: int, halve: bool) -> None:
        super().__init__()
        self.convolutions = _convolutions(width, width)
        self.shortcut = nn.Conv2d(width, width, 1) if halve else None

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.convolutions[0](functional.relu(x))
        h = self.convolutions[1](functional.relu(h))
        if self.shortcut is None:
            return x + h
        return _halve(h + self.shortcut(x))


class _First(nn.Module):
    """D's first block: no ReLU on the image itself, and its shortcut halves first, for speed."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.convolutions = _convolutions(inputs, width)
        self.shortcut = nn.Conv2d(inputs, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.convolutions[1](functional.relu(self.convolutions[0](x)))
        shortcut: Tensor = self.shortcut(_halve(x))
        return _halve(h) + shortcut


def resnet(
    image_shape: tuple[int, ...], latent_dim: int = 128, width: int = 64
) -> tuple[ResNetGenerator, ResNetDiscriminator]:
    """Return SNGAN's generator, and its discriminator with spectral normalisation.

    Args:
        image_shape: ``(C, S, S)`` with S = 16, 32 or 64, any C.
        latent_dim: Dimension of z.
        width: Channels of every map of both players.

    Example:
        >>> generator, discriminator = resnet(image_shape=(3, 32, 32), latent_dim=16, width=8)
        >>> x = generator(torch.randn(5, 16))
        >>> x.shape, discriminator(x).shape
        (torch.Size([5, 3, 32, 32]), torch.Size([5]))
    """
    return ResNetGenerator(image_shape, latent_dim, width), ResNetDiscriminator(image_shape, width)


def _square_image(image_shape: tuple[int, ...]) -> tuple[int, ...]:
    shape = check_sample_shape(image_shape)
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] not in _SIZES:
        raise ValueError(f"`image_shape` must be (C, S, S) with S 16, 32 or 64, got {shape}.")
    return shape


def _convolutions(inputs: int, width: int) -> nn.ModuleList:
    first = nn.Conv2d(inputs, width, 3, padding=1)
    return nn.ModuleList([first, nn.Conv2d(width, width, 3, padding=1)])


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def _halve(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 2)


def _initialise(layer: nn.Module) -> None:
    """Glorot's uniform weights, as in the authors' code; with ReLU's gain in the 3x3 kernels."""
    if isinstance(layer, nn.Conv2d | nn.Linear):
        gain = 2**0.5 if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3) else 1.0
        nn.init.xavier_uniform_(layer.weight, gain)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
