"""Metrics of generated samples: one class a file, on pure functions of `functional`."""

from gan_lightning.metrics.am_score import AMScore
from gan_lightning.metrics.authenticity import Authenticity
from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.birthday_paradox import BirthdayParadox
from gan_lightning.metrics.canonical import FID, IS, KID
from gan_lightning.metrics.class_coverage import ClassCoverage
from gan_lightning.metrics.class_divergence import (
    JensenShannonDistance,
    JensenShannonDivergence,
    KLDivergence,
)
from gan_lightning.metrics.clip_mmd import ClipMMD
from gan_lightning.metrics.data_copying import DataCopying
from gan_lightning.metrics.defaults import default_extractor, default_suite
from gan_lightning.metrics.density_coverage import DensityCoverage
from gan_lightning.metrics.density_ratio import DensityRatio
from gan_lightning.metrics.frechet_distance import FrechetDistance
from gan_lightning.metrics.inception_score import InceptionScore
from gan_lightning.metrics.kernel_distance import KernelDistance, KernelDistanceSubsets
from gan_lightning.metrics.lpips_diversity import LPIPS, LpipsDiversity
from gan_lightning.metrics.mifid import MiFID
from gan_lightning.metrics.mode_coverage import ModeCoverage
from gan_lightning.metrics.mode_score import ModeScore
from gan_lightning.metrics.ms_ssim_diversity import MsSsimDiversity
from gan_lightning.metrics.multiscale_patch_swd import MultiscalePatchSwd
from gan_lightning.metrics.ndb import NDB
from gan_lightning.metrics.one_nearest_neighbour import OneNearestNeighbour
from gan_lightning.metrics.parzen_log_likelihood import ParzenLogLikelihood
from gan_lightning.metrics.perceptual_path_length import PerceptualPathLength
from gan_lightning.metrics.precision_recall import PrecisionRecall
from gan_lightning.metrics.realism import Realism
from gan_lightning.metrics.score import Score
from gan_lightning.metrics.sliced_wasserstein import SlicedWasserstein
from gan_lightning.metrics.suite import MetricSuite
from gan_lightning.metrics.vendi_score import VendiScore
from gan_lightning.metrics.wasserstein_exact import WassersteinExact

__all__ = [
    "FID",
    "IS",
    "KID",
    "LPIPS",
    "NDB",
    "AMScore",
    "AbstractSetMetric",
    "Authenticity",
    "BirthdayParadox",
    "ClassCoverage",
    "ClipMMD",
    "DataCopying",
    "DensityCoverage",
    "DensityRatio",
    "FrechetDistance",
    "InceptionScore",
    "JensenShannonDistance",
    "JensenShannonDivergence",
    "KLDivergence",
    "KernelDistance",
    "KernelDistanceSubsets",
    "LpipsDiversity",
    "MetricSuite",
    "MiFID",
    "ModeCoverage",
    "ModeScore",
    "MsSsimDiversity",
    "MultiscalePatchSwd",
    "OneNearestNeighbour",
    "ParzenLogLikelihood",
    "PerceptualPathLength",
    "PrecisionRecall",
    "Realism",
    "Score",
    "SlicedWasserstein",
    "VendiScore",
    "WassersteinExact",
    "default_extractor",
    "default_suite",
]
