"""Distances between the means of two sets in the feature space of a kernel."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_lightning.metrics.functional._neighbours import feature_sets, mean

_ENTRIES = 2**22  # of a block of kernel values: 32 MiB
_EPSILON = torch.finfo(torch.float64).eps
_NARROW = 50.0  # gamma of a Gaussian whose parts overflow; there is nothing to cancel then


def kernel_distance(
    real: Tensor, fake: Tensor, degree: int = 3, gamma: float | None = None, coef0: float = 1.0
) -> Tensor:
    r"""Unbiased squared maximum mean discrepancy with a polynomial kernel, over the full sets.

    .. math::
        \frac{\sum_{i \ne j} k(x_i, x_j)}{N (N - 1)} + \frac{\sum_{i \ne j} k(y_i, y_j)}{M (M - 1)}
        - \frac{2 \sum_{i, j} k(x_i, y_j)}{N M},
        \qquad k(x, y) = (\gamma \, x^\top y + c_0)^{\mathrm{degree}}

    Of features of the Inception network of 2015 this is what the KID estimates. Its expectation
    does **not depend on N**. For that it must be able to fall below 0: values of close sets scatter
    around 0, and identical sets give a negative one. That is no error.

    All pairs count, where the usual KID averages subsets (`kernel_distance_subsets`): the same
    expectation, less variance, and nothing is drawn. The cubes of large features nearly cancel, so
    the sums are not taken over k but over

    .. math:: k(x, y) - k(x, c) - k(c, y) + k(c, c),

    with c the mean of both sets, expanded so that small numbers are only made of small ones. The
    additional terms cancel exactly. Beside the sets only a few blocks of 32 MiB are held.

    Source: Bińkowski et al. 2018, Demystifying MMD GANs (arXiv:1801.01401), Section 4; Gretton et
    al. 2012, A Kernel Two-Sample Test, Eq. 3.

    Args:
        real: Features ``(N, D)``, N at least 2.
        fake: Features ``(M, D)``, M at least 2.
        degree: Of the polynomial, at least 1.
        gamma: Factor of the inner product, positive; None is 1/D.
        coef0: What is added to it.

    Returns:
        A scalar in float64, unbounded above, in units of the kernel.

    Raises:
        ValueError: If a set has fewer than two samples, is not finite or too large for float64, the
            numbers of features differ, or `degree` or `gamma` is not positive.

    Example:
        >>> real, fake = torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [3.0]])
        >>> kernel_distance(real, fake, degree=1).item()
        3.5
    """
    real, fake = feature_sets(2, real=real, fake=fake)
    _check_kernel(degree, gamma)
    fake = fake.to(real.device)
    n, m = len(real), len(fake)
    centre = (n / (n + m)) * mean(real) + (m / (n + m)) * mean(fake)
    gamma = 1 / real.shape[1] if gamma is None else gamma
    kernel = _Polynomial(degree, gamma, (gamma * centre.square().sum() + coef0), centre)
    within_real = _sum_within(kernel, real) / (n * (n - 1))
    within_fake = _sum_within(kernel, fake) / (m * (m - 1))
    value = within_real + within_fake - 2 * _sum_between(kernel, real, fake) / (n * m)
    if not bool(torch.isfinite(value)):
        largest = max(float(bound.abs()) for x in (real, fake) for bound in x.aminmax())
        raise ValueError(
            "`real` and `fake` must be small enough for sums of the kernel in float64, got "
            f"features up to {largest:.3g}."
        )
    return value


def kernel_distance_subsets(
    real: Tensor,
    fake: Tensor,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
    *,
    degree: int = 3,
    gamma: float | None = None,
    coef0: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of `kernel_distance` over random subsets: the usual KID.

    Each subset is drawn without replacement from either set. The mean is unbiased as
    `kernel_distance` is. The standard deviation (over the number of subsets, ddof 0, as
    torch-fidelity and torchmetrics take it) **falls** with the size of a subset and is no standard
    error: subsets overlap. A `subset_size` larger than a set is refused, not cut down.

    Source: Bińkowski et al. 2018, Demystifying MMD GANs (arXiv:1801.01401), Section 4.

    Args:
        real: Features ``(N, D)``.
        fake: Features ``(M, D)``.
        subsets: How many, at least 1.
        subset_size: Samples of a subset, from 2 to the smaller of N and M.
        seed: Of the subsets; the same on every device, and no other generator is touched.
        degree: As for `kernel_distance`.
        gamma: As for `kernel_distance`.
        coef0: As for `kernel_distance`.

    Returns:
        Two scalars in float64.

    Raises:
        ValueError: As `kernel_distance`, or if `subsets` or `subset_size` is out of range.
    """
    real, fake = feature_sets(2, real=real, fake=fake)
    if subsets < 1:
        raise ValueError(f"`subsets` must be at least 1, got {subsets}.")
    smaller = min(len(real), len(fake))
    if not 2 <= subset_size <= smaller:
        raise ValueError(
            f"`subset_size` must be from 2 to the size of the smaller set, {smaller}, got "
            f"{subset_size}."
        )
    generator = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(subsets):
        i, j = (torch.randperm(len(x), generator=generator)[:subset_size] for x in (real, fake))
        some, others = real[i.to(real.device)], fake[j.to(fake.device)]
        values.append(kernel_distance(some, others, degree, gamma, coef0))
    whole = torch.stack(values)
    return whole.mean(), whole.std(correction=0)


