"""Terms added to a player's loss."""

from gan_lightning.regularizers.base import AbstractRegularizer
from gan_lightning.regularizers.gradient_penalty import GradientPenalty
from gan_lightning.regularizers.r1 import R1
from gan_lightning.regularizers.r2 import R2

__all__ = ["R1", "R2", "AbstractRegularizer", "GradientPenalty"]
