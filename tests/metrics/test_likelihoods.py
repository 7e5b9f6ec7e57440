"""Parzen windows and the density ratio of a discriminator."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from gan_lightning.metrics.density_ratio import DensityRatio
from gan_lightning.metrics.functional.density_ratio import density_ratio, density_ratio_calibration
from gan_lightning.metrics.functional.parzen import best_parzen_sigma, parzen_log_likelihood
from gan_lightning.metrics.parzen_log_likelihood import ParzenLogLikelihood

MU = 0.5  # reals are N(MU, 1), fakes N(-MU, 1): the logit is 2 MU x


def normal(n, d, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def quantiles(mean, n=100_000):
    """Points that stand for N(mean, 1), without sampling noise."""
    return torch.from_numpy(stats.norm(mean).ppf((np.arange(n) + 0.5) / n))


@pytest.mark.parametrize(
    ("n", "m", "d", "sigma"), [(40, 25, 3, 0.7), (5, 30, 20, 1.3), (30, 9, 1, 0.05)]
)
def test_parzen_equals_a_loop(n, m, d, sigma):
    fake, test = normal(n, d), normal(m, d, 1)
    logs = []
    for y in test.numpy():
        terms = stats.norm(fake.numpy(), sigma).logpdf(y).sum(1)
        logs.append(np.logaddexp.reduce(terms) - np.log(n))
    mean, error = parzen_log_likelihood(fake, test, sigma)
    assert mean.item() == pytest.approx(np.mean(logs), rel=1e-10)
    assert error.item() == pytest.approx(stats.sem(logs), rel=1e-10)


def test_parzen_equals_scipy():
    fake, test = normal(40, 1), normal(25, 1, 1)
    kernel = stats.gaussian_kde(fake[:, 0].numpy(), bw_method=0.3)
    expected = kernel.logpdf(test[:, 0].numpy()).mean()
    found, _ = parzen_log_likelihood(fake, test, math.sqrt(kernel.covariance[0, 0]))
    assert found.item() == pytest.approx(expected, rel=1e-10)


def test_parzen_hard_cases():
    fake = normal(6, 3)
    same, error = parzen_log_likelihood(fake[:1].expand(6, 3), fake[:1].expand(4, 3), 0.5)
    assert same.item() == pytest.approx(-1.5 * math.log(2 * math.pi * 0.25), rel=1e-12)
    assert error.item() == 0
    far, _ = parzen_log_likelihood(fake, fake + 1e3, 1e-2)  # no kernel is anywhere near
    assert math.isfinite(far.item())
    coarse, other = ((8 * normal(9, 3, s)).round() / 8 for s in (0, 1))
    moved = parzen_log_likelihood((coarse + 1e3).float(), (other + 1e3).float(), 0.5)
    torch.testing.assert_close(moved, parzen_log_likelihood(coarse, other, 0.5), rtol=1e-10, atol=0)
    half = parzen_log_likelihood(fake.bfloat16(), fake.half(), 0.5)[0]
    assert torch.equal(half, parzen_log_likelihood(fake.bfloat16().double(), fake.half(), 0.5)[0])


def test_best_sigma_is_the_best_of_the_grid():
    fake, test = normal(60, 2), normal(60, 2, 1)
    grid = [0.05, 0.2, 0.4, 0.8, 3.0]
    each = [parzen_log_likelihood(fake, test, s)[0].item() for s in grid]
    best = best_parzen_sigma(fake, test, grid)
    assert best == grid[int(np.argmax(each))]
    assert 0.05 < best < 3.0
    assert best_parzen_sigma(fake, test) <= 1


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (
            lambda x: parzen_log_likelihood(x, x, 0.0),
            "`sigma` must be positive and finite, also squared, got 0.0",
        ),
        (lambda x: parzen_log_likelihood(x, x, -1.0), "must be positive .* got -1.0"),
        (lambda x: parzen_log_likelihood(x, x, 1e-170), "also squared, got 1e-170"),
        (lambda x: best_parzen_sigma(x, x, [1.0, 1e170]), r"also squared, got 1e\+170"),
        (lambda x: parzen_log_likelihood(x[:1], x, 1.0), "`fake` must be features .* at least 2"),
        (lambda x: parzen_log_likelihood(x, x[:1], 1.0), "`test` must be features .* at least 2"),
        (lambda x: parzen_log_likelihood(x, x / 0, 1.0), "`test` must be finite"),
        (lambda x: best_parzen_sigma(x, x[:1]), "`validation` must be features .* at least 2"),
        (lambda x: best_parzen_sigma(x, x, []), "`sigmas` must hold at least one width"),
        (lambda x: density_ratio(x), r"`logits` must be floats \(N,\) or \(N, 1\)"),
        (lambda x: density_ratio(x[:, 0] / 0), "`logits` must be finite"),
        (lambda x: density_ratio_calibration(x[:1, 0], x[:, 0]), "`real_logits` .* at least 2"),
        (lambda x: density_ratio_calibration(x[:, 0], x[:, 0] / 0), "`fake_logits` must be finite"),
        (
            lambda x: density_ratio_calibration(x[:, 0], x[:, 0], 0),
            "`bins` must be at least 1, got 0",
        ),
    ],
)
def test_refusals(function, match):
    with pytest.raises(ValueError, match=match):
        function(normal(5, 2))


def test_ratio_of_two_gaussians_in_closed_form():
    x = normal(20, 1)
    expected = stats.norm(MU).pdf(x[:, 0]) / stats.norm(-MU).pdf(x[:, 0])
    found = density_ratio(2 * MU * x)
    torch.testing.assert_close(found, torch.from_numpy(expected), rtol=1e-12, atol=0)
    assert density_ratio(torch.tensor([12.0], dtype=torch.float16)).item() == math.exp(12)


def test_a_right_discriminator_is_calibrated():
    found = density_ratio_calibration(2 * MU * quantiles(MU), 2 * MU * quantiles(-MU))
    assert found.calibration_error == pytest.approx(0, abs=1e-4)
    assert found.mean_ratio == pytest.approx(1, abs=1e-3)
    full = found.weights > 0
    torch.testing.assert_close(found.predicted[full], found.observed[full], rtol=0, atol=1e-2)
    assert found.weights.sum().item() == pytest.approx(1)


def test_an_overconfident_discriminator_in_closed_form():
    # Logits twice too large; D rises with x, so each bin is an interval of x.
    found = density_ratio_calibration(4 * MU * quantiles(MU), 4 * MU * quantiles(-MU), 10)
    real, fake = stats.norm(MU), stats.norm(-MU)
    edges = np.log(np.arange(1, 10) / np.arange(9, 0, -1)) / (4 * MU)
    edges = [-12, *edges, 12]
    error = 0.0
    for a, b in itertools.pairwise(edges):
        share = (real.cdf(b) - real.cdf(a)) / 2
        mean, _ = integrate.quad(
            lambda x: (real.pdf(x) + fake.pdf(x)) / 2 / (1 + np.exp(-4 * MU * x)), a, b
        )
        error += abs(mean - share)
    assert found.calibration_error == pytest.approx(error, abs=1e-4)
    assert error > 0.05
    # E over N(-MU, 1) of exp(s 2 MU x) is exp(2 s (s - 1) MU^2); s = 2.
    assert found.mean_ratio == pytest.approx(math.exp(4 * MU**2), rel=0.02)


def test_calibration_equals_a_loop_with_unequal_sets():
    real, fake = normal(13, 1)[:, 0] + 1, normal(29, 1, 1)[:, 0]
    found = density_ratio_calibration(real, fake, 4)
    error, weights = 0.0, []
    for b in range(4):
        r = [s for s in real.sigmoid().tolist() if b / 4 <= s < (b + 1) / 4]
        f = [s for s in fake.sigmoid().tolist() if b / 4 <= s < (b + 1) / 4]
        error += abs(sum(r) / 26 + sum(f) / 58 - len(r) / 26)
        weights.append(len(r) / 26 + len(f) / 58)
    assert found.calibration_error == pytest.approx(error, rel=1e-10)
    assert found.weights.tolist() == pytest.approx(weights)
    assert found.mean_ratio == pytest.approx(fake.exp().mean().item(), rel=1e-12)
    assert found.mean_ratio_error == pytest.approx(stats.sem(fake.exp().numpy()), rel=1e-10)


def test_extreme_logits_give_no_nan():
    found = density_ratio_calibration(torch.full((4,), 1e4), torch.full((4,), 1e4))
    assert found.calibration_error == 0.5
    assert (found.mean_ratio, found.mean_ratio_error) == (math.inf, math.inf)
    wrong = density_ratio_calibration(torch.full((4, 1), -1e4), torch.full((4, 1), 1e4))
    assert wrong.calibration_error == 1


def test_classes_equal_functions_in_any_order():
    fake, test = normal(20, 3), normal(15, 3, 1)
    metric = ParzenLogLikelihood(0.5)
    assert metric.names == ("parzen_LL", "parzen_LL_error")  # a standard error, no deviation
    ratio = DensityRatio(bins=5)
    metric.update(fake, real=True)  # passed over: it needs held-out reals
    for x, y in ((fake, test), (fake.flip(0), test.flip(0))):
        metric.reset()
        ratio.reset()
        for part in x.split(6):
            metric.update(part)
            ratio.update(part[:, :1])
        for part in y.split(4):
            metric.update(part, real=True, test=True)
            ratio.update(part[:, :1], real=True)
        found = torch.stack(list(metric.compute().values()))
        expected = torch.stack(parzen_log_likelihood(fake, test, 0.5))
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=0)
        right = density_ratio_calibration(test[:, 0], fake[:, 0], 5)
        values = [v.item() for v in ratio.compute().values()]
        assert values == pytest.approx([right.mean_ratio, right.calibration_error], rel=1e-10)
