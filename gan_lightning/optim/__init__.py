"""Optimizers and update rules made for games."""

from gan_lightning.optim.adam import GANAdam

__all__ = ["GANAdam"]
