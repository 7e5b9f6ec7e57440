r"""Networks that are told the class: G(z, y) and D(x, y) out of any G(z) and D(x).

Mirza, Osindero 2014, "Conditional Generative Adversarial Nets", arXiv:1411.1784, section 3.2: the
label joins the input of both players. Miyato, Koyama 2018, "cGANs with Projection Discriminator",
arXiv:1802.05637, Eq. 3: D's logit has a term linear in the label.

Shapes below: N samples, E the length of a label's vector.
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
    featured,
    offers_features,
)
from gan_lightning.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_lightning.networks.layers.spectral import spectrally_normalised
from gan_lightning.networks.mlp import MLPDiscriminator, MLPGenerator
from gan_lightning.networks.packed import Packed

Shape = tuple[int, ...]


class LabelVector(nn.Module):
    """An integer label as a real vector: its one-hot code, or a learned embedding.

    Args:
        num_classes: K; labels are 0, ..., K - 1.
        embedding_dim: Length of a learned vector, N(0, 1) at first; None gives one-hot codes.

    Attributes:
        dim: Length of the vector: ``embedding_dim``, or K.

    Raises:
        ValueError: If a size is not a positive integer.
    """

    def __init__(self, num_classes: int, embedding_dim: int | None = None) -> None:
        super().__init__()
        check_positive(num_classes=num_classes)
        self.num_classes = num_classes
        self.dim = num_classes
        self.embedding: nn.Embedding | None = None
        if embedding_dim is not None:
            check_positive(embedding_dim=embedding_dim)
            self.dim = embedding_dim
            self.embedding = nn.Embedding(num_classes, embedding_dim)

    def forward(self, labels: Tensor, like: Tensor) -> Tensor:
        """Vectors ``(N, dim)`` of integer labels ``(N,)``; one-hot codes in the type of `like`."""
        check_labels(labels, len(like))
        if self.embedding is None:
            return functional.one_hot(labels.long(), self.num_classes).to(like.dtype)
        vectors: Tensor = self.embedding(labels.long())
        return vectors


class ConditionalGenerator(Network):
    r"""G(z, y): z with the label's vector appended, (z, e(y)), goes into an ordinary generator.

    Args:
        image_shape: Shape of one sample.
        latent_dim: Dimension of z, without the label.
        num_classes: K; labels are 0, ..., K - 1.
        network: Makes the generator from the shape and the length of its input, such as
            ``partial(DCGANGenerator, width=32)``.
        embedding_dim: Length of a learned label vector; None appends one-hot codes.

    Raises:
        ValueError: If a size is not a positive integer.

    References:
        | Conditional Generative Adversarial Nets (Mirza, Osindero, 2014)
        | https://arxiv.org/abs/1411.1784
    """

    def __init__(
        self,
        image_shape: Shape,
        latent_dim: int,
        num_classes: int,
        network: Callable[[tuple[int, ...], int], nn.Module],
        embedding_dim: int | None = None,
    ) -> None:
        super().__init__()
        check_positive(latent_dim=latent_dim)
        self.image_shape = check_sample_shape(image_shape)
        self.latent_dim = latent_dim
        self.label = LabelVector(num_classes, embedding_dim)
        self.network = network(self.image_shape, latent_dim + self.label.dim)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Samples ``(N, *image_shape)`` from z ``(N, latent_dim)`` and labels ``(N,)``."""
        check_shape("z", z, (self.latent_dim,))
        x: Tensor = self.network(torch.cat([z, self.label(labels, z)], 1))
        return x


