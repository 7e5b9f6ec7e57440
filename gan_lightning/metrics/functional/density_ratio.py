"""The ratio of densities that a trained discriminator holds, and whether it is right."""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["DensityRatioCalibration", "density_ratio", "density_ratio_calibration"]


@dataclass(frozen=True)
class DensityRatioCalibration:
    """How a discriminator's probabilities agree with what they were given for.

    Attributes:
        calibration_error: Expected calibration error, in [0, 1]; 0 is right.
        predicted: Mean of D in each bin, float64 ``(B,)``; NaN in an empty bin.
        observed: Share of reals in each bin; NaN in an empty bin.
        weights: Share of all samples in each bin, each set counting half; sums to 1.
        mean_ratio: Mean of p/q over fakes; 1 is right.
        mean_ratio_error: Its standard error.
    """

    calibration_error: float
    predicted: Tensor
    observed: Tensor
    weights: Tensor
    mean_ratio: float
    mean_ratio_error: float


def density_ratio(logits: Tensor) -> Tensor:
    r"""The ratio of the densities of reals and fakes, as a discriminator estimates it.

    .. math:: D^*(x) = \frac{p(x)}{p(x) + q(x)} \quad\Rightarrow\quad
        \frac{p(x)}{q(x)} = \frac{D(x)}{1 - D(x)} = e^{\mathrm{logit}(x)}

    Valid for a discriminator trained by cross-entropy (unsmoothed labels, equal numbers of reals
    and fakes) to its optimum; critics of Wasserstein, hinge or least-squares losses do not estimate
    it. The exponential of the logit keeps the digits that D / (1 - D) loses when D is near 1.

    Source: Goodfellow 2016, arXiv:1701.00160, section 3.2.1; Goodfellow et al. 2014,
    arXiv:1406.2661, proposition 1.

    Args:
        logits: ``(N,)`` or ``(N, 1)``, of reals, fakes or both.

    Returns:
        Ratios, float64 ``(N,)``, at least 0; infinite for logits above 709.

    Raises:
        ValueError: If the shape is another, there is no logit, or one is not finite.

    Example:
        >>> density_ratio(torch.tensor([0.0])).tolist()
        [1.0]
    """
    return _logits("logits", logits, 1).exp()


def density_ratio_calibration(
    real_logits: Tensor, fake_logits: Tensor, bins: int = 10
) -> DensityRatioCalibration:
    r"""Whether a discriminator's D is the probability that a sample is real.

    .. math::
        \mathrm{ECE} = \sum_{b=1}^{B} w_b \,
            | \overline{D}_b - \mathrm{share\ of\ reals}_b |, \qquad
        \frac{1}{M} \sum_{j} e^{\mathrm{logit}(y_j)} \approx
            \mathbb{E}_q \left[ \frac{p}{q} \right] = 1

    Bins are of equal width over D in [0, 1], each closed on the left (the last one on both sides).
    Both sets count half, whatever their numbers, since D means a coin toss between them. The
    calibration error of a right discriminator falls with the number N of both sets together, to
    about 0.3 sqrt(B / N) where D is near 1/2 and less where it is sure; the mean ratio is unbiased,
    but heavy tails make it unreliable where its standard error is not small. A constant
    logit of 0 is perfectly calibrated where reals and fakes agree only: read it beside a distance.
    Take samples that the discriminator was not trained on: it overfits reals.

    Source: Naeini et al. 2015 (expected calibration error), Guo et al. 2017, arXiv:1706.04599,
    equation 3; the identity of the mean ratio is that of importance weights.

    Args:
        real_logits: ``(N,)`` or ``(N, 1)``, N at least 2.
        fake_logits: ``(M,)`` or ``(M, 1)``, M at least 2.
        bins: B.

    Returns:
        A `DensityRatioCalibration`.

    Raises:
        ValueError: If a shape is another, a set has fewer than two or a logit that is not finite,
            or `bins` is not positive.
    """
    if bins < 1:
        raise ValueError(f"`bins` must be at least 1, got {bins}.")
    real = _logits("real_logits", real_logits, 2)
    fake = _logits("fake_logits", fake_logits, 2).to(real.device)
    probability = torch.cat([real, fake]).sigmoid()
    is_real = torch.cat([torch.ones_like(real), torch.zeros_like(fake)])
    weight = torch.cat([torch.full_like(s, 0.5 / len(s)) for s in (real, fake)])
    at = (probability * bins).long().clamp_max(bins - 1)

    def total(values: Tensor) -> Tensor:
        return torch.zeros(bins, dtype=values.dtype, device=values.device).index_add(0, at, values)

    weights = total(weight)
    sum_predicted, sum_observed = total(weight * probability), total(weight * is_real)
    ratios = fake.exp()
    finite = bool(torch.isfinite(ratios).all())  # the spread of infinite ones is not a number
    return DensityRatioCalibration(
        calibration_error=float((sum_predicted - sum_observed).abs().sum()),
        predicted=sum_predicted / weights,
        observed=sum_observed / weights,
        weights=weights,
        mean_ratio=float(ratios.mean()),
        mean_ratio_error=float(ratios.std()) / len(ratios) ** 0.5 if finite else torch.inf,
    )


def _logits(name: str, logits: Tensor, least: int) -> Tensor:
    fits = logits.ndim == 1 or (logits.ndim == 2 and logits.shape[1] == 1)
    if not fits or len(logits) < least or not logits.is_floating_point():
        raise ValueError(
            f"`{name}` must be floats (N,) or (N, 1) with N at least {least}, got "
            f"{logits.dtype} of shape {tuple(logits.shape)}."
        )
    if not bool(torch.isfinite(logits).all()):
        raise ValueError(f"`{name}` must be finite, got NaN or infinity.")
    return logits.detach().double().reshape(-1)
