import importlib

import mpmath
import numpy as np
import pytest
import scipy.linalg
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torchmetrics.image.fid import _compute_fid

from gan_lightning.metrics.frechet_distance import FrechetDistance
from gan_lightning.metrics.functional import _covariances
from gan_lightning.metrics.functional.frechet import (
    Moments,
    frechet_distance,
    frechet_from_moments,
    merge,
    moments,
)

frechet = importlib.import_module("gan_lightning.metrics.functional.frechet")


def sets(n=200, m=150, d=12, seed=0):
    random = torch.Generator().manual_seed(seed)
    mix = torch.randn(d, d, generator=random, dtype=torch.float64)
    real = torch.randn(n, d, generator=random, dtype=torch.float64) @ mix
    fake = 0.3 + 1.2 * torch.randn(m, d, generator=random, dtype=torch.float64) @ mix.tril()
    return real, fake


def by_scipy(real, fake, ddof=1):
    a, b = real.double().numpy(), fake.double().numpy()
    s1, s2 = (np.cov(x, rowvar=False, ddof=ddof) for x in (a, b))
    root = scipy.linalg.sqrtm(s1 @ s2).real
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s1 + s2 - 2 * root)


def by_mpmath(real, fake):
    """With 60 digits, so that the roots of eigenvalues that ought to be 0 are 0."""
    with mpmath.workdps(60):
        a, b = (mpmath.matrix(x.double().tolist()) for x in (real, fake))
        means = [[sum(x[:, j]) / x.rows for j in range(x.cols)] for x in (a, b)]
        for x, mean in zip((a, b), means, strict=True):
            for i in range(x.rows):
                for j in range(x.cols):
                    x[i, j] -= mean[j]
        cross = a * b.T
        values = mpmath.eigsy(cross * cross.T, eigvals_only=True)
        nuclear = sum(mpmath.sqrt(abs(v)) for v in values)
        nuclear /= mpmath.sqrt((a.rows - 1) * (b.rows - 1))
        traces = sum(sum(v**2 for v in x) / (x.rows - 1) for x in (a, b))
        shift = sum((p - q) ** 2 for p, q in zip(*means, strict=True))
        return float(shift + traces - 2 * nuclear)


@pytest.mark.parametrize("ddof", [0, 1])
def test_against_scipy(ddof):
    real, fake = sets()
    value = frechet_distance(real, fake, ddof=ddof)
    assert value.dtype == torch.float64
    assert value.shape == ()
    assert value.item() == pytest.approx(by_scipy(real, fake, ddof), rel=1e-9)


def test_against_torchmetrics_and_torch_fidelity():
    real, fake = sets()
    value = frechet_distance(real, fake).item()
    theirs = _compute_fid(real.mean(0), real.T.cov(), fake.mean(0), fake.T.cov())
    assert value == pytest.approx(theirs.item(), rel=1e-9)
    statistics = [fid_features_to_statistics(x) for x in (real, fake)]
    (theirs,) = fid_statistics_to_metric(*statistics, verbose=False).values()
    assert value == pytest.approx(theirs, rel=1e-9)


