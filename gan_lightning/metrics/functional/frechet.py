"""The Fréchet distance between Gaussians fitted to two sets, and the moments it needs.

Libraries take the trace of the root of S1 S2 from that product's eigenvalues, which are real only
in exact arithmetic: they come out complex or negative, and half the digits are lost when a
covariance is singular. Here only symmetric matrices are decomposed, and singular ones not squared.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_lightning.metrics.functional._neighbours import feature_sets

_ENTRIES = 2**22  # of a block of features: 32 MiB
_EPSILON = torch.finfo(torch.float64).eps
_ACCURACY = 1e-8  # of the traces: the fast path's bound on its error (the error: below 1e-12)
_PIVOTS = 1e-12  # least ratio of two squared Cholesky pivots of a matrix that counts as regular
_STRIP = 256  # columns of a triangular matrix that are multiplied at a time


@dataclass(frozen=True, eq=False)
class Moments:
    """What the Fréchet distance needs of N samples, whatever N is.

    Attributes:
        n: Number of samples.
        mean: ``(D,)``, float64.
        scatter: Sum of the outer products of the centred samples, ``(D, D)``, float64.
    """

    n: int
    mean: Tensor
    scatter: Tensor

    def covariance(self, ddof: int = 1) -> Tensor:
        """The scatter divided by n - ddof, ``(D, D)``."""
        return self.scatter / (self.n - ddof)


def moments(x: Tensor) -> Moments:
    """Number, mean and scatter of samples, in float64.

    The samples are centred before they are multiplied: a mean that is large beside the spread costs
    no digits, as it does where the mean is subtracted from sums of squares.

    Args:
        x: Features ``(N, D)``, N at least 1.

    Returns:
        Their moments, on the device of x.

    Raises:
        ValueError: If x is not ``(N, D)``, empty or not finite.

    Example:
        >>> moments(torch.tensor([[1.0], [2.0], [6.0]])).scatter
        tensor([[14.]], dtype=torch.float64)
    """
    if x.ndim != 2 or not x.numel():
        raise ValueError(f"`x` must be features (N, D), got shape {tuple(x.shape)}.")
    x = x.detach().cpu() if x.device.type == "mps" else x.detach()  # mps has no float64
    parts = torch.split(x, max(1, _ENTRIES // x.shape[1]))
    mean = x.new_zeros(x.shape[1], dtype=torch.float64)
    for part in parts:
        mean += part.double().sum(0)
    mean /= len(x)
    if not bool(torch.isfinite(mean).all()):
        raise ValueError("`x` must be finite, got NaN or infinity.")
    scatter = mean.new_zeros(len(mean), len(mean))
    for part in parts:
        centred = part.double() - mean
        scatter.addmm_(centred.T, centred)
    return Moments(len(x), mean, scatter)


def merge(a: Moments, b: Moments) -> Moments:
    r"""The moments of the union of two sets.

    .. math::
        M = M_a + M_b + \frac{n_a n_b}{n_a + n_b} (\mu_b - \mu_a)(\mu_b - \mu_a)^\top

    Source: Chan, Golub & LeVeque 1979, Updating Formulae and a Pairwise Algorithm for Computing
    Sample Variances (Stanford STAN-CS-79-773), Eq. 2.1.

    Args:
        a: Of one set.
        b: Of another with as many features.

    Returns:
        Those of both, on the device of a.

    Raises:
        ValueError: If the numbers of features differ.
    """
    _check_features(a, b, "a", "b")
    n = a.n + b.n
    delta = b.mean.to(a.mean) - a.mean
    scatter = a.scatter + b.scatter.to(a.scatter)
    scatter.addr_(delta, delta, alpha=a.n * b.n / n)
    return Moments(n, a.mean + delta * (b.n / n), scatter)


def frechet_distance(real: Tensor, fake: Tensor, ddof: int = 1) -> Tensor:
    r"""Squared Fréchet (2-Wasserstein) distance between Gaussians fitted to two sets.

    .. math::
        \| \mu_r - \mu_f \|^2
        + \operatorname{Tr}\left(S_r + S_f - 2 (S_r S_f)^{1/2}\right)

    Of features of the Inception network of 2015 this is the FID. With more samples than features in
    both sets, see `frechet_from_moments`. With fewer, S is singular, and the last trace is taken
    from the centred features X themselves,

    .. math::
        \operatorname{Tr}(S_r S_f)^{1/2} =
        \frac{\| X_r X_f^\top \|_*}{\sqrt{(N_r - \mathrm{ddof})(N_f - \mathrm{ddof})}},

    the sum of singular values, which is exact and needs no ``(D, D)`` matrix. Identical sets give
    exactly 0, and what is below the rounding of the traces is 0; it is never negative or NaN.

    The expected value **falls** with N: finite sets are further apart than their distributions, by
    about C/N with C depending on the features. Compare numbers of the same N only.

    Libraries disagree on `ddof`: torchmetrics, torch-fidelity and the original code take 1 (the
    unbiased covariance, the default here), StyleGAN's code 0. The numbers differ by about 1/N.

    Source: Heusel et al. 2017, GANs Trained by a Two Time-Scale Update Rule (arXiv:1706.08500),
    Eq. 6; Dowson & Landau 1982 for the formula.

    Args:
        real: Features ``(N, D)``, N at least 2.
        fake: Features ``(M, D)``, M at least 2.
        ddof: What is subtracted from N in the covariances, 0 or 1.

    Returns:
        A scalar in float64, in squared units of the features, in [0, inf).

    Raises:
        ValueError: If a set has fewer than two samples, is not finite, the numbers of features
            differ, or `ddof` is neither 0 nor 1.

    Example:
        >>> frechet_distance(torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [3.0]])).item()
        1.0
    """
    real, fake = feature_sets(2, real=real, fake=fake)
    if min(len(real), len(fake)) > real.shape[1]:
        return frechet_from_moments(moments(real), moments(fake), ddof)
    _check_ddof(ddof)
    real_mean, real_root = _mean_and_root(real, ddof)
    fake_mean, fake_root = _mean_and_root(fake, ddof)
    traces = real_root.square().sum() + fake_root.square().sum()
    rounding = max(len(real), *fake.shape) * _EPSILON
    cross = _nuclear_norm(real_root, fake_root)
    shift = _shift(real_mean, fake_mean, traces, rounding)
    return shift + _spread(traces, cross, rounding)


def frechet_from_moments(real: Moments, fake: Moments, ddof: int = 1) -> Tensor:
    r"""The distance of `frechet_distance` where only moments are kept.

    With a Cholesky factor of one covariance, S_r = L L^T,

    .. math::
        \operatorname{Tr}(S_r S_f)^{1/2} = \sum_i \sqrt{\lambda_i(L^\top S_f L)}

    takes only eigenvalues of one symmetric matrix. Where a bound on its rounding error exceeds 1e-8
    of the traces (singular or nearly singular covariances), the singular values of the product of
    two roots are summed instead; roots of singular matrices come from their eigenvalues above
    D epsilon of the largest one, and at most N - 1 of them.

    Args:
        real: Moments of at least two samples.
        fake: Moments of at least two samples.
        ddof: What is subtracted from N in the covariances, 0 or 1.

    Returns:
        A scalar in float64, in squared units of the features, in [0, inf).

    Raises:
        ValueError: If a set has fewer than two samples, the numbers of features differ, or `ddof`
            is neither 0 nor 1.
    """
    _check_ddof(ddof)
    _check_features(real, fake, "real", "fake")
    for name, n in {"real": real.n, "fake": fake.n}.items():
        if n < 2:
            raise ValueError(f"`{name}` must be moments of at least 2 samples, got {n}.")
    s1, s2 = real.covariance(ddof), fake.covariance(ddof).to(real.scatter)
    traces = s1.trace() + s2.trace()
    rounding = max(real.n, fake.n, len(s1)) * _EPSILON
    shift = _shift(real.mean, fake.mean.to(real.mean), traces, rounding)
    # The squared distance of two roots is at most the nuclear norm of S1 - S2 (Powers & Stormer
    # 1970), and that at most root D times the Frobenius norm.
    if bool((s1 - s2).norm() * len(s1) ** 0.5 <= rounding * traces):
        return shift
    cross = _trace_of_root(s1, s2, (real.n, fake.n), traces)
    return shift + _spread(traces, cross, rounding)


def _check_ddof(ddof: int) -> None:
    if ddof not in (0, 1):
        raise ValueError(f"`ddof` must be 0 or 1, got {ddof}.")


def _check_features(a: Moments, b: Moments, first: str, second: str) -> None:
    if a.mean.shape != b.mean.shape:
        raise ValueError(
            f"`{second}` must have as many features as `{first}`, {len(a.mean)}, got {len(b.mean)}."
        )


def _shift(mean: Tensor, other: Tensor, traces: Tensor, rounding: float) -> Tensor:
    """Squared distance of the means; 0 where rounding may have made it."""
    squared = (mean - other).square().sum()
    noise = rounding**2 * (mean.square().sum() + traces)
    return torch.where(squared > noise, squared, torch.zeros_like(squared))


def _spread(traces: Tensor, cross: Tensor, rounding: float) -> Tensor:
    """Tr(S1 + S2 - 2 (S1 S2)^(1/2)); 0 where rounding may have made it."""
    spread = traces - 2 * cross
    return torch.where(spread > 8 * rounding * traces, spread, torch.zeros_like(spread))


def _mean_and_root(x: Tensor, ddof: int) -> tuple[Tensor, Tensor]:
    """The mean, and F ``(R, D)`` of few rows with F^T F the covariance."""
    if len(x) > x.shape[1]:
        whole = moments(x)
        return whole.mean, _factor_and_root(whole.covariance(ddof), whole.n)[1]
    rows = x.double()
    mean = rows.mean(0)
    return mean, (rows - mean) / (len(x) - ddof) ** 0.5


def _nuclear_norm(root: Tensor, other: Tensor) -> Tensor:
    """Tr(S1 S2)^(1/2) from F1 ``(R, D)`` and F2 ``(Q, D)`` with F^T F = S."""
    singular: Tensor = torch.linalg.svdvals(root @ other.to(root).T)
    return singular.sum()


def _trace_of_root(s1: Tensor, s2: Tensor, numbers: tuple[int, int], traces: Tensor) -> Tensor:
    (factor, root), (other, other_root) = (
        _factor_and_root(s, n) for s, n in zip((s1, s2), numbers, strict=True)
    )
    if factor is not None and other is not None:
        values: Tensor = torch.linalg.eigvalsh(_congruence(factor, s2))
        if _is_accurate(values, traces):
            return values.clamp(min=0).sqrt().sum()
    return _nuclear_norm(root, other_root)


def _cholesky(s: Tensor) -> Tensor | None:
    """L with L L^T = S; None where S is singular or nearly so."""
    factor: Tensor
    factor, failed = torch.linalg.cholesky_ex(s)
    pivots = factor.diagonal().square()
    if bool(failed) or not bool(pivots.min() > _PIVOTS * pivots.max()):
        return None
    return factor


def _factor_and_root(s: Tensor, n: int) -> tuple[Tensor | None, Tensor]:
    """L as `_cholesky`, and F ``(R, D)`` with F^T F = S, the covariance of n samples."""
    factor = _cholesky(s) if n > len(s) else None
    if factor is not None:
        return factor, factor.T
    values: Tensor
    values, vectors = torch.linalg.eigh(s)
    keep = values > len(s) * _EPSILON * values[-1].clamp(min=0)
    keep[: max(0, len(s) - (n - 1))] = False  # n samples span n - 1 dimensions around their mean
    return None, values[keep].sqrt()[:, None] * vectors[:, keep].T


def _congruence(factor: Tensor, s: Tensor) -> Tensor:
    """L^T S L below the diagonal (all that `eigvalsh` reads), without products by L's zeros."""
    d = len(s)
    half, whole = torch.empty_like(s), torch.zeros_like(s)
    for i in range(0, d, _STRIP):
        half[i : i + _STRIP] = factor[i:, i : i + _STRIP].T @ s[i:]
    for i in range(0, d, _STRIP):
        whole[i:, i : i + _STRIP] = half[i:, i:] @ factor[i:, i : i + _STRIP]
    return whole


def _is_accurate(values: Tensor, traces: Tensor) -> bool:
    """Whether the roots of computed eigenvalues of M add up to their true sum.

    The computed ones are exact for M + E with |E| about epsilon |M| (Frobenius norms). To first
    order the sum of roots moves by tr(E M^(-1/2)) / 2, at most |E| |M^(-1/2)| / 2; an eigenvalue
    below |E| moves by less than that, its root by less than the root of it.
    """
    noise = _EPSILON * values.norm()
    above = values[values > noise]
    error = noise * (1 / above).sum().sqrt() + (len(values) - len(above)) * noise.sqrt()
    return bool(error <= _ACCURACY * traces)
