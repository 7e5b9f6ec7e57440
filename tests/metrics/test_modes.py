import math

import numpy as np
import pytest
import torch
from scipy import stats

from gan_lightning.metrics.functional.modes import mode_coverage


def ring(modes=8):
    angle = 2 * math.pi * torch.arange(modes, dtype=torch.float64) / modes
    return torch.stack([angle.cos(), angle.sin()], 1)


def naive(points, centres, std, radius):
    counts, good, members = [0] * len(centres), 0, [[] for _ in centres]
    for p in points.tolist():
        distances = [math.dist(p, c) for c in centres.tolist()]
        k = distances.index(min(distances))
        if distances[k] <= radius * std:
            counts[k] += 1
            good += 1
            members[k].append(p)
    shares = [c / good for c in counts if c]
    kl = sum(s * math.log(s * len(centres)) for s in shares)
    spread = [np.std(m, axis=0, ddof=1) for m in members]
    return counts, good / len(points), kl, [float(np.sqrt((s**2).mean())) for s in spread]


@pytest.mark.parametrize("radius", [1.0, 3.0])
def test_equals_a_loop(radius):
    torch.manual_seed(0)
    centres = ring(5)
    points = centres[torch.randint(5, (400,))] + 0.1 * torch.randn(400, 2, dtype=torch.float64)
    found = mode_coverage(points, centres, 0.1, radius)
    counts, quality, kl, spread = naive(points, centres, 0.1, radius)
    assert found.counts.tolist() == counts
    assert found.modes == 5
    assert found.high_quality == pytest.approx(quality, abs=1e-15)
    assert found.reverse_kl == pytest.approx(kl, abs=1e-12)
    inside = stats.chi2(2).cdf(radius**2)
    moment = stats.chi2(2).expect(lambda r: r, lb=0, ub=radius**2) / inside / 2
    expected = torch.tensor(spread, dtype=torch.float64) / (0.1 * math.sqrt(moment))
    torch.testing.assert_close(found.spread, expected, rtol=1e-6, atol=0)


def test_the_mixture_itself_scores_as_the_closed_form_says():
    random = torch.Generator().manual_seed(0)
    centres = ring()
    noise = torch.randn(200_000, 2, generator=random, dtype=torch.float64)
    points = centres[torch.randint(8, (200_000,), generator=random)] + 0.01 * noise
    found = mode_coverage(points, centres, 0.01)
    assert found.high_quality == pytest.approx(1 - math.exp(-4.5), abs=1e-3)
    assert found.mean_spread == pytest.approx(1, abs=5e-3)
    assert found.reverse_kl == pytest.approx(0, abs=2e-4)


def test_a_collapsed_generator():
    centres = ring()
    found = mode_coverage(centres[:1].expand(10, 2), centres, 0.01)
    assert (found.modes, found.high_quality) == (1, 1.0)
    assert found.reverse_kl == pytest.approx(math.log(8))
    assert found.spread[0] == 0
    assert found.spread[1:].isnan().all()


def test_an_offset_of_everything_changes_nothing():
    """A product of matrices would lose all digits of these distances."""
    random = torch.Generator().manual_seed(0)
    centres = torch.randint(-8, 8, (40, 2), generator=random).double() + 2.0**30
    noise = (torch.randn(400, 2, generator=random, dtype=torch.float64) * 2**6).round() / 2**8
    points = centres[torch.randint(40, (400,), generator=random)] + noise
    moved = mode_coverage(points, centres, 0.25)
    found = mode_coverage(points - 2.0**30, centres - 2.0**30, 0.25)
    assert moved.counts.tolist() == found.counts.tolist()
    assert moved.high_quality == found.high_quality > 0.9
    torch.testing.assert_close(moved.spread, found.spread, rtol=1e-12, atol=0, equal_nan=True)


@pytest.mark.parametrize("modes", range(2, 60))
def test_even_shares_have_no_divergence_and_none_below_0(modes):
    centres = torch.arange(modes, dtype=torch.float64)[:, None]
    found = mode_coverage(centres.repeat(3, 1), centres, 0.01)
    assert 0 <= found.reverse_kl < 1e-14


def test_precisions():
    points = ring().repeat(5, 1) + 0.01 * torch.randn(40, 2, dtype=torch.float64)
    for dtype in (torch.float16, torch.bfloat16):
        found = mode_coverage(points.to(dtype), ring(), 0.01)
        expected = mode_coverage(points.to(dtype).double(), ring(), 0.01)
        assert found.counts.tolist() == expected.counts.tolist()


def test_no_sample_of_high_quality():
    found = mode_coverage(torch.full((10, 2), 5.0), ring(), 0.01)
    assert (found.modes, found.high_quality, found.reverse_kl) == (0, 0.0, math.inf)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((torch.zeros(3), ring(), 0.1), r"`points` and `centres` must be \(N, D\) and \(K, D\)"),
        ((torch.zeros(0, 2), ring(), 0.1), "must not be empty but got 0 and 8"),
        ((torch.zeros(3, 3), ring(), 0.1), r"got \(3, 3\) and \(8, 2\)"),
        ((torch.full((3, 2), math.nan), ring(), 0.1), "`points` must be finite, got NaN"),
        ((torch.zeros(3, 2), ring() / 0, 0.1), "`centres` must be finite, got NaN or infinity"),
        ((torch.zeros(3, 2), ring(), 0.0), "`std` must be positive but got 0.0"),
        ((torch.zeros(3, 2), ring(), 0.1, -1.0), "`radius` must be positive but got -1.0"),
    ],
)
def test_refusals(arguments, match):
    with pytest.raises(ValueError, match=match):
        mode_coverage(*arguments)