def test_closed_form_of_diagonal_gaussians():
    mean = torch.tensor([0.5, -1.0, 3.0], dtype=torch.float64)
    a, b = torch.tensor([1.0, 4.0, 9.0]).double(), torch.tensor([4.0, 4.0, 0.25]).double()
    zero = torch.zeros_like(mean)
    given = [Moments(11, zero, 10 * torch.diag(a)), Moments(21, mean, 20 * torch.diag(b))]
    expected = mean.square().sum() + (a.sqrt() - b.sqrt()).square().sum()
    torch.testing.assert_close(frechet_from_moments(*given), expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize(("n", "m", "d"), [(6, 5, 9), (6, 14, 9), (14, 6, 9), (2, 2, 3), (9, 9, 9)])
def test_fewer_samples_than_dimensions(n, m, d):
    real, fake = sets(n, m, d)
    expected = by_mpmath(real, fake)
    assert frechet_distance(real, fake).item() == pytest.approx(expected, rel=1e-12)
    found = frechet_from_moments(moments(real), moments(fake)).item()
    assert found == pytest.approx(expected, rel=1e-9)


def test_figures_of_peers_where_they_lose_digits():
    real, fake = sets(40, 40, 64)
    exact = frechet_distance(real, fake).item()
    assert frechet_from_moments(moments(real), moments(fake)).item() == pytest.approx(
        exact, rel=1e-10
    )
    theirs = _compute_fid(real.mean(0), real.T.cov(), fake.mean(0), fake.T.cov()).item()
    assert theirs == pytest.approx(exact, rel=1e-5)


def test_dead_and_repeated_features():
    real, fake = sets()
    one = frechet_distance(real, fake).item()
    dead = [torch.cat([x, torch.full((len(x), 2), 7.0)], 1) for x in (real, fake)]
    assert frechet_distance(*dead).item() == pytest.approx(one, rel=1e-9)
    twice = [torch.cat([x, x], 1) for x in (real, fake)]
    assert frechet_distance(*twice).item() == pytest.approx(2 * one, rel=1e-9)
    some = torch.cat([real, real[:, :1] * 0], 1), torch.cat([fake, fake[:, :1]], 1)
    expected = one + (fake[:, 0].var() + fake[:, 0].mean() ** 2).item()
    assert frechet_distance(*some).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("spread", [1e-2, 1e-5, 1e-9])
def test_ill_conditioned_covariances(spread):
    """Commuting covariances have a closed form at any condition."""
    scale = torch.logspace(0, np.log10(spread), 10, dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(10, 10, dtype=torch.float64))[0]
    other = scale.flip(0)
    a, b = (turn @ torch.diag(s.square()) @ turn.T for s in (scale, other))
    zero = torch.zeros(10, dtype=torch.float64)
    value = frechet_from_moments(Moments(101, zero, 100 * a), Moments(101, zero, 100 * b))
    expected = (scale - other).square().sum()
    torch.testing.assert_close(value, expected, rtol=1e-7, atol=0)


@pytest.mark.parametrize("strip", [1, 5, 64])
def test_products_of_triangles(monkeypatch, strip):
    monkeypatch.setattr(_covariances, "_STRIP", strip)
    s = torch.randn(17, 30, dtype=torch.float64)
    s = s @ s.T
    factor = torch.randn(17, 17, dtype=torch.float64).tril()
    expected = (factor.T @ s @ factor).tril()
    torch.testing.assert_close(_covariances._congruence(factor, s).tril(), expected)


@pytest.mark.parametrize("n", [5, 400])
def test_identical_sets_are_at_0(n):
    real = sets(n, n)[0].float() + 1e3
    assert frechet_distance(real, real.clone()).item() == 0
    assert frechet_distance(real, real[torch.randperm(n)]).item() == 0
    assert frechet_from_moments(moments(real), moments(real.flip(0))).item() == 0


@pytest.mark.parametrize("n", [8, 200])
def test_collapsed_generators(n):
    real = sets(n)[0]
    point = real.mean(0) + 2
    expected = (4 * 12 + real.var(0).sum()).item()
    found = frechet_distance(real, point.expand(n, -1)).item()
    assert found == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(point.expand(n, -1), point.expand(n, -1)).item() == 0
    direction = torch.ones(12, dtype=torch.float64) / 12**0.5
    position = torch.randn(n, dtype=torch.float64)
    line = position[:, None] * direction
    s = real.T.cov()
    shift = (real.mean(0) - line.mean(0)).square().sum()
    cross = (position.var() * direction @ s @ direction).sqrt()
    expected = (shift + s.trace() + position.var() - 2 * cross).item()
    assert frechet_distance(real, line).item() == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(line, real).item() == pytest.approx(expected, rel=1e-9)
    found = frechet_from_moments(moments(real), moments(line)).item()
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n", [8, 200])
def test_an_offset_in_float32_costs_nothing(n):
    real, fake = ((1e3 + x).float() for x in sets(n, n))
    expected = frechet_distance(real.double() - 1e3, fake.double() - 1e3)
    torch.testing.assert_close(frechet_distance(real, fake), expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_dtypes(dtype):
    real, fake = (x.to(dtype) for x in sets())
    value = frechet_distance(real, fake)
    assert value.dtype == torch.float64
    torch.testing.assert_close(value, frechet_distance(real.double(), fake.double()))


@pytest.mark.parametrize("entries", [1, 100, 2**22])
def test_moments_in_blocks_and_merged(monkeypatch, entries):
    monkeypatch.setattr(frechet, "_ENTRIES", entries)
    x, y = (1e3 + x for x in sets())
    whole = moments(torch.cat([x, y]))
    expected = np.cov(torch.cat([x, y]).numpy(), rowvar=False)
    np.testing.assert_allclose(whole.covariance().numpy(), expected, rtol=1e-9, atol=1e-9)
    merged = merge(merge(moments(x[:1]), moments(x[1:])), moments(y))
    assert merged.n == whole.n == 350
    torch.testing.assert_close(merged.mean, whole.mean, rtol=1e-14, atol=0)
    torch.testing.assert_close(merged.scatter, whole.scatter, rtol=1e-10, atol=1e-8)


@pytest.mark.parametrize("entries", [1, 2**22])
@pytest.mark.parametrize(("n", "m"), [(40, 30), (40, 5)])
def test_nearly_singular_covariances_of_features(monkeypatch, entries, n, m):
    """Features of scales down to 1e-9: squared they leave nothing of the small ones."""
    monkeypatch.setattr(frechet, "_ENTRIES", entries)
    random = torch.Generator().manual_seed(0)
    scales = torch.logspace(0, -9, 6, dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=random, dtype=torch.float64))[0]
    real = torch.randn(n, 6, generator=random, dtype=torch.float64) * scales @ turn
    fake = torch.randn(m, 6, generator=random, dtype=torch.float64) * scales.flip(0) @ turn
    expected = by_mpmath(real, fake)
    assert frechet_distance(real, fake).item() == pytest.approx(expected, rel=1e-13)
    found = frechet_from_moments(moments(real), moments(fake)).item()
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n", [8, 200])
@pytest.mark.parametrize("scale", [1e-100, 1e100])
def test_extreme_features(n, scale):
    real, fake = sets(n, n)
    expected = scale**2 * frechet_distance(real, fake).item()
    found = frechet_distance(scale * real, scale * fake).item()
    assert found == pytest.approx(expected, rel=1e-9, abs=0)
    found = frechet_from_moments(moments(scale * real), moments(scale * fake)).item()
    assert found == pytest.approx(expected, rel=1e-9, abs=0)


@pytest.mark.parametrize(("n", "m"), [(200, 200), (8, 8), (8, 200), (200, 8)])
def test_features_that_cannot_be_squared_are_refused(n, m):
    real, fake = sets(n, m)
    with pytest.raises(ValueError, match=r"`real` must be small enough .* up to \d.*e\+20\d"):
        frechet_distance(1e200 * real, fake)
    with pytest.raises(ValueError, match="`fake` must be small enough for sums of squares"):
        frechet_distance(real, 1e200 * fake)


def test_the_bias_falls_with_the_number_of_samples():
    values = [frechet_distance(*(torch.randn(n, 8) for _ in range(2))) for n in (50, 500, 5000)]
    assert values[0] > 3 * values[1] > 9 * values[2] > 0


X = torch.zeros(4, 3)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: frechet_distance(X, X[:1]), r"`fake` must be .* at least 2 samples, got shape"),
        (lambda: frechet_distance(X, X[:, :2]), "`fake` must have as many features as `real`, 3"),
        (lambda: frechet_distance(X * torch.nan, X), "`real` must be finite, got NaN"),
        (lambda: frechet_distance(X, X, ddof=2), "`ddof` must be 0 or 1, got 2"),
        (lambda: moments(X[:0]), r"`x` must be features \(N, D\) .* got shape \(0, 3\)"),
        (lambda: moments(X / 0), "`x` must be finite, got NaN or infinity"),
        (
            lambda: frechet_from_moments(moments(X), moments(X[:1])),
            "`fake` must be moments of at least 2 samples, got 1",
        ),
        (
            lambda: merge(moments(X), moments(X[:, :1])),
            "`b` must have as many features as `a`, 3, got 1",
        ),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def fed(real, fake, size, **arguments):
    metric = FrechetDistance(**arguments)
    batches = [(x, True) for x in real.split(size)] + [(x, False) for x in fake.split(size)]
    for x, is_real in batches[:: 1 if size > 20 else -1]:
        metric.update(x, real=is_real)
    return metric


