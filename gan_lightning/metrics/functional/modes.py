"""How well samples cover a mixture of Gaussians whose modes are known.

The protocol of VEEGAN (Srivastava et al. 2017, arXiv:1705.07761) and PacGAN (Lin et al. 2018,
arXiv:1712.04086): 2,500 samples; one is of high quality within 3 standard deviations of the nearest
centre; a mode is captured by one such sample.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_lightning.metrics.functional._neighbours import feature_sets, nearest


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
    r"""Count modes, share of high quality and evenness of samples of a Gaussian mixture.

    A sample is of high quality if it lies within a radius r of the nearest centre. With the shares
    :math:`s_k` of the K modes among the samples of high quality,

    .. math::
        \text{high quality} = \frac1N \sum_i 1\left[ \min_k \| x_i - c_k \| \le r \sigma \right],
        \qquad \text{reverse KL} = \sum_k s_k \log (K s_k)

    Distances are taken from differences, so that an offset of all points costs no digits, and of
    two centres equally near the first one has the sample.

    Bias: the number of modes rises with N, the reverse KL falls, by about (K - 1) / 2N towards its
    limit; the share of high quality has none. Compare numbers of the same N, 2,500 in both papers.

    Source: Srivastava et al. 2017, VEEGAN (arXiv:1705.07761), for the modes and r = 3; Lin et
    al. 2018, PacGAN (arXiv:1712.04086), for the reverse KL.

    Args:
        points: Samples `(N, D)`.
        centres: Means of the modes `(K, D)`, equally likely.
        std: Standard deviation of each mode in each coordinate, positive.
        radius: Largest distance of a high-quality sample from its centre, in units of `std`.

    Returns:
        A `ModeCoverage`; all in float64.

    Raises:
        ValueError: If shapes disagree, one of them is empty or not finite, or `std` or `radius` is
            not positive.

    Example:
        >>> centres = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
        >>> found = mode_coverage(torch.tensor([[0.1, 0.0], [0.5, 0.0]]), centres, std=0.1)
        >>> found.modes, found.high_quality
        (1, 0.5)
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
    points, centres = feature_sets(1, points=points, centres=centres.to(points.device))
    squares, index = nearest(points, centres)
    mode = index[:, 0]
    good = squares[:, 0].sqrt() <= radius * std
    counts = torch.bincount(mode[good], minlength=len(centres))
    offsets = points[good].double() - centres[mode[good]].double()
    return ModeCoverage(
        modes=int((counts > 0).sum()),
        high_quality=float(good.double().mean()),
        reverse_kl=_divergence_from_uniform(counts),
        counts=counts,
        spread=_spread(offsets, mode[good], counts) / _cut_off_std(std, radius, points),
    )


def _divergence_from_uniform(counts: Tensor) -> float:
    if int(counts.sum()) == 0:
        return math.inf
    share = counts.double() / counts.sum()
    # Not below 0 by rounding.
    return max(0.0, float(math.log(len(counts)) + torch.special.xlogy(share, share).sum()))


def _spread(offsets: Tensor, mode: Tensor, counts: Tensor) -> Tensor:
    """Standard deviation per coordinate of each mode's samples, less its centre, `(K,)`."""
    n = counts.double()[:, None]
    zeros = offsets.new_zeros(len(counts), offsets.shape[1])
    mean = zeros.index_add(0, mode, offsets) / n
    squares = zeros.index_add(0, mode, (offsets - mean[mode]).square())
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