def clip_mmd(real: Tensor, fake: Tensor, sigma: float = 10.0) -> Tensor:
    r"""Squared maximum mean discrepancy of directions with a Gaussian kernel, times 1,000 (CMMD).

    .. math::
        1000 \left( \frac{\sum_{i, j} k(x_i, x_j)}{N^2} + \frac{\sum_{i, j} k(y_i, y_j)}{M^2}
        - \frac{2 \sum_{i, j} k(x_i, y_j)}{N M} \right),
        \qquad k(x, y) = e^{-\| x / |x| - y / |y| \|^2 / 2 \sigma^2}

    The biased estimator of the paper's code, which keeps the pairs of a sample with itself: it is
    never negative, 0 for identical sets, and its expectation **falls** with N, by about
    1000 (1 - mean k) (1/N + 1/M). A sample of zeros has no direction and stays 0. Constants are
    taken out of the kernel (all values lie near 1 for the usual sigma), so that they cost no
    digits; what is below rounding is 0.

    Source: Jayasumana et al. 2024, Rethinking FID (arXiv:2401.09603), Section 5 and Eq. 4, there
    with CLIP's image embeddings.

    Args:
        real: Features ``(N, D)``, N at least 2.
        fake: Features ``(M, D)``, M at least 2.
        sigma: Width of the kernel, positive.

    Returns:
        A scalar in float64, in [0, 2000].

    Raises:
        ValueError: If a set has fewer than two samples, is not finite, the numbers of features
            differ, or `sigma` is not positive.

    Example:
        >>> real, fake = torch.tensor([[1.0, 0.0]] * 2), torch.tensor([[0.0, 1.0]] * 2)
        >>> clip_mmd(real, fake, sigma=1.0).item()  # 2000 (1 - exp(-1))
        1264.2411176571154
    """
    real, fake = feature_sets(2, real=real, fake=fake)
    if not (sigma > 0 and torch.finfo(torch.float64).tiny <= sigma * sigma < math.inf):
        raise ValueError(f"`sigma` must be positive and finite, also squared, got {sigma}.")
    x, y = real, fake.to(real.device)
    sums = [torch.stack([directions(part).sum(0) for part in parts(z)]).sum(0) for z in (x, y)]
    kernel = _Gaussian(1 / (2 * sigma * sigma), (sums[0] + sums[1]) / (len(x) + len(y)))
    squares = [torch.cat([kernel.squares(part) for part in parts(z)]) for z in (x, y)]
    px, py = (torch.expm1(-kernel.gamma * s).mean() for s in squares)
    total = (px - py).square()
    for z in (x, y):
        total = total + _sum_within(kernel, z, diagonal=True) / len(z) ** 2
    total = total - 2 * _sum_between(kernel, x, y) / (len(x) * len(y))
    diagonal = sum(-torch.expm1(-2 * kernel.gamma * s).mean() for s in squares)
    return 1000 * torch.where(total > 64 * _EPSILON * diagonal, total, torch.zeros_like(total))


