"""FID, KID and IS: the metrics that bear these names take images, and Inception is part of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from gan_lightning.metrics.extractors.inception import InceptionExtractor
from gan_lightning.metrics.frechet_distance import FrechetDistance
from gan_lightning.metrics.inception_score import InceptionScore
from gan_lightning.metrics.kernel_distance import KernelDistanceSubsets

__all__ = ["FID", "IS", "KID"]


class FID(FrechetDistance):
    """Fréchet Inception distance (Heusel et al. 2017, arXiv:1706.08500) of images.

    For several metrics at once a `MetricSuite` with an `InceptionExtractor` needs one pass.

    Args:
        weights: File of the Inception weights; None looks for it (see `InceptionExtractor`).
        resize: "tf1", what published numbers are in, "clean" or "antialias".
        kwargs: Of `FrechetDistance`.

    Raises:
        FileNotFoundError: If there are no weights.
    """

    names: tuple[str, ...] = ("FID",)

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
        """Add a batch of images ``(N, C, H, W)``, floats in [-1, 1] or uint8."""
        super().update(self.extractor(x)["2048"], real=real, test=test, index=index)


class KID(KernelDistanceSubsets):
    """Kernel Inception distance (Binkowski et al. 2018, arXiv:1801.01401) of images.

    Args:
        weights: File of the Inception weights; None looks for it (see `InceptionExtractor`).
        resize: "tf1", what published numbers are in, "clean" or "antialias".
        kwargs: Of `KernelDistanceSubsets`.

    Raises:
        FileNotFoundError: If there are no weights.
    """

    names: tuple[str, ...] = ("KID", "KID_std")

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
        """Add a batch of images ``(N, C, H, W)``, floats in [-1, 1] or uint8."""
        super().update(self.extractor(x)["2048"], real=real, test=test, index=index)


class IS(InceptionScore):
    """Inception score (Salimans et al. 2016, arXiv:1606.03498) of images.

    Args:
        weights: File of the Inception weights; None looks for it (see `InceptionExtractor`).
        resize: "tf1", what published numbers are in, "clean" or "antialias".
        kwargs: Of `InceptionScore`.

    Raises:
        FileNotFoundError: If there are no weights.
    """

    names: tuple[str, ...] = ("IS", "IS_std")

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
        """Add a batch of images, floats in [-1, 1] or uint8; real ones are passed over."""
        if not (real or test):
            super().update(self.extractor(x)["logits_unbiased"], index=index)
