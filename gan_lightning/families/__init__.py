"""The GAN families: one file per game, on top of the loop in `families.base`."""

import gan_lightning._torchvision  # noqa: F401  (declares operators that a CPU-only torch lacks)
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
