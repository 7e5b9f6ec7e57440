"""What turns images into the numbers that metrics compare."""

from gan_lightning.metrics.extractors.backbones import (
    ClipExtractor,
    DinoV2Extractor,
    ModuleExtractor,
    TimmExtractor,
    TorchScriptExtractor,
    TorchvisionExtractor,
)
from gan_lightning.metrics.extractors.base import AbstractExtractor
from gan_lightning.metrics.extractors.classifiers import DigitsClassifier, FashionClassifier
from gan_lightning.metrics.extractors.inception import InceptionExtractor
from gan_lightning.metrics.extractors.pixels import PixelExtractor, PointExtractor
from gan_lightning.metrics.extractors.preprocess import Preprocess
from gan_lightning.metrics.extractors.random_conv import RandomConvExtractor

__all__ = [
    "AbstractExtractor",
    "ClipExtractor",
    "DigitsClassifier",
    "DinoV2Extractor",
    "FashionClassifier",
    "InceptionExtractor",
    "ModuleExtractor",
    "PixelExtractor",
    "PointExtractor",
    "Preprocess",
    "RandomConvExtractor",
    "TimmExtractor",
    "TorchScriptExtractor",
    "TorchvisionExtractor",
]
