"""The Fréchet distance between Gaussians fitted to two sets, and the moments it needs.

Libraries take the trace of the root of S1 S2 from that product's eigenvalues, which are real only
in exact arithmetic: they come out complex or negative, and half the digits are lost when a
covariance is singular. Here only symmetric matrices are decomposed, and singular ones not squared.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from gan_lightning.metrics.functional._covariances import by_eigenvalues, cholesky
from gan_lightning.metrics.functional._neighbours import feature_sets, mean

_ENTRIES = 2**22  # of a block of features: 32 MiB
_EPSILON = torch.finfo(torch.float64).eps


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
        x: Features ``(N, D)`` (more axes are flattened), N at least 1.

    Returns:
        Their moments, on the device of x.

    Raises:
        ValueError: If x holds no features, is not finite or too large to be squared.

    Example:
        >>> moments(torch.tensor([[1.0], [2.0], [6.0]])).scatter
        tensor([[14.]], dtype=torch.float64)
    """
    (x,) = feature_sets(1, x=x)
    return _moments(x, "x")


def _moments(x: Tensor, name: str) -> Moments:
    centre = mean(x)
    scatter = centre.new_zeros(len(centre), len(centre))
    for part in torch.split(x, max(1, _ENTRIES // x.shape[1])):
        centred = part.double() - centre
        scatter.addmm_(centred.T, centred)
    _check_overflow(scatter.trace(), x, name)
    return Moments(len(x), centre, scatter)


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
    both sets and regular covariances, see `frechet_from_moments`. Otherwise the last trace is taken
    from the centred features X themselves (from R of X = Q R where they are many),

    .. math::
        \operatorname{Tr}(S_r S_f)^{1/2} =
        \frac{\| X_r X_f^\top \|_*}{\sqrt{(N_r - \mathrm{ddof})(N_f - \mathrm{ddof})}},

    the sum of singular values, where nothing is squared and no digits are lost. Identical sets give
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
        ValueError: If a set has fewer than two samples, is not finite or too large to be squared,
            the numbers of features differ, or `ddof` is neither 0 nor 1.

    Example:
        >>> frechet_distance(torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [3.0]])).item()
        1.0
    """
    real, fake = feature_sets(2, real=real, fake=fake)
    _check_ddof(ddof)
    fake = fake.to(real.device)
    roots = partial(_roots, real, fake, ddof)
    if min(len(real), len(fake)) > real.shape[1]:
        return _distance(_moments(real, "real"), _moments(fake, "fake"), ddof, roots)
    real_root, fake_root = roots()
    traces = real_root.square().sum() + fake_root.square().sum()
    rounding = max(len(real), *fake.shape) * _EPSILON
    shift = _shift(mean(real), mean(fake), traces, rounding)
    return shift + _spread(traces, _nuclear_norm(real_root, fake_root), rounding)


def frechet_from_moments(real: Moments, fake: Moments, ddof: int = 1) -> Tensor:
    r"""The distance of `frechet_distance` where only moments are kept.

    With a Cholesky factor of one covariance, S_r = L L^T,

    .. math::
        \operatorname{Tr}(S_r S_f)^{1/2} = \sum_i \sqrt{\lambda_i(L^\top S_f L)}

    takes only eigenvalues of one symmetric matrix. Where a bound on its rounding error exceeds 1e-8
    of the traces (singular or nearly singular covariances), the singular values of the product of
    two roots are summed instead; roots of singular matrices come from their eigenvalues above
    D epsilon of the largest one, and at most N - 1 of them. The error may then be 1e-7 of the
    traces: the moments themselves do not hold more digits.

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
    return _distance(real, fake, ddof, None)


_Roots = Callable[[], tuple[Tensor, Tensor]]


def _distance(real: Moments, fake: Moments, ddof: int, roots: _Roots | None) -> Tensor:
    """The distance, of the features' own roots where covariances are singular and these known."""
    s1, s2 = real.covariance(ddof), fake.covariance(ddof).to(real.scatter)
    traces = s1.trace() + s2.trace()
    rounding = max(real.n, fake.n, len(s1)) * _EPSILON
    shift = _shift(real.mean, fake.mean.to(real.mean), traces, rounding)
    # A power of two, so that no product of covariances over- or underflows.
    unit = 2.0 ** (math.frexp(float(traces))[1] - 1)
    s1, s2 = s1 / unit, s2 / unit
    # The squared distance of two roots is at most the nuclear norm of S1 - S2 (Powers & Stormer
    # 1970), and that at most root D times the Frobenius norm.
    if bool((s1 - s2).norm() * len(s1) ** 0.5 <= rounding * (traces / unit)):
        return shift
    factors = [cholesky(s) if n > len(s) else None for s, n in ((s1, real.n), (s2, fake.n))]
    cross = by_eigenvalues(factors[0], s2, traces / unit) if factors[1] is not None else None
    if cross is not None:
        cross = unit * cross
    elif roots is not None:
        cross = _nuclear_norm(*roots())
    else:
        pairs = zip((s1, s2), (real.n, fake.n), factors, strict=True)
        cross = unit * _nuclear_norm(*(_root(*pair) for pair in pairs))
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


def _roots(real: Tensor, fake: Tensor, ddof: int) -> tuple[Tensor, Tensor]:
    """Of either set F ``(R, D)`` of at most D rows with F^T F the covariance."""
    found = []
    for name, x in {"real": real, "fake": fake}.items():
        centre = mean(x)
        root = centre.new_empty(0, len(centre))
        for part in torch.split(x, max(4 * x.shape[1], _ENTRIES // x.shape[1])):
            root = torch.cat([root, part.double() - centre])
            if len(x) > len(centre):
                root = torch.linalg.qr(root, mode="r").R
        found.append(root / (len(x) - ddof) ** 0.5)
        _check_overflow(root.square().sum(), x, name)
    return found[0], found[1]


def _check_overflow(total: Tensor, x: Tensor, name: str) -> None:
    if not bool(torch.isfinite(total)):
        largest = max(float(bound.abs()) for bound in x.aminmax())
        raise ValueError(
            f"`{name}` must be small enough for sums of squares in float64, got features up to "
            f"{largest:.3g}."
        )


def _nuclear_norm(root: Tensor, other: Tensor) -> Tensor:
    """Tr(S1 S2)^(1/2) from F1 ``(R, D)`` and F2 ``(Q, D)`` with F^T F = S."""
    singular: Tensor = torch.linalg.svdvals(root @ other.to(root).T)
    return singular.sum()


def _root(s: Tensor, n: int, factor: Tensor | None) -> Tensor:
    """F ``(R, D)`` with F^T F = S, the covariance of n samples, from L of `cholesky` if any."""
    if factor is not None:
        return factor.T
    values: Tensor
    values, vectors = torch.linalg.eigh(s)
    keep = values > len(s) * _EPSILON * values[-1].clamp(min=0)
    keep[: max(0, len(s) - (n - 1))] = False  # n samples span n - 1 dimensions around their mean
    root: Tensor = values[keep].sqrt()[:, None] * vectors[:, keep].T
    return root
