"""Metrics as pure functions: features in, number out."""

from gan_lightning.metrics.functional.pairwise import mean_pairwise_distance

__all__ = ["mean_pairwise_distance"]
