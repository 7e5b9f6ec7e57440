r"""Generators and discriminators for the levels of a Laplacian pyramid.

Denton et al. 2015, "Deep Generative Image Models using a Laplacian Pyramid of Adversarial
Networks", arXiv:1506.05751, section 2.3.

Notation: level k < K has the details :math:`h_k = I_k - l_k` of an image with what its next
coarser version shows of it, :math:`l_k = u(I_{k+1})`; level K has the coarsest image. A *stage* is
what a discriminator sees of one level: ``(h_k, l_k)``, or ``(I_K,)``. The networks of different
levels share no parameters.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan_lightning.networks.base import Network, check_positive, check_sample_shape, check_shape
from gan_lightning.networks.layers.pyramid import down, up
from gan_lightning.networks.mlp import MLPDiscriminator, MLPGenerator

Stage = tuple[Tensor, ...]

_KERNEL = 5
_HIDDEN = 8  # units of the coarsest level's fully connected layers, in units of `width`


class LaplacianGenerator(Network):
    r"""One generator a level: :math:`h_k = G_k(z_k, l_k)` and :math:`I_K = G_K(z_K)`.

    z is cut into K + 1 pieces of ``latent_dim // (K + 1)`` numbers, :math:`z_0, ..., z_K`, of which
    the coarsest level's also has what is left over.

    Args:
        image_shape: ``(C, H, W)``; ``2**levels`` divides H and W.
        latent_dim: Dimension of z, all levels together; at least ``levels + 1``.
        levels: K, the number of times that the image is halved.
        width: Channels of the convolutions; the coarsest level has two fully connected layers of
            8 times as many units.

    Raises:
        ValueError: If an argument is not of this kind.

    References:
        | Deep Generative Image Models using a Laplacian Pyramid of Adversarial Networks
        | (Denton et al., 2015) https://arxiv.org/abs/1506.05751
    """

    def __init__(
        self, image_shape: tuple[int, ...], latent_dim: int, levels: int = 2, width: int = 64
    ) -> None:
        super().__init__()
        shapes = _level_shapes(image_shape, levels)
        check_positive(latent_dim=latent_dim, width=width)
        if latent_dim <= levels:
            raise ValueError(
                f"`latent_dim` must be at least levels + 1 = {levels + 1}, so that every level has "
                f"noise, got {latent_dim}."
            )
        self.latent_dim, self.levels = latent_dim, levels
        part, rest = divmod(latent_dim, levels + 1)
        self.parts = [part] * levels + [part + rest]
        networks: list[nn.Module] = [DetailGenerator(s, part, width) for s in shapes[:-1]]
        networks.append(MLPGenerator(shapes[-1], part + rest, _HIDDEN * width, depth=2))
        self.networks = nn.ModuleList(networks)

    def split(self, z: Tensor) -> tuple[Tensor, ...]:
        """The pieces ``(z_0, ..., z_K)`` of z ``(N, latent_dim)``."""
        check_shape("z", z, (self.latent_dim,))
        return torch.split(z, self.parts, dim=1)

    def stages(self, x: Tensor) -> list[Stage]:
        """Real stages ``[(h_0, l_0), ..., (I_K,)]`` of images ``(N, C, H, W)``."""
        return real_stages(x, self.levels)

    def fakes(self, z: Tensor, real: Sequence[Stage]) -> list[Stage]:
        """Fake stages ``[(G_0(z_0, l_0), l_0), ..., (G_K(z_K),)]`` with the real ones' l_k.

        In training each level continues real images, so that none has to wait for the coarser ones
        (Denton et al. 2015, section 2.3).
        """
        *finer, (coarsest, z_coarsest) = zip(self.networks, self.split(z), strict=True)
        pairs = zip(finer, real, strict=False)
        details = [(network(z_k, l_k), l_k) for (network, z_k), (_, l_k) in pairs]
        return [*details, (coarsest(z_coarsest),)]

    def forward(self, z: Tensor) -> Tensor:
        """Images ``(N, C, H, W)`` in [-1, 1] of z ``(N, latent_dim)``, from the coarsest level up.

        What a level gives beyond [-1, 1] is cut off before the next finer one sees it. Training
        cuts nothing off, because a discriminator shall see it.
        """
        *finer, (coarsest, z_coarsest) = zip(self.networks, self.split(z), strict=True)
        x: Tensor = coarsest(z_coarsest)
        for network, z_k in reversed(finer):
            l_k = up(x)
            x = (l_k + network(z_k, l_k)).clamp(-1, 1)
        return x


class LaplacianDiscriminator(Network):
    r"""One discriminator a level, of :math:`h_k + l_k` and of :math:`I_K`.

    Args:
        image_shape: ``(C, H, W)``; ``2**levels`` divides H and W.
        levels: K, the number of times that the image is halved.
        width: Channels of the first convolution, doubled by the second; the coarsest level has two
            fully connected layers of 8 times as many units.

    Raises:
        ValueError: If an argument is not of this kind.

    References:
        | Deep Generative Image Models using a Laplacian Pyramid of Adversarial Networks
        | (Denton et al., 2015) https://arxiv.org/abs/1506.05751
    """

    def __init__(self, image_shape: tuple[int, ...], levels: int = 2, width: int = 64) -> None:
        super().__init__()
        shapes = _level_shapes(image_shape, levels)
        check_positive(width=width)
        self.levels = levels
        networks: list[nn.Module] = [DetailDiscriminator(s, width) for s in shapes[:-1]]
        networks.append(MLPDiscriminator(shapes[-1], _HIDDEN * width, depth=2))
        self.networks = nn.ModuleList(networks)

    def judge_stages(self, stages: Sequence[Stage]) -> list[Tensor]:
        """Logits ``(N,)`` of every stage."""
        return [network(*stage) for network, stage in zip(self.networks, stages, strict=True)]

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(N,)`` of images ``(N, C, H, W)``: the sum over the levels.

        At the optimum each is a log ratio of densities, of data and generator, given the coarser
        image; their sum is the log ratio of the whole pyramid.
        """
        return torch.stack(self.judge_stages(real_stages(x, self.levels))).sum(0)


