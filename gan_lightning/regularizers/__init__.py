"""Terms added to a player's loss."""

from gan_lightning.regularizers.base import AbstractRegularizer
from gan_lightning.regularizers.r1 import R1

__all__ = ["R1", "AbstractRegularizer"]
