import math

import pytest
import torch
from prdc import compute_prdc

from gan_lightning.metrics.functional.density_coverage import density_coverage


@pytest.mark.parametrize(("n", "m", "d", "k"), [(60, 45, 2, 5), (30, 80, 5, 1), (20, 20, 64, 5)])
def test_equals_the_definition_and_prdc(n, m, d, k):
    real = torch.randn(n, d, dtype=torch.float64)
    fake = torch.randn(m, d, dtype=torch.float64) * 0.8 + 0.3
    reals, fakes, inside, covered = real.tolist(), fake.tolist(), 0, 0
    for i, x in enumerate(reals):
        radius = sorted(math.dist(x, p) for j, p in enumerate(reals) if j != i)[k - 1]
        hits = sum(math.dist(x, y) <= radius for y in fakes)
        inside, covered = inside + hits, covered + (hits > 0)
    for strict in (False, True):
        density, coverage = density_coverage(real, fake, k, strict=strict)
        assert density.item() == pytest.approx(inside / (k * m), rel=1e-12)
        assert coverage.item() == pytest.approx(covered / n, rel=1e-12)
    theirs = compute_prdc(real.numpy(), fake.numpy(), k)
    assert density.item() == pytest.approx(theirs["density"], rel=1e-12)
    assert coverage.item() == pytest.approx(theirs["coverage"], rel=1e-12)


@pytest.mark.parametrize("k", [1, 5])
def test_a_set_and_itself(k):
    real = torch.randn(40, 7)
    found = [v.item() for v in density_coverage(real, real, k)]
    assert found == pytest.approx([(k + 1) / k, 1], abs=1e-12)
    strict = [v.item() for v in density_coverage(real, real, k, strict=True)]
    assert strict == pytest.approx([1, 1], abs=1e-12)


def test_expectations_for_equal_distributions():
    density, coverage = density_coverage(torch.randn(3000, 4), torch.randn(3000, 4))
    assert density.item() == pytest.approx(1, abs=0.03)
    assert coverage.item() == pytest.approx(1 - 2**-5, abs=0.01)


def test_equal_collapsed_sets():
    same = torch.full((10, 4), 0.1)
    assert [v.item() for v in density_coverage(same, same)] == [2, 1]
    assert [v.item() for v in density_coverage(same, same, strict=True)] == [0, 0]  # as prdc


def test_a_collapsed_generator_covers_little():
    real = torch.randn(200, 8)
    density, coverage = density_coverage(real, real[:1].expand(50, 8))
    assert density.item() >= 1 / 5
    assert 1 / 200 <= coverage.item() < 0.5


@pytest.mark.parametrize(
    ("k", "match"),
    [(0, "`k` must be at least 1, got 0"), (5, "`real` must hold more samples than `k`, 5, got 5")],
)
def test_refusals(k, match):
    with pytest.raises(ValueError, match=match):
        density_coverage(torch.zeros(5, 2), torch.zeros(9, 2), k)
