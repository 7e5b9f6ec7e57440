"""What a value is called: the extractor is part of its name."""

import inspect

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.extractors.base import AbstractExtractor
from gan_lightning.metrics.frechet_distance import FrechetDistance
from gan_lightning.metrics.inception_score import InceptionScore
from gan_lightning.metrics.kernel_distance import KernelDistance, KernelDistanceSubsets

# Only numbers of the canonical network's last layer, with its own weights and the published
# settings, carry the canonical names.
_CANONICAL = {"FD": "FID", "KD": "KID", "KD_std": "KID_std", "CS": "IS", "CS_std": "IS_std"}


def full_name(extractor: AbstractExtractor, metric: AbstractSetMetric, name: str) -> str:
    """A metric's own name of a value with the extractor in it.

    Args:
        extractor: What its samples come through.
        metric: The metric.
        name: One of its names.

    Returns:
        ``FD-Digits`` for ``FD``, or ``FID``; of another layer ``FD-Inception-64``.
    """
    if extractor.canonical and name in _CANONICAL and _is_published(metric):
        return _CANONICAL[name] + extractor.variant
    layer = "" if metric.output == _usual_output(metric) else f"-{metric.output}"
    return f"{name}-{extractor.name}{extractor.variant}{layer}"


def _is_published(metric: AbstractSetMetric) -> bool:
    """Whether FID, KID or IS mean this metric of this layer with these arguments."""
    if isinstance(metric, InceptionScore):
        return metric.output in ("logits", "logits_unbiased")
    if metric.output not in ("features", "2048"):
        return False
    if isinstance(metric, KernelDistance | KernelDistanceSubsets):
        return (metric.degree, metric.gamma, metric.coef0) == (3, None, 1.0)
    return isinstance(metric, FrechetDistance) and metric.ddof == 1


def _usual_output(metric: AbstractSetMetric) -> str:
    """The output that a metric reads unless it is told otherwise."""
    for cls in type(metric).__mro__:
        made = vars(cls).get("__init__")
        output = made and inspect.signature(made).parameters.get("output")
        if output:
            return str(output.default)
    raise AssertionError("unreachable: AbstractSetMetric has it")
