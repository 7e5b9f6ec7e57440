import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr

from gan_lightning.metrics.class_divergence import (
    JensenShannonDistance,
    JensenShannonDivergence,
    KLDivergence,
)
from gan_lightning.metrics.functional.divergence import (
    jensen_shannon_distance,
    jensen_shannon_divergence,
    kl_divergence,
)

FUNCTIONS = [kl_divergence, jensen_shannon_divergence, jensen_shannon_distance]


def shares(k=9, zeros=()):
    p, q = torch.rand(2, k, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    p[list(zeros)] = 0
    return p / p.sum(), q / q.sum()


@pytest.mark.parametrize("zeros", [(), (0, 4)])
def test_against_scipy(zeros):
    p, q = shares(zeros=zeros)
    distance = jensenshannon(p.numpy(), q.numpy())
    assert kl_divergence(p, q).item() == pytest.approx(
        rel_entr(p.numpy(), q.numpy()).sum(), rel=1e-12
    )
    assert jensen_shannon_distance(p, q).item() == pytest.approx(distance, rel=1e-12)
    assert jensen_shannon_divergence(p, q).item() == pytest.approx(distance**2, rel=1e-12)
    torch.testing.assert_close(jensen_shannon_divergence(q, p), jensen_shannon_divergence(p, q))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_counts_are_shares(function):
    p, q = torch.tensor([3, 0, 7]), torch.tensor([10, 20, 70])
    expected = function(p / 10.0, q / 100.0)
    torch.testing.assert_close(function(p, q), expected, rtol=1e-7, atol=0)  # float32 shares
    torch.testing.assert_close(function(p.double() / 10, q.double() / 100), function(p, q))
    assert function(p, q).dtype == torch.float64
    assert function(p.half(), q.bfloat16()).item() == function(p, q).item()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_equal_distributions_are_at_0(function):
    p, _ = shares(zeros=(2,))
    assert function(p, p.clone()).item() == 0
    assert function(torch.tensor([1, 2]), torch.tensor([7, 14])).item() == 0
    assert function(torch.tensor([5]), torch.tensor([9])).item() == 0


def test_disjoint_distributions():
    p, q = torch.tensor([1, 1, 0]), torch.tensor([0, 0, 5])
    assert kl_divergence(p, q).item() == math.inf
    assert jensen_shannon_divergence(p, q).item() == pytest.approx(math.log(2), rel=1e-15)
    assert jensen_shannon_distance(p, q).item() == pytest.approx(math.log(2) ** 0.5, rel=1e-15)
    collapsed = kl_divergence(torch.tensor([9, 0, 0, 0]), torch.ones(4))
    assert collapsed.item() == pytest.approx(math.log(4), rel=1e-15)


def test_the_floors_of_finite_sets():
    """(K - 1) / 2N for KL from the true shares, (K - 1) / 4N for JSD of two sets; in the mean."""
    random = np.random.default_rng(0)
    k, n = 10, 2000
    draws = torch.from_numpy(random.multinomial(n, [1 / k] * k, size=(500, 2)))
    kl = torch.stack([kl_divergence(p, torch.ones(k)) for p, _ in draws])
    jsd = torch.stack([jensen_shannon_divergence(p, q) for p, q in draws])
    assert kl.mean().item() == pytest.approx((k - 1) / (2 * n), rel=0.1)
    assert jsd.mean().item() == pytest.approx((k - 1) / (4 * n), rel=0.1)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("p", "match"),
    [
        ([[0.5, 0.5]], r"`p` and `q` must be \(K,\) .* got shapes \(1, 2\) and \(2,\)"),
        ([1.0], r"got shapes \(1,\) and \(2,\)"),
        ([0.0, 0.0], "`p` must be finite, not negative and not all 0, got a minimum of 0.0"),
        ([2.0, -1.0], "`p` must be finite, not negative .* got a minimum of -1.0"),
        ([math.nan, 1.0], "`p` must be finite"),
        ([math.inf, 1.0], "`p` must be finite"),
    ],
)
def test_refusals(function, p, match):
    with pytest.raises(ValueError, match=match):
        function(torch.tensor(p), torch.ones(2))


@pytest.mark.parametrize(
    ("metric", "function"),
    [
        (KLDivergence(), kl_divergence),
        (JensenShannonDivergence(), jensen_shannon_divergence),
        (JensenShannonDistance(), jensen_shannon_distance),
    ],
)
def test_class_equals_function_of_counts(metric, function):
    real, fake = torch.randn(2, 90, 5)
    counts = [torch.tensor([(x.argmax(1) == c).sum() for c in range(5)]) for x in (fake, real)]
    for size in (7, 100):
        metric.reset()
        for x, is_real in ((real, True), (fake, False)):
            for batch in x.split(size):
                metric.update(batch, real=is_real)
        assert metric.compute().item() == function(*counts).item()
    assert metric.output == "logits"


def test_class_refusals():
    metric = KLDivergence()
    metric.update(torch.zeros(3, 4), real=True)
    metric.update(torch.zeros(3, 5))
    with pytest.raises(ValueError, match=r"`fake` must be logits \(N, 4\), got shape \(3, 5\)"):
        metric.compute()


def test_a_class_that_no_real_has():
    metric = KLDivergence()
    metric.update(torch.eye(3)[[0, 1]], real=True)
    metric.update(torch.eye(3)[[2, 1]])
    assert metric.compute().item() == math.inf
