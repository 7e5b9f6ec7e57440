"""Metrics as pure functions: features in, number out."""

from gan_lightning.metrics.functional.modes import ModeCoverage, mode_coverage
from gan_lightning.metrics.functional.pairwise import mean_pairwise_distance

__all__ = ["ModeCoverage", "mean_pairwise_distance", "mode_coverage"]
