"""Optimizers and update rules made for games."""

from gan_lightning.optim.adam import GANAdam
from gan_lightning.optim.rmsprop import GANRMSProp

__all__ = ["GANAdam", "GANRMSProp"]