class DetailGenerator(nn.Module):
    """G_k: details of an image, given its coarse version; three convolutions without normalisation.

    Args:
        image_shape: ``(C, H, W)`` of this level.
        latent_dim: Dimension of z_k, which a linear layer makes one more channel of the image.
        width: Channels between the convolutions.
    """

    def __init__(self, image_shape: tuple[int, ...], latent_dim: int, width: int) -> None:
        super().__init__()
        channels, *self.sides = image_shape
        self.plane = nn.Linear(latent_dim, self.sides[0] * self.sides[1])
        self.body = nn.Sequential(
            _convolution(channels + 1, width),
            nn.ReLU(),
            _convolution(width, width),
            nn.ReLU(),
            _convolution(width, channels),
        )

    def forward(self, z: Tensor, l_k: Tensor) -> Tensor:
        """Details ``(N, C, H, W)``, unbounded, of z ``(N, latent_dim)`` and l_k like them."""
        plane = self.plane(z).unflatten(1, (1, *self.sides))
        h: Tensor = self.body(torch.cat([l_k, plane], dim=1))
        return h


class DetailDiscriminator(nn.Module):
    """D_k: two strided convolutions without normalisation, and a linear layer.

    Args:
        image_shape: ``(C, H, W)`` of this level.
        width: Channels of the first convolution, doubled by the second.
    """

    def __init__(self, image_shape: tuple[int, ...], width: int) -> None:
        super().__init__()
        channels, *sides = image_shape
        rows, columns = ((side + 3) // 4 for side in sides)  # halved twice, rounded up
        self.body = nn.Sequential(
            _convolution(channels, width, stride=2),
            nn.LeakyReLU(0.2),
            _convolution(width, 2 * width, stride=2),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
        )
        self.logit = nn.Linear(2 * width * rows * columns, 1)

    def forward(self, h_k: Tensor, l_k: Tensor) -> Tensor:
        """Logits ``(N,)`` of details h_k with coarse images l_k, both ``(N, C, H, W)``."""
        logits: Tensor = self.logit(self.body(h_k + l_k))
        return logits.flatten()


def real_stages(x: Tensor, levels: int) -> list[Stage]:
    """Stages ``[(h_0, l_0), ..., (I_K,)]`` of images ``(N, C, H, W)``, K = `levels`."""
    stages: list[Stage] = []
    for _ in range(levels):
        coarse = down(x)
        l_k = up(coarse)
        stages.append((x - l_k, l_k))
        x = coarse
    return [*stages, (x,)]


def _level_shapes(image_shape: tuple[int, ...], levels: int) -> list[tuple[int, ...]]:
    """Shapes of I_0, ..., I_K."""
    shape = check_sample_shape(image_shape)
    check_positive(levels=levels)
    if len(shape) != 3 or any(side % 2**levels for side in shape[1:]):
        raise ValueError(
            "`image_shape` must be (C, H, W) with H and W that 2**levels = "
            f"{2**levels} divides, got {shape}."
        )
    channels, height, width = shape
    return [(channels, height >> k, width >> k) for k in range(levels + 1)]


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, _KERNEL, stride, padding=_KERNEL // 2)
