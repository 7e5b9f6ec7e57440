"""The DCGAN pair.

Radford, Metz, Chintala 2015, "Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks", arXiv:1511.06434, section 3 and Figure 1.

Their rules: strided and transposed convolutions in place of pooling, no fully connected hidden
layer, batch norm on every layer but G's last and D's first, ReLU and tanh in G, LeakyReLU(0.2) in
D, weights from N(0, 0.02). D's last layer, which gives the logit, has no batch norm either:
normalised logits could not tell how real a batch is as a whole.

Shapes below: N samples, C image channels, S the side of an image.
"""

import torch
from torch import Tensor, nn

from gan_lightning.networks.base import (
    Network,
    check_positive,
    check_sample_shape,
    check_shape,
    one_or_more,
)
from gan_lightning.networks.layers.spectral import spectrally_normalised

_SMALLEST = 4  # side of the smallest feature map: what the first layer of G makes of z
_SIZES = tuple(2**k for k in range(3, 9))  # 8, ..., 256


class DCGANGenerator(Network):
    r"""Generator :math:`x = G(z)`: z to a 4x4 map, doubled by transposed convolutions.

    Args:
        image_shape: ``(C, S, S)``; S a power of two from 8 to 256, any C.
        latent_dim: Dimension of z.
        width: Channels of the map of side S/2. They double with every halving of the side, up to
            8 * width.

    Raises:
        ValueError: If the shape is not one of these, or a size is not a positive integer.

    References:
        | Unsupervised Representation Learning with Deep Convolutional GANs (Radford et al., 2015)
        | https://arxiv.org/abs/1511.06434
    """

    def __init__(
        self, image_shape: tuple[int, ...], latent_dim: int = 100, width: int = 64
    ) -> None:
        super().__init__()
        self.image_shape = _square_image(image_shape)
        check_positive(latent_dim=latent_dim, width=width)
        self.latent_dim = latent_dim
        *inner, deepest = _channels(self.image_shape, width)
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(latent_dim, deepest, _SMALLEST, bias=False),  # (N, deepest, 4, 4)
            nn.BatchNorm2d(deepest),
            nn.ReLU(inplace=True),
        ]
        inputs = deepest
        for outputs in reversed(inner):
            layers += [
                _double(inputs, outputs, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
            inputs = outputs
        self.body = nn.Sequential(*layers)  # (N, width, S/2, S/2)
        # No batch norm here, so that G can learn the mean and the scale of the data.
        self.output = _double(inputs, self.image_shape[0], bias=True)
        self.apply(_initialise)

    def forward(self, z: Tensor) -> Tensor:
        """Images ``(N, C, S, S)`` in [-1, 1] from z ``(N, latent_dim)``."""
        check_shape("z", z, (self.latent_dim,))
        return torch.tanh(self.output(self.body(z[:, :, None, None])))


class DCGANDiscriminator(Network):
    """Discriminator: strided convolutions down to a 4x4 map, and a 4x4 convolution to the logit.

    Args:
        image_shape: ``(C, S, S)``; S a power of two from 8 to 256, any C.
        width: Channels of the first layer's map, of side S/2. They double with every halving of the
            side, up to 8 * width.
        outputs: Numbers for each image: 1 for a logit, more for classes or a critic of several.
        batch_norm: False leaves batch norm out (WGAN-GP, spectral normalisation) and gives every
            convolution a bias.
        spectral_norm: Divide every weight by its spectral norm (Miyato et al. 2018), which with
            batch norm bounds nothing.

    Attributes:
        feature_dim: Length of a row of `features`: 16 times the channels of the last 4x4 map.

    Raises:
        ValueError: If the shape is not one of these, or a size is not a positive integer.

    References:
        | Unsupervised Representation Learning with Deep Convolutional GANs (Radford et al., 2015)
        | https://arxiv.org/abs/1511.06434
    """

    def __init__(
        self,
        image_shape: tuple[int, ...],
        width: int = 64,
        outputs: int = 1,
        batch_norm: bool = True,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        self.image_shape = _square_image(image_shape)
        check_positive(width=width, outputs=outputs)
        first, *inner = _channels(self.image_shape, width)
        # No batch norm here, so that D sees the mean and the scale of the data.
        layers: list[nn.Module] = [_halve(self.image_shape[0], first, bias=True), _leaky_relu()]
        inputs = first
        for channels in inner:
            layers.append(_halve(inputs, channels, bias=not batch_norm))
            layers += [nn.BatchNorm2d(channels)] if batch_norm else []
            layers.append(_leaky_relu())
            inputs = channels
        self.body = nn.Sequential(*layers)  # (N, inputs, 4, 4)
        self.logit = nn.Conv2d(inputs, outputs, _SMALLEST)  # (N, outputs, 1, 1)
        self.feature_dim = inputs * _SMALLEST**2
        self.apply(_initialise)
        if spectral_norm:
            spectrally_normalised(self)

    def features(self, x: Tensor) -> Tensor:
        """Activations before the last layer, ``(N, feature_dim)``, of images ``(N, C, S, S)``."""
        check_shape("x", x, self.image_shape)
        maps: Tensor = self.body(x)
        return maps.flatten(1)

    def from_features(self, features: Tensor) -> Tensor:
        """What `forward` returns, from features ``(N, feature_dim)``."""
        maps = features.view(len(features), self.logit.in_channels, _SMALLEST, _SMALLEST)
        return one_or_more(self.logit(maps).flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of images ``(N, C, S, S)``: ``(N,)``, or ``(N, outputs)`` if more than 1."""
        return self.from_features(self.features(x))


def dcgan(
    image_shape: tuple[int, ...], latent_dim: int = 100, width: int = 64
) -> tuple[DCGANGenerator, DCGANDiscriminator]:
    """Return the DCGAN generator and discriminator for images of one shape.

    Args:
        image_shape: ``(C, S, S)``; S a power of two from 8 to 256, any C.
        latent_dim: Dimension of z.
        width: Channels of the maps of side S/2. The paper's generator of 64x64 images has 128.

    Example:
        >>> generator, discriminator = dcgan(image_shape=(3, 32, 32), latent_dim=16, width=8)
        >>> x = generator(torch.randn(5, 16))
        >>> x.shape, discriminator(x).shape
        (torch.Size([5, 3, 32, 32]), torch.Size([5]))
    """
    return DCGANGenerator(image_shape, latent_dim, width), DCGANDiscriminator(image_shape, width)


def _square_image(image_shape: tuple[int, ...]) -> tuple[int, ...]:
    shape = check_sample_shape(image_shape)
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] not in _SIZES:
        raise ValueError(
            f"`image_shape` must be (C, S, S) with S a power of two from 8 to 256, got {shape}."
        )
    return shape


def _channels(image_shape: tuple[int, ...], width: int) -> list[int]:
    """Channels of the maps of side S/2, S/4, ..., 4."""
    halvings = (image_shape[1] // _SMALLEST).bit_length() - 1
    return [width * min(2**k, 8) for k in range(halvings)]


def _halve(inputs: int, outputs: int, bias: bool) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel_size=4, stride=2, padding=1, bias=bias)


def _double(inputs: int, outputs: int, bias: bool) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, kernel_size=4, stride=2, padding=1, bias=bias)


def _leaky_relu() -> nn.LeakyReLU:
    return nn.LeakyReLU(0.2, inplace=True)


def _initialise(layer: nn.Module) -> None:
    """Weights from N(0, 0.02); batch norm's scales around 1, as in the authors' code; biases 0."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
        nn.init.zeros_(layer.bias)
