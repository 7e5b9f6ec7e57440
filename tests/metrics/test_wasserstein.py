import math

import numpy as np
import ot
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import wasserstein_distance

from gan_lightning.metrics.functional.sliced_wasserstein import line_costs, sliced_wasserstein
from gan_lightning.metrics.functional.wasserstein_exact import assignment, wasserstein_exact
from gan_lightning.metrics.sliced_wasserstein import SlicedWasserstein
from gan_lightning.metrics.wasserstein_exact import WassersteinExact

BOTH = [sliced_wasserstein, wasserstein_exact]


def normal(n, d, seed=0, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return shift + torch.randn(n, d, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(("n", "m"), [(30, 30), (30, 20), (7, 12), (5, 31)])
@pytest.mark.parametrize("p", [1.0, 1.5, 2.0])
def test_line_costs_equal_pot(n, m, p):
    u, v = normal(3, n), normal(3, m, 1, 0.3)
    expected = [ot.wasserstein_1d(a.numpy(), b.numpy(), p=p) for a, b in zip(u, v, strict=True)]
    expected = torch.tensor(np.array(expected))
    torch.testing.assert_close(line_costs(u, v, p), expected, rtol=1e-10, atol=0)


@pytest.mark.parametrize(("n", "m"), [(40, 40), (40, 25)])
def test_sliced_equals_pot_and_scipy_on_the_same_lines(n, m):
    x, y = normal(n, 4), normal(m, 4, 1, 0.5)
    generator = torch.Generator().manual_seed(7)
    lines = torch.randn(50, 4, generator=generator, dtype=torch.float64)
    lines = (lines / lines.norm(dim=1, keepdim=True)).T.numpy()
    on_x, on_y = (s.numpy() @ lines for s in (x, y))
    expected = ot.sliced_wasserstein_distance(x.numpy(), y.numpy(), projections=lines, p=2)
    assert sliced_wasserstein(x, y, 50, seed=7).item() == pytest.approx(expected, rel=1e-10)
    one = [wasserstein_distance(a, b) for a, b in zip(on_x.T, on_y.T, strict=True)]
    found = sliced_wasserstein(x, y, 50, p=1, seed=7)
    assert found.item() == pytest.approx(np.mean(one), rel=1e-10)


def test_sliced_of_a_shift_in_closed_form():
    # The mean of (theta . m)^2 over the sphere is |m|^2 / D; both sets are the same but for m.
    x, shift = normal(100, 3), torch.tensor([1.0, 2.0, -2.0])
    found = sliced_wasserstein(x, x + shift, projections=50_000)
    assert found.item() == pytest.approx(math.sqrt(9 / 3), rel=5e-3)


@pytest.mark.parametrize(("n", "d"), [(1, 2), (2, 2), (60, 1), (60, 3), (120, 20)])
def test_assignment_equals_scipy(n, d):
    costs = torch.cdist(normal(n, d), normal(n, d, 1, 0.4))
    columns = assignment(costs)
    assert sorted(columns.tolist()) == list(range(n))
    rows, best = linear_sum_assignment(costs.numpy())
    found = costs[torch.arange(n), columns].sum().item()
    assert found == pytest.approx(costs.numpy()[rows, best].sum(), rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_assignment_with_many_ties(seed):
    generator = torch.Generator().manual_seed(seed)
    costs = torch.randint(0, 4, (40, 40), generator=generator).double()
    rows, best = linear_sum_assignment(costs.numpy())
    found = costs[torch.arange(40), assignment(costs)].sum().item()
    assert found == costs.numpy()[rows, best].sum()


@pytest.mark.parametrize(("n", "m"), [(50, 50), (20, 30), (8, 12)])
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_exact_equals_pot(n, m, p):
    x, y = normal(n, 3), normal(m, 3, 1, 0.5)
    costs = ot.dist(x.numpy(), y.numpy(), "euclidean") ** p
    expected = ot.emd2([], [], costs) ** (1 / p)
    assert wasserstein_exact(x, y, p).item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("metric", BOTH)
def test_hard_cases(metric):
    x, y = normal(12, 30), normal(12, 30, 1)  # fewer samples than dimensions
    assert metric(x, x).item() == 0
    assert metric(x[:1].expand(12, 30), x[:1].expand(12, 30)).item() == 0
    duplicated = torch.cat([x, x])
    torch.testing.assert_close(metric(duplicated, y), metric(x, y), rtol=1e-10, atol=0)
    collapsed = metric(x, y[:1].expand(12, 30))
    assert math.isfinite(collapsed.item())
    assert collapsed > metric(x, y)
    assert collapsed.dtype == torch.float64


@pytest.mark.parametrize("metric", BOTH)
def test_an_offset_in_single_precision_changes_nothing(metric):
    x, y = ((8 * normal(20, 5, s)).round() / 8 for s in (0, 1))  # exact beside 1000 in float32
    found = metric((x + 1e3).float(), (y + 1e3).float())
    torch.testing.assert_close(found, metric(x, y), rtol=1e-10, atol=0)


@pytest.mark.parametrize("metric", BOTH)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precisions_are_computed_in_double(metric, dtype):
    x, y = normal(10, 4).to(dtype), normal(10, 4, 1).to(dtype)
    assert torch.equal(metric(x, y), metric(x.double(), y.double()))


def test_all_of_a_collapsed_generator_is_the_mean_distance():
    x = normal(300, 4)
    found = wasserstein_exact(x, torch.zeros(300, 4))
    assert found.item() == pytest.approx(x.norm(dim=1).mean().item(), rel=1e-12)


@pytest.mark.parametrize("metric", BOTH)
def test_refusals(metric):
    x = normal(5, 3)
    with pytest.raises(ValueError, match=r"`fake` must be features \(N, D\) of at least 2"):
        metric(x, x[:1])
    with pytest.raises(ValueError, match="`real` must be finite"):
        metric(x / 0, x)
    with pytest.raises(ValueError, match="`fake` must have as many features"):
        metric(x, x[:, :2])
    with pytest.raises(ValueError, match=r"`p` must be at least 1 and finite, got 0\.5"):
        metric(x, x, p=0.5)


def test_refusals_of_one():
    x = normal(5, 3)
    with pytest.raises(ValueError, match="`projections` must be at least 1, got 0"):
        sliced_wasserstein(x, x, 0)
    with pytest.raises(ValueError, match="at most 2000, got 1009 and 1008"):
        wasserstein_exact(torch.zeros(1009, 2), torch.zeros(1008, 2))
    many = torch.zeros(5001, 2)
    with pytest.raises(ValueError, match="must have at most 5000 samples, got 5001"):
        wasserstein_exact(many, many)


@pytest.mark.parametrize(("n", "m"), [(6000, 6000), (5000, 4999)])
@pytest.mark.parametrize("p", [1.0, 2.0])
def test_exact_of_one_feature_sorts_any_number(n, m, p):
    x, y = normal(n, 1), normal(m, 1, 1, 0.3)
    expected = ot.wasserstein_1d(x[:, 0].numpy(), y[:, 0].numpy(), p=p) ** (1 / p)
    assert wasserstein_exact(x, y, p).item() == pytest.approx(float(expected), rel=1e-10)
    assert wasserstein_exact(x, x.flip(0), p).item() == 0


@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_exact_of_extreme_features(d, scale):
    x, y = normal(9, d), normal(9, d, 1)
    found = wasserstein_exact(scale * x, scale * y, 3.0)
    expected = scale * wasserstein_exact(x, y, 3.0).item()
    assert found.item() == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("metric", "function"),
    [
        (
            SlicedWasserstein(projections=20, seed=3),
            lambda r, f: sliced_wasserstein(r, f, 20, seed=3),
        ),
        (WassersteinExact(p=2.0), lambda r, f: wasserstein_exact(r, f, 2.0)),
    ],
)
def test_class_equals_function_in_any_order(metric, function):
    real, fake = normal(12, 3), normal(12, 3, 1)
    metric.reset()
    metric.update(real, real=True)
    metric.update(fake)
    first = metric.compute()
    torch.testing.assert_close(first, function(real, fake), rtol=1e-10, atol=0)
    metric.reset()
    for part in fake.flip(0).split(5):
        metric.update(part)
    for part in real.flip(0).split(7):
        metric.update(part, real=True)
    assert torch.equal(metric.compute(), first)


def test_the_global_generator_is_not_touched():
    before = torch.get_rng_state()
    sliced_wasserstein(normal(5, 3), normal(5, 3))
    assert torch.equal(torch.get_rng_state(), before)
