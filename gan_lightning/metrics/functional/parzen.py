"""The log-likelihood of held-out samples under a kernel density estimate of the fakes."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gan_lightning.metrics.functional._neighbours import ENTRIES, feature_sets

__all__ = ["best_parzen_sigma", "parzen_log_likelihood"]

_GRID = tuple(10 ** (-1 + i / 9) for i in range(10))  # 0.1 to 1, for pixels


def parzen_log_likelihood(fake: Tensor, test: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    r"""Mean log-likelihood of test samples under Gaussians of one width around all fakes.

    .. math::
        \frac{1}{M} \sum_{j=1}^{M} \log \frac{1}{N} \sum_{i=1}^{N}
        (2 \pi \sigma^2)^{-D/2} \exp\left( -\frac{\|y_j - x_i\|^2}{2 \sigma^2} \right)

    in nats, with its standard error over the test samples (ddof 1, divided by sqrt(M)). It is a
    density: it may be positive, changes with the unit of the data, and compares only at one D and
    one N. It rises with the number of fakes N, and in high dimensions no affordable N brings it
    near the true value: there it ranks models wrongly and prefers ones that memorise cluster
    centres (Theis et al. 2016, arXiv:1511.01844). It is here for the tables of old
    papers and for toy data.

    Source: Goodfellow et al. 2014, arXiv:1406.2661, section 5 (sigma cross-validated, 10,000
    samples, images in [0, 1]; use `best_parzen_sigma` on validation samples).

    Args:
        fake: Samples ``(N, D)``, N at least 2.
        test: Real samples held out ``(M, D)``, M at least 2.
        sigma: Standard deviation of the kernels in each coordinate, in the unit of the samples.

    Returns:
        Mean and its standard error, scalars in float64.

    Raises:
        ValueError: If a set has fewer than two samples or is not finite, D differs, or sigma is not
            positive (or its square is 0 or infinite).

    Example:
        >>> samples = torch.zeros(2, 1)
        >>> mean, error = parzen_log_likelihood(samples, samples, sigma=1.0)
        >>> round(mean.item(), 4), error.item()
        (-0.9189, 0.0)
    """
    logs = _log_densities(fake, test, [sigma], "test")[0]
    return logs.mean(), logs.std() / math.sqrt(len(logs))


def best_parzen_sigma(fake: Tensor, validation: Tensor, sigmas: Sequence[float] = _GRID) -> float:
    """The width under which validation samples are most likely.

    Take real samples that neither training nor the reported number sees. Where the best one is the
    first or the last of the grid, the grid should be wider.

    Args:
        fake: Samples ``(N, D)``.
        validation: Real samples ``(M, D)``.
        sigmas: Widths to try, in the unit of the samples; the default suits pixels in [0, 1].

    Returns:
        One of `sigmas`, the first among equals.

    Raises:
        ValueError: As for `parzen_log_likelihood`, or if there is no width to try.
    """
    if not len(sigmas):
        raise ValueError("`sigmas` must hold at least one width, got none.")
    means = _log_densities(fake, validation, sigmas, "validation").mean(1).tolist()
    return float(sigmas[means.index(max(means))])


def _log_densities(fake: Tensor, test: Tensor, sigmas: Sequence[float], name: str) -> Tensor:
    """Log-densities ``(S, M)`` of test samples for each width; distances are taken once."""
    for sigma in sigmas:
        if not (sigma > 0 and 0 < sigma * sigma < math.inf):
            raise ValueError(f"`sigma` must be positive and finite, also squared, got {sigma}.")
    fake, test = feature_sets(2, **{"fake": fake, name: test})
    x = fake.double()
    n, dimension = x.shape
    parts = []
    for some in torch.split(test, max(1, ENTRIES // n)):
        distance = torch.cdist(some.double(), x, compute_mode="donot_use_mm_for_euclid_dist")
        squares = distance.square_()
        parts.append(torch.stack([(squares / (-2 * s * s)).logsumexp(1) for s in sigmas]))
    log_norms = [math.log(n) + dimension / 2 * math.log(2 * math.pi * s * s) for s in sigmas]
    return torch.cat(parts, 1) - torch.tensor(log_norms, dtype=x.dtype, device=x.device)[:, None]
