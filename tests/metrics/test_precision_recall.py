import math

import pytest
import torch
from prdc import compute_prdc
from torch_fidelity.metric_prc import calculate_precision_recall_full

from gan_lightning.metrics.functional.precision_recall import precision_recall, realism


def features(n, m, d, shift=0.5):
    random = torch.Generator().manual_seed(n + m + d)
    real = torch.randn(n, d, generator=random, dtype=torch.float64)
    fake = torch.randn(m, d, generator=random, dtype=torch.float64) * 0.8 + shift
    return real, fake


def radius(points, i, k):
    others = [math.dist(points[i], p) for j, p in enumerate(points) if j != i]
    return sorted(others)[k - 1]


def share_inside(manifold, points, k):
    radii = [radius(manifold, i, k) for i in range(len(manifold))]
    inside = [
        any(math.dist(m, p) <= r for m, r in zip(manifold, radii, strict=True)) for p in points
    ]
    return sum(inside) / len(points)


@pytest.mark.parametrize(("n", "m", "d", "k"), [(60, 45, 2, 3), (30, 80, 5, 1), (20, 20, 64, 5)])
def test_equals_the_definition_and_prdc(n, m, d, k, capsys):
    real, fake = features(n, m, d)
    found = [v.item() for v in precision_recall(real, fake, k)]
    expected = [
        share_inside(real.tolist(), fake.tolist(), k),
        share_inside(fake.tolist(), real.tolist(), k),
    ]
    assert found == pytest.approx(expected, abs=1e-15)
    theirs = compute_prdc(real.numpy(), fake.numpy(), k)
    strict = [v.item() for v in precision_recall(real, fake, k, strict=True)]
    assert strict == pytest.approx([theirs["precision"], theirs["recall"]], abs=1e-15)


def test_equal_collapsed_sets():
    same = torch.full((10, 4), 0.1)
    assert [v.item() for v in precision_recall(same, same)] == [1, 1]
    # As prdc does.
    assert [v.item() for v in precision_recall(same, same, strict=True)] == [0, 0]


def test_a_collapsed_generator_is_precise_without_recall():
    real = torch.randn(50, 8)
    fake = real[:1].expand(20, 8)
    precision, recall = precision_recall(real, fake)
    assert precision.item() == 1
    assert recall.item() == pytest.approx(1 / 50, abs=1e-15)


def test_a_sample_on_a_sphere():
    real, fake = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[-1.0], [-2.0], [-4.0]])
    assert precision_recall(real, fake, 1)[0].item() == pytest.approx(1 / 3, abs=1e-15)
    assert precision_recall(real, fake, 1, strict=True)[0].item() == 0


@pytest.mark.parametrize(("n", "k"), [(40, 3), (41, 3), (12, 11)])
def test_realism_equals_the_definition(n, k):
    real, fake = features(n, 25, 3)
    points = real.tolist()
    radii = [radius(points, i, k) for i in range(n)]
    median = sorted(radii)[(n - 1) // 2]
    kept = [(p, r) for p, r in zip(points, radii, strict=True) if r <= median]
    assert len(kept) == (n + 1) // 2
    expected = [max(r / math.dist(p, y) for p, r in kept) for y in fake.tolist()]
    found = realism(real, fake, k)
    torch.testing.assert_close(found, torch.tensor(expected).double(), rtol=1e-6, atol=0)


def test_realism_of_many_fakes_with_many_candidates():
    real, fake = features(300, 200, 16)
    radii = torch.cdist(real, real).kthvalue(4).values
    kept = radii <= radii.median()
    expected = (radii[kept] / torch.cdist(fake, real[kept])).amax(1)
    torch.testing.assert_close(realism(real, fake), expected, rtol=1e-9, atol=0)


def test_a_fake_on_a_real_has_infinite_realism():
    real = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    assert realism(real, torch.tensor([[1.0], [1.5]]), 1).tolist() == [math.inf, 2.0]
    same = torch.ones(5, 3)
    assert realism(same, same).tolist() == [math.inf] * 5
    assert realism(same, same + 1).tolist() == [0.0] * 5


@pytest.mark.parametrize(
    ("k", "match"),
    [(0, "`k` must be at least 1, got 0"), (5, "`real` must hold more samples than `k`, 5, got 5")],
)
@pytest.mark.parametrize("function", [precision_recall, realism])
def test_refusals(function, k, match):
    with pytest.raises(ValueError, match=match):
        function(torch.zeros(5, 2), torch.zeros(9, 2), k)


def test_closed_spheres_are_torch_fidelitys():
    """Whole numbers: many samples lie on a sphere, where open ones would leave them out."""
    random = torch.Generator().manual_seed(2)
    # Up to 25 rows torch.cdist does without a matrix product, so that equal distances are equal.
    real = torch.randint(0, 6, (25, 2), generator=random).double()
    fake = torch.randint(2, 8, (20, 2), generator=random).double()
    found = [float(value) for value in precision_recall(real, fake, 3)]
    assert found == pytest.approx(calculate_precision_recall_full(fake, real, 3), rel=1e-6)
    assert found != [float(value) for value in precision_recall(real, fake, 3, strict=True)]
