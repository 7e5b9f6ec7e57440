"""Features of a network that was never trained."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan_lightning.metrics.extractors.base import AbstractExtractor, as_rgb

__all__ = ["RandomConvExtractor"]

_SLOPE = 0.2
_LEVELS = 2**20


class RandomConvExtractor(AbstractExtractor):
    """Fixed random strided convolutions, for images of any kind and without any download.

    Random networks tell sets of images apart and are not biased towards any training data (Naeem et
    al. 2020, arXiv:2002.09797, use a random VGG16). Numbers compare with others of the
    same seed and channels only.

    Each layer is a 4x4 convolution of stride 2 and a LeakyReLU of slope 0.2; the last one is
    averaged over the four quarters of the image and flattened: 4 times the last number of channels,
    256 features by default. Weights are uniform with He's variance and come from integers, so that
    they are the same bits on every machine.

    Args:
        seed: Of the weights.
        channels: Of each layer.

    Raises:
        ValueError: If there is no layer or an empty one.
    """

    def __init__(self, seed: int = 0, channels: Sequence[int] = (32, 64, 64)) -> None:
        super().__init__()
        if not channels or min(channels) < 1:
            raise ValueError(f"`channels` must hold positive integers, got {channels!r}.")
        self.seed, self.channels = seed, tuple(channels)
        self.name = "RandomConv"
        random = torch.Generator().manual_seed(seed)
        layers: list[nn.Module] = []
        for inputs, outputs in zip((3, *channels), channels, strict=False):
            layer = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False, device="meta")
            layer.weight = nn.Parameter(_weights(layer.weight.shape, random))
            layers += [layer, nn.LeakyReLU(_SLOPE)]
        self.network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.requires_grad_(False).eval()

    @property
    def own_outputs(self) -> tuple[str, ...]:
        """The last layer, averaged over each quarter of the image."""
        return ("features",)

    @property
    def protocol(self) -> str:
        """How images are brought to the network."""
        widths = "-".join(map(str, self.channels))
        return f"RGB in [-1, 1], own size, channels {widths}, seed {self.seed}"

    def extract(self, x: Tensor) -> dict[str, Tensor]:
        """Features ``(N, 4 * channels[-1])``."""
        if min(x.shape[2:]) < (least := 2 ** len(self.channels)):
            raise ValueError(
                f"`images` must have sides of at least {least} pixels for {len(self.channels)} "
                f"layers, got {x.shape[2]}x{x.shape[3]}."
            )
        return {"features": self.network(as_rgb(x))}


def _weights(shape: torch.Size, random: torch.Generator) -> Tensor:
    """Uniform weights that keep the size of the signal: variance 2 / ((1 + slope^2) fan-in)."""
    whole = torch.randint(-_LEVELS, _LEVELS + 1, shape, generator=random).double() / _LEVELS
    bound = math.sqrt(3 * 2 / ((1 + _SLOPE**2) * math.prod(shape[1:])))
    return (whole * bound).float()