@pytest.mark.parametrize("keep_features", [False, True])
@pytest.mark.parametrize(("n", "d"), [(200, 12), (9, 12)])
def test_class_equals_function_for_any_batches(keep_features, n, d):
    real, fake = ((1e3 + x).float() for x in sets(n, n, d))
    expected = frechet_distance(real, fake).item()
    for size in (1, 7, 64):
        metric = fed(real, fake, size, keep_features=keep_features)
        assert metric.compute().item() == pytest.approx(expected, rel=1e-9)
        assert metric.numbers() == {"real": n, "fake": n}


@pytest.mark.parametrize("keep_features", [False, True])
def test_more_axes_are_flattened(keep_features):
    real, fake = (x.reshape(-1, 3, 2, 2) for x in sets())
    found = fed(real, fake, 50, keep_features=keep_features).compute()
    torch.testing.assert_close(found, frechet_distance(real, fake), rtol=1e-9, atol=0)


def test_batches_of_other_features_are_refused():
    metric = fed(*sets(), 50)
    with pytest.raises(
        ValueError, match=r"`x` must have as many .* real samples before, 12, got 5"
    ):
        metric.update(torch.zeros(3, 5), real=True)
    with pytest.raises(
        ValueError, match=r"`x` must have as many .* fake samples before, 12, got 5"
    ):
        metric.update(torch.zeros(3, 5))


