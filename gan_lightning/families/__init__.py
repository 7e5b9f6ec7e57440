"""The GAN families: one file per game, on top of the loop in `families.base`."""

from gan_lightning.families.acgan import ACGAN
from gan_lightning.families.base import (
    AbstractAlternatingGAN,
    AbstractGAN,
    HasRealTarget,
    Objective,
)
from gan_lightning.families.bigan import BiGAN
from gan_lightning.families.catgan import CatGAN
from gan_lightning.families.cgan import CGAN
from gan_lightning.families.dcgan import DCGAN
from gan_lightning.families.fgan import FGAN
from gan_lightning.families.goodfellow import (
    MaximumLikelihoodGAN,
    MinimaxGAN,
    NonSaturatingGAN,
)
from gan_lightning.families.hinge import HingeGAN
from gan_lightning.families.infogan import InfoGAN
from gan_lightning.families.lapgan import LAPGAN
from gan_lightning.families.lsgan import LSGAN
from gan_lightning.families.pacgan import PacGAN
from gan_lightning.families.relativistic import RelativisticGAN
from gan_lightning.families.semi_supervised import SemiSupervisedGAN
from gan_lightning.families.unrolled import UnrolledGAN
from gan_lightning.families.wgan import WGAN
from gan_lightning.families.wgan_gp import WGANGP

__all__ = [
    "ACGAN",
    "CGAN",
    "DCGAN",
    "FGAN",
    "LAPGAN",
    "LSGAN",
    "WGAN",
    "WGANGP",
    "AbstractAlternatingGAN",
    "AbstractGAN",
    "BiGAN",
    "CatGAN",
    "HasRealTarget",
    "HingeGAN",
    "InfoGAN",
    "MaximumLikelihoodGAN",
    "MinimaxGAN",
    "NonSaturatingGAN",
    "Objective",
    "PacGAN",
    "RelativisticGAN",
    "SemiSupervisedGAN",
    "UnrolledGAN",
]
