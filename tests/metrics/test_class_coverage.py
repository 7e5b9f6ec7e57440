import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from gan_lightning.metrics.class_coverage import ClassCoverage
from gan_lightning.metrics.functional import modes
from gan_lightning.metrics.functional.class_coverage import class_coverage
from gan_lightning.metrics.mode_coverage import ModeCoverage


def labels(n, k, seed=0):
    return torch.randint(k, (n,), generator=torch.Generator().manual_seed(seed))


def test_equals_scipy():
    drawn = labels(50, 7).square() % 7
    found = class_coverage(drawn, 7)
    counts = np.bincount(drawn.numpy(), minlength=7)
    uniform = np.full(7, 1 / 7)
    assert found.counts.tolist() == counts.tolist()
    assert found.modes == (counts > 0).sum() == 4
    assert found.kl == pytest.approx(entropy(counts, uniform), rel=1e-12)
    assert found.jsd == pytest.approx(jensenshannon(counts, uniform) ** 2, rel=1e-12)


def test_extremes():
    even = class_coverage(torch.arange(1000), 1000)
    assert (even.modes, even.kl, even.jsd) == (1000, 0.0, 0.0)
    one = class_coverage(torch.zeros(9, dtype=torch.int32), 1000)
    assert one.modes == 1
    assert one.kl == pytest.approx(math.log(1000))
    assert class_coverage(torch.zeros(1, dtype=torch.uint8), 1).kl == 0


@pytest.mark.parametrize(("n", "k", "rel"), [(26_000, 1000, 0.05), (20_000, 100, 0.05)])
def test_uniform_samples_lie_at_the_floor(n, k, rel):
    found = [class_coverage(labels(n, k, seed), k) for seed in range(60)]
    assert found[0].kl_floor == (k - 1) / (2 * n)
    assert np.mean([f.kl for f in found]) == pytest.approx(found[0].kl_floor, rel=rel)


def test_few_uniform_samples_of_a_thousand_classes():
    found = [class_coverage(labels(1000, 1000, seed), 1000) for seed in range(60)]
    assert np.mean([f.modes for f in found]) == pytest.approx(1000 * (1 - 0.999**1000), rel=0.01)
    # 1000 p is nearly Poisson(1): E[x log x] by its series.
    series = sum(math.exp(-1) / math.factorial(x) * x * math.log(x) for x in range(1, 30))
    assert np.mean([f.kl for f in found]) == pytest.approx(series, rel=0.01)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((torch.zeros(0, dtype=torch.int64), 3), "`labels` must be integers of shape"),
        ((torch.zeros(3), 3), "`labels` must be integers .* got torch.float32"),
        ((torch.tensor([0, -1]), 3), r"`labels` must lie in 0..2, got values from -1 to 0"),
        ((torch.tensor([0, 3]), 3), r"`labels` must lie in 0..2, got values from 0 to 3"),
        ((torch.tensor([0]), 0), "`num_classes` must be at least 1, got 0"),
    ],
)
def test_refusals(arguments, match):
    with pytest.raises(ValueError, match=match):
        class_coverage(*arguments)


def test_class_takes_scores_or_labels_in_any_order():
    scores = torch.randn(30, 5, generator=torch.Generator().manual_seed(0))
    expected = class_coverage(scores.argmax(1), 5)
    metric = ClassCoverage(5)
    metric.update(scores)
    found = metric.compute()
    values = [expected.modes, expected.kl, expected.jsd]
    assert [v.item() for v in found.values()] == values
    assert list(found) == ["classes", "class_KL_uniform", "class_JSD_uniform"]
    metric.reset()
    for part in scores.argmax(1).flip(0).split(7):
        metric.update(part)
    assert metric.compute() == found


@pytest.mark.parametrize(
    "x", [torch.zeros(4, 3), torch.zeros(4), torch.zeros(4, 5, dtype=torch.int64)]
)
def test_class_refuses_what_are_no_scores(x):
    metric = ClassCoverage(5)
    metric.update(x)
    with pytest.raises(ValueError, match=r"`x` must be class scores \(N, 5\) or integer labels"):
        metric.compute()


def test_class_refuses_nan():
    with pytest.raises(ValueError, match="got NaN or infinity in batch 1 of the fake samples"):
        ClassCoverage(5).update(torch.full((4, 5), torch.nan))


def test_mode_coverage_equals_its_function_in_any_order():
    centres = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    noise = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    points = centres[labels(40, 2)] + 0.1 * noise
    expected = modes.mode_coverage(points, centres, 0.1, 2.0)
    metric = ModeCoverage(centres, 0.1, radius=2.0)
    metric.update(points)
    metric.update(points, real=True)  # passed over
    found = metric.compute()
    assert list(found) == ["modes", "high_quality", "reverse_KL"]
    values = [expected.modes, expected.high_quality, expected.reverse_kl]
    assert [v.item() for v in found.values()] == values
    metric.reset()
    for part in points.flip(0).split(9):
        metric.update(part)
    assert metric.compute() == found
