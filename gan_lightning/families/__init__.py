"""The GAN families: one file per game, on top of the loop in `families.base`."""

from gan_lightning.families.base import (
    AbstractAlternatingGAN,
    AbstractGAN,
    HasRealTarget,
    Objective,
)
from gan_lightning.families.dcgan import DCGAN
from gan_lightning.families.goodfellow import (
    MaximumLikelihoodGAN,
    MinimaxGAN,
    NonSaturatingGAN,
)

__all__ = [
    "DCGAN",
    "AbstractAlternatingGAN",
    "AbstractGAN",
    "HasRealTarget",
    "MaximumLikelihoodGAN",
    "MinimaxGAN",
    "NonSaturatingGAN",
    "Objective",
]
