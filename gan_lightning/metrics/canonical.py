"""FID, KID and IS: the metrics that bear these names take images, and Inception is part of them.

torchmetrics' classes of these names are not used: they resize with antialias where published
numbers do not, KID and IS draw from the global generator and differ between ranks, and FID returns
the dtype of its features.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.extractors.inception import InceptionExtractor
from gan_lightning.metrics.frechet_distance import FrechetDistance
from gan_lightning.metrics.inception_score import InceptionScore
from gan_lightning.metrics.kernel_distance import KernelDistanceSubsets

__all__ = ["FID", "IS", "KID"]


class _OnImages(AbstractSetMetric):
    """A metric of one of Inception's outputs, which takes images.

    For several metrics at once a `MetricSuite` with an `InceptionExtractor` needs one pass.
    """

    layer: ClassVar[str]

    def __init__(
        self, *, weights: str | Path | None = None, resize: str = "tf1", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.resize = resize
        self.extractor = InceptionExtractor(weights, resize=resize)
        self.names = tuple(name + self.extractor.variant for name in self.names)

    def update(
        self, x: Tensor, *, real: bool = False, test: bool = False, index: Tensor | None = None
    ) -> None:
        """Add a batch of images.

        Args:
            x: ``(N, C, H, W)``, floats in [-1, 1] or uint8.
            real: Whether these are real images.
            test: Whether these are real images held out from training; they are passed over.
            index: Which images these are, so that none counts twice.

        Raises:
            ValueError: If the images are out of range, or as for any metric.
        """
        if ("test" if test else "real" if real else "fake") in self.sets:
            features = self.extractor(x)[self.layer]
            super().update(features, real=real, test=test, index=index)


class FID(_OnImages, FrechetDistance):
    """Fréchet Inception distance (Heusel et al. 2017, arXiv:1706.08500) of images.

    Args:
        weights: File of the Inception weights; None looks for it (see `InceptionExtractor`).
        resize: "tf1", what published numbers are in, "clean" or "antialias".
        kwargs: Of `FrechetDistance`.

    Raises:
        FileNotFoundError: If there are no weights.
    """

    names = ("FID",)
    layer = "2048"


class KID(_OnImages, KernelDistanceSubsets):
    """Kernel Inception distance (Binkowski et al. 2018, arXiv:1801.01401) of images.

    Args:
        weights: File of the Inception weights; None looks for it (see `InceptionExtractor`).
        resize: "tf1", what published numbers are in, "clean" or "antialias".
        kwargs: Of `KernelDistanceSubsets`.

    Raises:
        FileNotFoundError: If there are no weights.
    """

    names = ("KID", "KID_std")
    layer = "2048"


class IS(_OnImages, InceptionScore):
    """Inception score (Salimans et al. 2016, arXiv:1606.03498) of images; real ones do not count.

    Args:
        weights: File of the Inception weights; None looks for it (see `InceptionExtractor`).
        resize: "tf1", what published numbers are in, "clean" or "antialias".
        kwargs: Of `InceptionScore`.

    Raises:
        FileNotFoundError: If there are no weights.
    """

    names = ("IS", "IS_std")
    layer = "logits_unbiased"
