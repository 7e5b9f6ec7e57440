"""Fully connected pair for points and small images, without normalisation."""

import math
from collections.abc import Callable

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


class MLPGenerator(Network):
    r"""Fully connected generator :math:`x = G(z)` with ReLU between its layers.

    Images leave through tanh, in :math:`[-1, 1]`; points leave as they are.

    Args:
        image_shape: Shape of one sample: ``(2,)`` for points in the plane, ``(C, H, W)`` for
            images.
        latent_dim: Dimension of z.
        width: Units of a hidden layer.
        depth: Number of hidden layers.

    Raises:
        ValueError: If a size is not a positive integer.
    """

    def __init__(
        self, image_shape: tuple[int, ...], latent_dim: int, width: int = 128, depth: int = 3
    ) -> None:
        super().__init__()
        self.image_shape = check_sample_shape(image_shape)
        check_positive(latent_dim=latent_dim, width=width, depth=depth)
        self.latent_dim = latent_dim
        self.body = _hidden_layers(latent_dim, width, depth, nn.ReLU)
        self.output = nn.Linear(width, math.prod(self.image_shape))

    def forward(self, z: Tensor) -> Tensor:
        """Samples ``(N, *image_shape)`` from z ``(N, latent_dim)``."""
        check_shape("z", z, (self.latent_dim,))
        x: Tensor = self.output(self.body(z)).view(-1, *self.image_shape)
        return torch.tanh(x) if len(self.image_shape) == 3 else x


class MLPDiscriminator(Network):
    """Fully connected discriminator with LeakyReLU(0.2) between its layers.

    Args:
        image_shape: Shape of one sample.
        width: Units of a hidden layer.
        depth: Number of hidden layers.
        outputs: Numbers for each sample: 1 for a logit, more for classes or a critic of several.
        spectral_norm: Divide every weight by its spectral norm (Miyato et al. 2018).

    Attributes:
        feature_dim: Length of a row of `features`: ``width``.

    Raises:
        ValueError: If a size is not a positive integer.
    """

    def __init__(
        self,
        image_shape: tuple[int, ...],
        width: int = 128,
        depth: int = 3,
        outputs: int = 1,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        self.image_shape = check_sample_shape(image_shape)
        check_positive(width=width, depth=depth, outputs=outputs)
        self.feature_dim = width
        self.body = _hidden_layers(math.prod(self.image_shape), width, depth, _leaky_relu)
        self.logit = nn.Linear(width, outputs)
        if spectral_norm:
            spectrally_normalised(self)

    def features(self, x: Tensor) -> Tensor:
        """Activations before the last layer, ``(N, feature_dim)``, of x ``(N, *image_shape)``."""
        check_shape("x", x, self.image_shape)
        features: Tensor = self.body(x.flatten(1))
        return features

    def from_features(self, features: Tensor) -> Tensor:
        """What `forward` returns, from features ``(N, feature_dim)``."""
        return one_or_more(self.logit(features))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of samples ``(N, *image_shape)``: ``(N,)``, or ``(N, outputs)`` if more than 1."""
        return self.from_features(self.features(x))


def _hidden_layers(
    inputs: int, width: int, depth: int, activation: Callable[[], nn.Module]
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(inputs, width), activation()]
        inputs = width
    return nn.Sequential(*layers)


def _leaky_relu() -> nn.LeakyReLU:
    return nn.LeakyReLU(0.2)


def mlp(
    image_shape: tuple[int, ...], latent_dim: int, width: int = 128, depth: int = 3
) -> tuple[MLPGenerator, MLPDiscriminator]:
    """Return a fully connected generator and discriminator of the same width and depth.

    Args:
        image_shape: Shape of one sample: ``(2,)`` for points in the plane, ``(C, H, W)`` for
            images.
        latent_dim: Dimension of z.
        width: Units of a hidden layer.
        depth: Number of hidden layers.

    Example:
        >>> generator, discriminator = mlp(image_shape=(2,), latent_dim=8, width=16)
        >>> x = generator(torch.randn(5, 8))
        >>> x.shape, discriminator(x).shape
        (torch.Size([5, 2]), torch.Size([5]))
    """
    generator = MLPGenerator(image_shape, latent_dim, width, depth)
    return generator, MLPDiscriminator(image_shape, width, depth)
