"""Encoders, and a discriminator of samples together with their codes.

Donahue, Krähenbühl, Darrell 2017, "Adversarial Feature Learning", arXiv:1605.09782, and Dumoulin et
al. 2017, "Adversarially Learned Inference", arXiv:1606.00704. Both build the encoder like a
discriminator that ends in a code.
"""

from collections.abc import Callable

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
from gan_lightning.networks.dcgan import DCGANDiscriminator
from gan_lightning.networks.mlp import MLPDiscriminator

_SLOPE = 0.2  # of LeakyReLU


class MLPEncoder(Network):
    r"""Fully connected encoder: z = E(x), or a normal distribution of z.

    Args:
        image_shape: Shape of one sample.
        latent_dim: Dimension of z.
        width: Units of a hidden layer.
        depth: Number of hidden layers.
        stochastic: Whether it gives mean and log variance of z (ALI), in place of z (BiGAN).

    Raises:
        ValueError: If a size is not a positive integer.
    """

    def __init__(
        self,
        image_shape: tuple[int, ...],
        latent_dim: int,
        width: int = 128,
        depth: int = 3,
        stochastic: bool = False,
    ) -> None:
        super().__init__()
        check_positive(latent_dim=latent_dim)
        self.latent_dim, self.stochastic = latent_dim, stochastic
        outputs = _outputs(latent_dim, stochastic)
        self.network = MLPDiscriminator(image_shape, width, depth, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Codes ``(N, latent_dim)``, or mean and log variance ``(N, 2, latent_dim)``."""
        return _code(self.network(x), self.latent_dim, self.stochastic)


class DCGANEncoder(Network):
    r"""Convolutional encoder in DCGAN's manner: z = E(x), or a normal distribution of z.

    Args:
        image_shape: ``(C, S, S)``; S a power of two from 8 to 256, any C.
        latent_dim: Dimension of z.
        width: Channels of the first layer's map, of side S/2. They double with every halving of the
            side, up to 8 * width.
        stochastic: Whether it gives mean and log variance of z (ALI), in place of z (BiGAN).
        batch_norm: False leaves batch norm out.

    Raises:
        ValueError: If the shape is not one of these, or a size is not a positive integer.
    """

    def __init__(
        self,
        image_shape: tuple[int, ...],
        latent_dim: int,
        width: int = 64,
        stochastic: bool = False,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        check_positive(latent_dim=latent_dim)
        self.latent_dim, self.stochastic = latent_dim, stochastic
        outputs = _outputs(latent_dim, stochastic)
        self.network = DCGANDiscriminator(image_shape, width, outputs, batch_norm)

    def forward(self, x: Tensor) -> Tensor:
        """Codes ``(N, latent_dim)``, or mean and log variance ``(N, 2, latent_dim)``."""
        return _code(self.network(x), self.latent_dim, self.stochastic)


class JointDiscriminator(Network):
    """D(x, z): what a network makes of x, joined with a layer's view of z.

    Args:
        image_shape: Shape of one sample.
        latent_dim: Dimension of z.
        network: Makes the network for x from the shape and the number of its outputs: an encoder,
            such as ``partial(DCGANEncoder, width=32)``.
        width: Outputs of that network, and units of the layers for z and for both.

    Attributes:
        feature_dim: Length of a row of `features`: ``width``.

    Raises:
        ValueError: If a size is not a positive integer.
    """

    def __init__(
        self,
        image_shape: tuple[int, ...],
        latent_dim: int,
        network: Callable[[tuple[int, ...], int], nn.Module] = MLPEncoder,
        width: int = 128,
    ) -> None:
        super().__init__()
        check_positive(latent_dim=latent_dim, width=width)
        self.latent_dim = latent_dim
        self.feature_dim = width
        self.of_sample = network(check_sample_shape(image_shape), width)
        self.of_code = nn.Linear(latent_dim, width)
        self.joint = nn.Linear(2 * width, width)
        self.logit = nn.Linear(width, 1)

    def features(self, x: Tensor, z: Tensor) -> Tensor:
        """Activations before the last layer, ``(N, feature_dim)``, of samples and codes."""
        check_shape("z", z, (self.latent_dim,))
        both = torch.cat([self.of_sample(x), self.of_code(z)], dim=1)
        both = functional.leaky_relu(both, _SLOPE)
        return functional.leaky_relu(self.joint(both), _SLOPE)

    def from_features(self, features: Tensor) -> Tensor:
        """What `forward` returns, from features ``(N, feature_dim)``."""
        return one_or_more(self.logit(features))

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Logits ``(N,)`` of samples ``(N, *image_shape)`` with codes ``(N, latent_dim)``."""
        return self.from_features(self.features(x, z))


def _outputs(latent_dim: int, stochastic: bool) -> int:
    return 2 * latent_dim if stochastic else latent_dim


def _code(outputs: Tensor, latent_dim: int, stochastic: bool) -> Tensor:
    # A discriminator of one output returns (N,).
    return outputs.view(len(outputs), *((2, latent_dim) if stochastic else (latent_dim,)))