def test_identical_sets_streamed():
    real = sets()[0].float()
    assert fed(real, real.flip(0), 7).compute().item() == 0


def test_only_moments_are_kept():
    metric = fed(*sets(), 10)
    assert not metric.keeps_rows
    assert [x.shape for x in metric.real] == [(1, 1 + 12 + 144)]
    assert FrechetDistance(keep_features=True).keeps_rows


def test_rows_of_several_ranks_are_merged():
    """After a gathering the state is the ranks' rows in one tensor; an empty rank adds none."""
    real, fake = sets()
    ranks = [fed(real[:150], fake[:1], 10), fed(real[150:], fake[1:], 10)]
    whole = FrechetDistance()
    for name in ("real", "fake"):
        setattr(whole, name, torch.cat([getattr(rank, name)[0] for rank in ranks]))
    expected = frechet_distance(real, fake).item()
    assert whole.values().item() == pytest.approx(expected, rel=1e-9)
    assert whole.numbers() == {"real": 200, "fake": 150}


def test_kept_reals_serve_again():
    real, fake = sets()
    metric = fed(real, fake, 10)
    again = FrechetDistance()
    again.load_real(metric.kept("real"))
    again.update(fake)
    assert again.compute().item() == pytest.approx(metric.compute().item(), rel=1e-12)
    metric.reset(keep_real=True)
    metric.update(fake)
    assert metric.compute().item() == pytest.approx(again.compute().item(), rel=1e-12)


def test_class_arguments_and_refusals():
    real, fake = sets()
    expected = frechet_distance(real, fake, ddof=0).item()
    assert fed(real, fake, 50, ddof=0).compute().item() == pytest.approx(expected, rel=1e-9)
    told = "keep_features=False, ddof=0, output='features'"
    assert fed(real, fake, 50, ddof=0).arguments() == told
    with pytest.raises(ValueError, match="`index` must be None unless `keep_features=True`"):
        FrechetDistance().update(real, index=torch.arange(200))
    with pytest.raises(ValueError, match="`x` must be finite, got NaN or infinity in batch 1"):
        FrechetDistance().update(real * torch.nan)
    empty = fed(real, fake, 50)
    empty.reset(keep_real=True)
    with pytest.raises(ValueError, match="`FrechetDistance` needs fake samples, got none"):
        empty.values()
    kept = FrechetDistance(keep_features=True)
    for x, is_real in ((real, True), (fake, False)):
        kept.update(x.repeat(2, 1), real=is_real, index=torch.arange(len(x)).repeat(2))
    expected = frechet_distance(real, fake).item()
    assert kept.compute().item() == pytest.approx(expected, rel=1e-12)
