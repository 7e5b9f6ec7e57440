"""How many bins of the reals hold a share of the fakes that is statistically different."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_lightning.metrics.functional._kmeans import assign, kmeans
from gan_lightning.metrics.functional._neighbours import feature_sets


@dataclass(frozen=True)
class NDBResult:
    """How N reals and M fakes fill K bins.

    Attributes:
        different: Bins whose shares differ significantly (NDB), 0 to K.
        bins: K.
        jsd: Jensen-Shannon divergence of the shares in nats, in [0, log 2]. Its bias for equal
            distributions is about (K - 1)(1/N + 1/M)/8 upwards.
        real_shares: Of the reals, float64 ``(K,)``.
        fake_shares: Of the fakes, float64 ``(K,)``.
        z: Test statistic of each bin, float64 ``(K,)``, positive where fakes are too many.
    """

    different: int
    bins: int
    jsd: float
    real_shares: Tensor
    fake_shares: Tensor
    z: Tensor

    @property
    def share(self) -> float:
        """NDB/K, in [0, 1]; about the significance level for equal distributions."""
        return self.different / self.bins


def ndb(
    real: Tensor,
    fake: Tensor,
    bins: int | Tensor = 100,
    *,
    significance: float = 0.05,
    z_threshold: float | None = None,
    seed: int = 0,
) -> NDBResult:
    r"""Number of statistically different bins.

    The reals are grouped by k-means, every sample falls into the bin of the nearest centre, and
    each bin's shares p of N reals and q of M fakes are compared by the two-proportion test with
    pooled variance:

    .. math::
        z = \frac{q - p}{\sqrt{P (1 - P) (1/N + 1/M)}}, \qquad P = \frac{N p + M q}{N + M}

    Richardson and Weiss 2018, arXiv:1805.12462; 100 bins and the two-sided level 0.05 as
    there, while the authors' demonstrations use ``z_threshold=4``. A bin that is empty, or holds
    everything, in both sets is not different. Two steps of the authors' code are left to the
    caller: whitening, and k-means on a random sixth of more than 1,000 dimensions.

    Bias: for sets that differ, NDB rises with N and M, as the test gains power; for equal
    distributions NDB/K stays near the significance. With an integer, as in the paper, the centres
    have seen these reals and not the fakes. That is harmless in few dimensions, but not where bins
    hold fewer samples than there are independent dimensions: 2,000 samples of a Gaussian in 512
    have an NDB/K of 0.56 with 100 bins (0.02 in 64). Give centres of other reals there
    (`ndb_bins`).

    Args:
        real: Features, or pixels, of reals, ``(N, D)`` (more axes are flattened).
        fake: Those of fakes, ``(M, D)``.
        bins: How many, at most the number of distinct reals, or their centres ``(K, D)``.
        significance: Two-sided level of the test, in (0, 1).
        z_threshold: A bin is different above this :math:`|z|`, instead of by `significance`.
        seed: Of k-means.

    Returns:
        An `NDBResult`.

    Raises:
        ValueError: If a set is too small, not finite or of another D, or another argument is out of
            its range.

    Example:
        >>> real = torch.tensor([[0.0], [0.0], [9.0], [9.0]]).repeat(50, 1)
        >>> ndb(real, torch.zeros(200, 1), bins=2).share
        1.0
    """
    real, fake = feature_sets(2, real=real, fake=fake)
    if not 0 < significance < 1:
        raise ValueError(f"`significance` must be in (0, 1), got {significance}.")
    if z_threshold is not None and not z_threshold > 0:
        raise ValueError(f"`z_threshold` must be positive, got {z_threshold}.")
    centres = _centres(real, bins, seed)
    count = len(centres)
    n, m = len(real), len(fake)
    real_counts = torch.bincount(assign(real, centres), minlength=count)
    fake_counts = torch.bincount(assign(fake, centres), minlength=count)
    p, q = real_counts.double() / n, fake_counts.double() / m
    both = real_counts + fake_counts
    pooled = both.double() / (n + m)
    deviation = (pooled * (1 - pooled) * (1 / n + 1 / m)).sqrt()
    z = torch.where(deviation > 0, (q - p) / deviation.where(deviation > 0, 1.0), 0.0)
    if z_threshold is None:
        level = torch.tensor(significance / 2, dtype=torch.float64)
        different = z.abs() > float(-torch.special.ndtri(level))
    else:
        different = z.abs() > z_threshold
    return NDBResult(int(different.sum()), count, _jsd(p, q), p, q, z)


def ndb_bins(real: Tensor, bins: int = 100, seed: int = 0) -> Tensor:
    """Centres of bins for `ndb`: those of k-means.

    Taken from reals that are not compared afterwards, they keep the test calibrated in any number
    of dimensions; kept for a whole training, they make its values comparable.

    Args:
        real: Features, or pixels, of reals, ``(N, D)`` (more axes are flattened).
        bins: How many, at most the number of distinct reals.
        seed: Of k-means.

    Returns:
        Centres, float64 ``(bins, D)``.

    Raises:
        ValueError: If `real` is too small or not finite, or there are too many bins.
    """
    (real,) = feature_sets(2, real=real)
    return _centres(real, bins, seed)


def _centres(real: Tensor, bins: int | Tensor, seed: int) -> Tensor:
    if isinstance(bins, Tensor):
        _, centres = feature_sets(1, real=real, bins=bins.to(real.device))
        return centres
    if not 1 <= bins <= len(real):
        raise ValueError(f"`bins` must be from 1 to the {len(real)} real samples, got {bins}.")
    return kmeans(real, bins, seed, name="bins")


def _jsd(p: Tensor, q: Tensor) -> float:
    middle = (p + q) / 2
    of_p, of_q = (torch.special.xlogy(s, s / middle.where(s > 0, 1.0)).sum() for s in (p, q))
    return max(0.0, float(of_p + of_q) / 2)