class ConditionalDiscriminator(Network):
    """D(x, y): the label's vector as constant channels of an image, or as coordinates of a point.

    Args:
        image_shape: Shape of one sample, ``(C, ...)``; the inner network sees ``(C + E, ...)``.
        num_classes: K; labels are 0, ..., K - 1.
        network: Makes the discriminator from the shape of its input, such as
            ``partial(DCGANDiscriminator, width=32)``.
        embedding_dim: Length E of a learned label vector; None joins one-hot codes, E = K.

    Attributes:
        feature_dim: Length of a row of `features`, if the inner network has any.

    Raises:
        ValueError: If a size is not a positive integer.

    References:
        | Conditional Generative Adversarial Nets (Mirza, Osindero, 2014)
        | https://arxiv.org/abs/1411.1784
    """

    def __init__(
        self,
        image_shape: Shape,
        num_classes: int,
        network: Callable[[tuple[int, ...]], nn.Module],
        embedding_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.image_shape = check_sample_shape(image_shape)
        self.label = LabelVector(num_classes, embedding_dim)
        channels, *sides = self.image_shape
        self.network = network((channels + self.label.dim, *sides))
        if offers_features(self.network):
            self.feature_dim = self.network.feature_dim

    def join(self, x: Tensor, labels: Tensor) -> Tensor:
        """What the inner network sees: x ``(N, C, ...)`` and its label as ``(N, C + E, ...)``."""
        check_shape("x", x, self.image_shape)
        vectors = self.label(labels, x)
        sides = x.shape[2:]
        maps = vectors.reshape(*vectors.shape, *(1 for _ in sides)).expand(-1, -1, *sides)
        return torch.cat([x, maps], 1)

    def features(self, x: Tensor, labels: Tensor) -> Tensor:
        """Features ``(N, feature_dim)`` of pairs x ``(N, *image_shape)``, labels ``(N,)``."""
        return featured(self.network).features(self.join(x, labels))

    def from_features(self, features: Tensor) -> Tensor:
        """What `forward` returns, from features ``(N, feature_dim)``."""
        return featured(self.network).from_features(features)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Logits ``(N,)`` of pairs x ``(N, *image_shape)``, labels ``(N,)``."""
        logits: Tensor = self.network(self.join(x, labels))
        return logits


class ProjectionDiscriminator(Network):
    r"""D(x, y) with a logit linear in the label: Miyato & Koyama 2018, Eq. 3.

    .. math:: l(x, y) = \psi(\phi(x)) + \langle e_y, \phi(x) \rangle

    with :math:`\phi` the features of an ordinary discriminator, :math:`\psi` its last layer and
    :math:`e_y` a learned vector for every class.

    It has no ``from_features``, because the features alone do not know the label.

    Args:
        image_shape: Shape of one sample.
        num_classes: K; labels are 0, ..., K - 1.
        network: Makes the discriminator from the shape of its input; it must offer `features`,
            `feature_dim` and `from_features`, and give one logit a sample.
        spectral_norm: Divide the matrix of the classes' vectors by its spectral norm as well.

    Attributes:
        feature_dim: Length of a row of `features`: the inner network's.

    Raises:
        ValueError: If a size is not a positive integer, or the inner network has no features or
            packs.

    References:
        | cGANs with Projection Discriminator (Miyato, Koyama, 2018)
        | https://arxiv.org/abs/1802.05637
    """

    def __init__(
        self,
        image_shape: Shape,
        num_classes: int,
        network: Callable[[tuple[int, ...]], nn.Module],
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        self.image_shape = check_sample_shape(image_shape)
        check_positive(num_classes=num_classes)
        self.network = network(self.image_shape)
        packs = any(isinstance(module, Packed) for module in self.network.modules())
        if not offers_features(self.network):
            raise ValueError(
                "`network` must make a discriminator with `features`, `feature_dim` and "
                f"`from_features` to project on, got {type(self.network).__name__}."
            )
        if packs:
            raise ValueError(
                "`network` must not pack, because the features of a pack have no one label to be "
                "projected on, got Packed."
            )
        self.feature_dim = self.network.feature_dim
        self.embedding = nn.Embedding(num_classes, self.feature_dim)
        nn.init.xavier_uniform_(self.embedding.weight)  # as in the authors' code
        if spectral_norm:
            spectrally_normalised(self.embedding)

    def features(self, x: Tensor, labels: Tensor) -> Tensor:
        """Features ``(N, feature_dim)`` of samples ``(N, *image_shape)``, whatever their labels."""
        check_labels(labels, len(x))
        return featured(self.network).features(x)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Logits ``(N,)`` of pairs x ``(N, *image_shape)``, labels ``(N,)``."""
        features = self.features(x, labels)
        unconditional = featured(self.network).from_features(features)
        vectors: Tensor = self.embedding(labels.long())
        return unconditional.reshape(len(x)) + (vectors * features).sum(1)  # Eq. 3


def conditional_pair(
    image_shape: Shape,
    latent_dim: int,
    num_classes: int,
    generator: Callable[[tuple[int, ...], int], nn.Module] | None = None,
    discriminator: Callable[[tuple[int, ...]], nn.Module] | None = None,
    embedding_dim: int | None = None,
) -> tuple[ConditionalGenerator, ConditionalDiscriminator]:
    """Return a generator and a discriminator that take labels.

    Args:
        image_shape: Shape of one sample.
        latent_dim: Dimension of z, without the label.
        num_classes: K; labels are 0, ..., K - 1.
        generator: Makes the inner generator from shape and input length; None takes DCGAN's for
            images ``(C, H, W)`` and the fully connected one for all else.
        discriminator: Makes the inner discriminator from its input's shape; None likewise.
        embedding_dim: Length of learned label vectors, each player's own; None takes one-hot codes.

    Example:
        >>> generator, discriminator = conditional_pair((2,), latent_dim=8, num_classes=3)
        >>> labels = torch.tensor([0, 2, 1, 1])
        >>> x = generator(torch.randn(4, 8), labels)
        >>> x.shape, discriminator(x, labels).shape
        (torch.Size([4, 2]), torch.Size([4]))
    """
    images = len(image_shape) == 3
    g = generator or (DCGANGenerator if images else MLPGenerator)
    d = discriminator or (DCGANDiscriminator if images else MLPDiscriminator)
    return (
        ConditionalGenerator(image_shape, latent_dim, num_classes, g, embedding_dim),
        ConditionalDiscriminator(image_shape, num_classes, d, embedding_dim),
    )


def check_labels(labels: Tensor, n: int) -> None:
    """Refuse what are not n integer labels; their range is the family's to check.

    Args:
        labels: What came as labels.
        n: How many there must be.

    Raises:
        ValueError: If they are not integers, or not of shape ``(n,)``.
    """
    if labels.shape != (n,) or labels.is_floating_point():
        raise ValueError(
            f"`labels` must be integers of shape ({n},), got {labels.dtype} of shape "
            f"{tuple(labels.shape)}."
        )
