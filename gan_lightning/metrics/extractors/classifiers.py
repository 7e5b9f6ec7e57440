"""Small classifiers whose weights come with the package: numbers without any download.

A Fréchet distance in their features is called FD-Digits or FD-FashionMNIST. It compares with other
numbers of the same name, and with no FID.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from gan_lightning.metrics.extractors.base import AbstractExtractor

__all__ = ["AbstractClassifier", "DigitsClassifier", "FashionClassifier", "SmallClassifier"]

FEATURES = 64
CLASSES = 10
_WEIGHTS = Path(__file__).parent / "weights"


class SmallClassifier(nn.Module):
    """Three convolutions, each followed by a pooling, 64 features, and ten classes.

    Args:
        size: Side of the grey images in pixels.
        dropout: Share of the rectified features that training drops.
    """

    def __init__(self, size: int, dropout: float = 0.0) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        side = size
        for inputs, outputs in ((1, 32), (32, 64), (64, 96)):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
            side //= 2
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(96 * side**2, FEATURES))
        self.head = nn.Sequential(nn.ReLU(), nn.Dropout(dropout), nn.Linear(FEATURES, CLASSES))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features ``(N, 64)``, before a nonlinearity, and class logits ``(N, 10)``."""
        features = self.body(x)
        return features, self.head(features)


class AbstractClassifier(AbstractExtractor):
    """A `SmallClassifier` with the weights of a file in this package.

    Attributes:
        size: Side of the images that the network was trained on; others are resized to it.
        num_classes: Number of classes, the columns of "logits".
        weights: Name of the file.
    """

    size: ClassVar[int]
    num_classes: ClassVar[int] = CLASSES
    weights: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        with torch.device("meta"):  # weights that would be overwritten at once are not even drawn
            self.network = SmallClassifier(self.size)
        self.network.load_state_dict(load_file(_WEIGHTS / self.weights), assign=True)
        self.requires_grad_(False).eval()

    @property
    def own_outputs(self) -> tuple[str, ...]:
        """The layer of 64 numbers before the last nonlinearity, and class scores."""
        return "features", "logits"

    @property
    def protocol(self) -> str:
        """How images are brought to the network."""
        return f"{self.size}x{self.size}, bilinear with antialias, one channel in [-1, 1]"

    def extract(self, x: Tensor) -> dict[str, Tensor]:
        """Features ``(N, 64)`` and logits ``(N, 10)``.

        Raises:
            ValueError: If the images are not grey.
        """
        if x.shape[1] != 1:
            raise ValueError(
                f"`images` must have 1 channel for the extractor {self.name}, got {x.shape[1]}."
            )
        if x.shape[2:] != (self.size, self.size):
            size = (self.size, self.size)
            x = functional.interpolate(x, size, mode="bilinear", antialias=True)
        features, logits = self.network(x)
        return {"features": features, "logits": logits}


class DigitsClassifier(AbstractClassifier):
    """Ten digits at 16x16, trained on three quarters of scikit-learn's handwritten digits.

    Its accuracy on the other quarter stands in ``benchmarks/results/embedded_classifiers.md``.
    """

    name = "Digits"
    size = 16
    weights = "digits.safetensors"


class FashionClassifier(AbstractClassifier):
    """Ten kinds of clothes at 28x28, trained on the 60,000 training images of Fashion-MNIST.

    Its accuracy on the 10,000 test images stands in ``benchmarks/results/embedded_classifiers.md``.
    """

    name = "FashionMNIST"
    size = 28
    weights = "fashion.safetensors"