def directions(x: Tensor) -> Tensor:
    """Rows of norm 1 in float64; rows of zeros stay 0."""
    rows = x.double()
    largest = rows.abs().amax(1, keepdim=True)
    rows = rows / largest.where(largest > 0, 1.0)  # so that no square over- or underflows
    norm = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    unit: Tensor = rows / norm.where(norm > 0, 1.0)
    return unit


def parts(x: Tensor) -> tuple[Tensor, ...]:
    """Blocks of rows, such that neither one nor all values of two of them are too many."""
    return torch.split(x, max(1, min(_ENTRIES // x.shape[1], math.isqrt(_ENTRIES // 4))))


@dataclass(frozen=True)
class _Polynomial:
    """k(x, y) - k(x, c) - k(c, y) + k(c, c) of rows x and y.

    With t = k(c, c) before the power, a and b what x and y add to it, and w their own product, this
    is (t + a + b + w)^d - (t + a)^d - (t + b)^d + t^d, built up from d - 1 to d.
    """

    degree: int
    gamma: float
    t: Tensor
    centre: Tensor

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """All pairs, ``(N, M)``."""
        x, y = x.double() - self.centre, y.double() - self.centre
        w = self.gamma * (x @ y.T)
        a = self.gamma * (x @ self.centre)[:, None]
        b = self.gamma * (y @ self.centre)[None, :]
        far = self.t + a + b
        # Of the last degree: its value, (t + a)^d - t^d, the same of b, and (t + a + b + w)^d.
        value, of_a, of_b = torch.zeros_like(w), torch.zeros_like(a), torch.zeros_like(b)
        power, t_power = torch.ones_like(w), torch.ones_like(self.t)
        for _ in range(self.degree):
            value = far * value + a * of_b + b * of_a + w * power
            power = (far + w) * power
            of_a = (self.t + a) * of_a + a * t_power
            of_b = (self.t + b) * of_b + b * t_power
            t_power = t_power * self.t
        return value


@dataclass(frozen=True)
class _Gaussian:
    """The kernel of directions, less what is a constant or depends on one of them only.

    With u and v the directions less the centre and p(u) = exp(-gamma |u|^2) the kernel is
    p(u) p(v) (1 + expm1(2 gamma u v)); this is the term with expm1.
    """

    gamma: float
    centre: Tensor

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """All pairs of rows, ``(N, M)``."""
        u, v = directions(x) - self.centre, directions(y) - self.centre
        norms = (u.square().sum(1)[:, None] + v.square().sum(1)).mul_(-self.gamma).exp_()
        if self.gamma > _NARROW:
            apart: Tensor = torch.cdist(u, v, compute_mode="donot_use_mm_for_euclid_dist")
            values = apart.square_().mul_(-self.gamma).exp_().sub_(norms)
        else:
            values = (u @ v.T).mul_(2 * self.gamma).expm1_().mul_(norms)
        return values

    def squares(self, x: Tensor) -> Tensor:
        """|u|^2 of rows, ``(N,)``."""
        return (directions(x) - self.centre).square().sum(1)


def _check_kernel(degree: int, gamma: float | None) -> None:
    if degree < 1 or degree != int(degree):
        raise ValueError(f"`degree` must be a whole number of at least 1, got {degree}.")
    if gamma is not None and not 0 < gamma < float("inf"):
        raise ValueError(f"`gamma` must be positive or None, got {gamma}.")


_Kernel = Callable[[Tensor, Tensor], Tensor]


def _sum_between(kernel: _Kernel, x: Tensor, y: Tensor) -> Tensor:
    total = torch.zeros((), dtype=torch.float64, device=x.device)
    for part in parts(x):
        for other in parts(y):
            total += kernel(part, other).sum()
    return total


def _sum_within(kernel: _Kernel, x: Tensor, *, diagonal: bool = False) -> Tensor:
    """Sum over all pairs, of different samples unless `diagonal`; later blocks count twice."""
    total = torch.zeros((), dtype=torch.float64, device=x.device)
    blocks = parts(x)
    for i, part in enumerate(blocks):
        own = kernel(part, part)
        total += own.sum() if diagonal else own.sum() - own.diagonal().sum()
        for other in blocks[i + 1 :]:
            total += 2 * kernel(part, other).sum()
    return total
