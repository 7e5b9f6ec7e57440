"""How well samples cover a mixture of Gaussians whose modes are known.

The protocol of VEEGAN (Srivastava et al. 2017, arXiv:1705.07761) and PacGAN (Lin et al. 2018,
arXiv:1712.04086): 2,500 samples; one is of high quality within 3 standard deviations of the nearest
centre; a mode is captured by one such sample.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ModeCoverage:
    """How N samples lie on the K modes of a mixture.

    Attributes:
        modes: Modes with at least one sample of high quality, 0 to K. Nearly useless alone: a
            generator with 1 % of such samples may well touch every mode.
        high_quality: Share of samples of high quality, in [0, 1]. Samples of the mixture itself in
            two dimensions reach 1 - exp(-4.5) = 0.989 at the radius 3; more means that the modes
            have shrunk.
        reverse_kl: KL(share of high-quality samples per mode || uniform) in nats, in [0, log K];
            infinite without any such sample. Its bias is about (K - 1) / 2N upwards.
        counts: Samples of high quality for each mode, int64 `(K,)`.
        spread: Standard deviation of each mode's high-quality samples around their own mean, over
            that of the true mode cut off at the same radius, `(K,)`; 1 is right, NaN with fewer
            than two samples.
    """

    modes: int
    high_quality: float
    reverse_kl: float
    counts: Tensor
    spread: Tensor

    @property
    def mean_spread(self) -> float:
        """The mean of `spread` over the modes that have one."""
        return float(self.spread.nanmean())


def mode_coverage(points: Tensor, centres: Tensor, std: float, radius: float = 3.0) -> ModeCoverage:
    """Count modes, share of high quality and evenness of samples of a Gaussian mixture.

    Args:
        points: Samples `(N, D)`.
        centres: Means of the modes `(K, D)`, equally likely.
        std: Standard deviation of each mode in each coordinate, positive.
        radius: Largest distance of a high-quality sample from its centre, in units of `std`.

    Returns:
        A `ModeCoverage`; all in float64.

    Raises:
        ValueError: If shapes disagree, one of them is empty, or `std` or `radius` is not positive.
    """
    if points.ndim != 2 or centres.ndim != 2 or points.shape[1] != centres.shape[1]:
        raise ValueError(
            "`points` and `centres` must be (N, D) and (K, D) but got "
            f"{tuple(points.shape)} and {tuple(centres.shape)}."
        )
    if not len(points) or not len(centres):
        raise ValueError(
            f"`points` and `centres` must not be empty but got {len(points)} and {len(centres)}."
        )
    for name, value in {"std": std, "radius": radius}.items():
        if not 0 < value < math.inf:
            raise ValueError(f"`{name}` must be positive but got {value}.")
    points = points.detach().double()
    centres = centres.to(points)
    distance, mode = torch.cdist(points, centres).min(1)
    good = distance <= radius * std
    counts = torch.bincount(mode[good], minlength=len(centres))
    return ModeCoverage(
        modes=int((counts > 0).sum()),
        high_quality=float(good.double().mean()),
        reverse_kl=_divergence_from_uniform(counts),
        counts=counts,
        spread=_spread(points[good], mode[good], counts) / _cut_off_std(std, radius, points),
    )


def _divergence_from_uniform(counts: Tensor) -> float:
    if int(counts.sum()) == 0:
        return math.inf
    share = counts.double() / counts.sum()
    return float(math.log(len(counts)) + torch.special.xlogy(share, share).sum())


def _spread(points: Tensor, mode: Tensor, counts: Tensor) -> Tensor:
    """Standard deviation per coordinate of each mode's samples, `(K,)`."""
    n = counts.double()[:, None]
    zeros = points.new_zeros(len(counts), points.shape[1])
    mean = zeros.index_add(0, mode, points) / n
    squares = zeros.index_add(0, mode, (points - mean[mode]).square())
    variance = squares / (n - 1)
    variance[counts < 2] = math.nan
    return variance.mean(1).sqrt()


def _cut_off_std(std: float, radius: float, points: Tensor) -> float:
    """Standard deviation per coordinate of N(0, std^2 I) within `radius` standard deviations.

    E[|x|^2; |x| < r] of a chi-square variable is D times the chi-square distribution function with
    two more degrees of freedom.
    """
    half, squared = points.shape[1] / 2, torch.tensor(radius**2 / 2, dtype=torch.float64)
    inside = torch.special.gammainc(torch.tensor(half, dtype=torch.float64), squared)
    moment = torch.special.gammainc(torch.tensor(half + 1, dtype=torch.float64), squared)
    return std * math.sqrt(float(moment / inside))
