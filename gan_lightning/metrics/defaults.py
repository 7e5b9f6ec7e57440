"""Which metrics are computed where nobody has chosen any."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.class_coverage import ClassCoverage
from gan_lightning.metrics.class_divergence import KLDivergence
from gan_lightning.metrics.density_coverage import DensityCoverage
from gan_lightning.metrics.extractors.base import AbstractExtractor
from gan_lightning.metrics.extractors.classifiers import DigitsClassifier, FashionClassifier
from gan_lightning.metrics.extractors.inception import InceptionExtractor
from gan_lightning.metrics.extractors.pixels import PointExtractor
from gan_lightning.metrics.extractors.random_conv import RandomConvExtractor
from gan_lightning.metrics.frechet_distance import FrechetDistance
from gan_lightning.metrics.mode_coverage import ModeCoverage
from gan_lightning.metrics.ndb import NDB
from gan_lightning.metrics.precision_recall import PrecisionRecall
from gan_lightning.metrics.sliced_wasserstein import SlicedWasserstein
from gan_lightning.metrics.suite import MetricSuite

__all__ = ["cheap_extractor", "default_extractor", "default_suite", "suite_for"]

_BINS, _PER_BIN = 100, 10  # Richardson and Weiss have 100; a share of few samples tells nothing

_EMBEDDED = {"Digits": DigitsClassifier, "FashionMNIST": FashionClassifier}


def default_extractor(data: str, sample_shape: Sequence[int]) -> AbstractExtractor:
    """Choose an extractor for a data set.

    Args:
        data: Name of the data set, as of its data module's class; empty if there is none.
        sample_shape: ``(C, H, W)`` for images, ``(D,)`` for points.

    Returns:
        The points themselves; for digits and clothes the classifier in the package; else Inception
        where its weights are, and fixed random convolutions where they are not. The choice stands
        in the name of every number.
    """
    if len(sample_shape) != 3:
        return PointExtractor()
    if data in _EMBEDDED and sample_shape[0] == 1:
        return _EMBEDDED[data]()
    try:
        return InceptionExtractor()
    except FileNotFoundError:
        return RandomConvExtractor()


def cheap_extractor(data: str, sample_shape: Sequence[int]) -> AbstractExtractor:
    """Choose an extractor that costs little beside a training step.

    Args:
        data: Name of the data set, as of its data module's class; empty if there is none.
        sample_shape: ``(C, H, W)`` of images.

    Returns:
        As `default_extractor`, but fixed random convolutions in the place of Inception.
    """
    if data in _EMBEDDED and sample_shape[0] == 1:
        return _EMBEDDED[data]()
    return RandomConvExtractor()


def default_suite(
    data: str,
    sample_shape: Sequence[int],
    number: int,
    modes: tuple[Tensor, float] | None = None,
) -> MetricSuite:
    """Choose metrics for a data set.

    Args:
        data: Name of the data set, as of its data module's class; empty if there is none.
        sample_shape: ``(C, H, W)`` for images, ``(D,)`` for points.
        number: How many samples there will be of the smaller set: NDB gets 100 bins, or a bin for
            ten samples if those are fewer.
        modes: Centres and standard deviation of the modes of a known mixture.

    Returns:
        For images the Fréchet distance, precision, recall, density, coverage, NDB/K with its JSD,
        and with a classifier the number of classes and the divergence of their shares. For points
        the sliced Wasserstein distance in the place of the Fréchet distance, and the coverage of
        known modes.
    """
    return suite_for(default_extractor(data, sample_shape), number, modes)


def suite_for(
    extractor: AbstractExtractor, number: int, modes: tuple[Tensor, float] | None = None
) -> MetricSuite:
    """Choose metrics for an extractor, as `default_suite` does."""
    points = isinstance(extractor, PointExtractor)
    metrics: list[AbstractSetMetric] = [
        SlicedWasserstein() if points else FrechetDistance(keep_features=True),
        PrecisionRecall(),
        DensityCoverage(),
        NDB(bins=min(_BINS, max(1, number // _PER_BIN))),
    ]
    if isinstance(extractor, DigitsClassifier | FashionClassifier):
        metrics += [ClassCoverage(num_classes=extractor.num_classes), KLDivergence()]
    if modes is not None:
        metrics.append(ModeCoverage(centres=modes[0], std=modes[1]))
    return MetricSuite(extractor, metrics)
