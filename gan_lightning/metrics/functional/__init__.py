"""Metrics as pure functions: features in, number out."""

from gan_lightning.metrics.functional.authenticity import authenticity
from gan_lightning.metrics.functional.birthday_paradox import SupportEstimate, birthday_paradox
from gan_lightning.metrics.functional.class_coverage import ClassCoverage, class_coverage
from gan_lightning.metrics.functional.data_copying import data_copying, mann_whitney_z
from gan_lightning.metrics.functional.density_coverage import density_coverage
from gan_lightning.metrics.functional.density_ratio import (
    DensityRatioCalibration,
    density_ratio,
    density_ratio_calibration,
)
from gan_lightning.metrics.functional.divergence import (
    jensen_shannon_distance,
    jensen_shannon_divergence,
    kl_divergence,
)
from gan_lightning.metrics.functional.frechet import (
    Moments,
    frechet_distance,
    frechet_from_moments,
    merge,
    moments,
)
from gan_lightning.metrics.functional.kernel import (
    clip_mmd,
    kernel_distance,
    kernel_distance_subsets,
)
from gan_lightning.metrics.functional.lpips_diversity import lpips_diversity
from gan_lightning.metrics.functional.mifid import mifid
from gan_lightning.metrics.functional.modes import ModeCoverage, mode_coverage
from gan_lightning.metrics.functional.ms_ssim import ms_ssim, ms_ssim_diversity
from gan_lightning.metrics.functional.ndb import NDBResult, ndb, ndb_bins
from gan_lightning.metrics.functional.one_nearest_neighbour import one_nearest_neighbour
from gan_lightning.metrics.functional.pairwise import mean_pairwise_distance
from gan_lightning.metrics.functional.parzen import best_parzen_sigma, parzen_log_likelihood
from gan_lightning.metrics.functional.patch_swd import PatchSWD, multiscale_patch_swd
from gan_lightning.metrics.functional.path_length import (
    path_lengths,
    perceptual_path_length,
    trimmed_mean,
)
from gan_lightning.metrics.functional.precision_recall import precision_recall, realism
from gan_lightning.metrics.functional.scores import am_score, inception_score, mode_score
from gan_lightning.metrics.functional.sliced_wasserstein import sliced_wasserstein
from gan_lightning.metrics.functional.vendi import vendi_score
from gan_lightning.metrics.functional.wasserstein_exact import wasserstein_exact

__all__ = [
    "ClassCoverage",
    "DensityRatioCalibration",
    "ModeCoverage",
    "Moments",
    "NDBResult",
    "PatchSWD",
    "SupportEstimate",
    "am_score",
    "authenticity",
    "best_parzen_sigma",
    "birthday_paradox",
    "class_coverage",
    "clip_mmd",
    "data_copying",
    "density_coverage",
    "density_ratio",
    "density_ratio_calibration",
    "frechet_distance",
    "frechet_from_moments",
    "inception_score",
    "jensen_shannon_distance",
    "jensen_shannon_divergence",
    "kernel_distance",
    "kernel_distance_subsets",
    "kl_divergence",
    "lpips_diversity",
    "mann_whitney_z",
    "mean_pairwise_distance",
    "merge",
    "mifid",
    "mode_coverage",
    "mode_score",
    "moments",
    "ms_ssim",
    "ms_ssim_diversity",
    "multiscale_patch_swd",
    "ndb",
    "ndb_bins",
    "one_nearest_neighbour",
    "parzen_log_likelihood",
    "path_lengths",
    "perceptual_path_length",
    "precision_recall",
    "realism",
    "sliced_wasserstein",
    "trimmed_mean",
    "vendi_score",
    "wasserstein_exact",
]
