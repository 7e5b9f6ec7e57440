import math

import pytest
import torch

from gan_lightning.metrics.functional.authenticity import authenticity


@pytest.mark.parametrize(("n", "m", "d"), [(40, 30, 2), (25, 60, 40)])
def test_equals_the_definition(n, m, d):
    train, fake = torch.randn(n, d).double(), torch.randn(m, d).double()
    samples, real = train.tolist(), 0
    for y in fake.tolist():
        distances = [math.dist(t, y) for t in samples]
        i = distances.index(min(distances))
        own = min(math.dist(samples[i], t) for j, t in enumerate(samples) if j != i)
        real += distances[i] > own
    assert authenticity(train, fake).item() == pytest.approx(real / m, abs=1e-12)


@pytest.mark.parametrize(
    ("d", "expected"),
    # 1 - the known shares of mutual nearest neighbours of a Poisson process.
    [(1, 1 / 3), (2, 1 - 6 * math.pi / (8 * math.pi + 3 * math.sqrt(3)))],
)
def test_new_samples_of_the_distribution(d, expected):
    found = authenticity(torch.rand(8000, d), torch.rand(8000, d))
    assert found.item() == pytest.approx(expected, abs=0.02)


def test_copies_and_near_copies():
    train = torch.randn(100, 6)
    assert authenticity(train, train[:50]).item() == 0
    assert authenticity(train, train[:1].expand(50, 6)).item() == 0
    assert authenticity(train, train + 1e-4).item() == 0
    assert authenticity(train, 100 + torch.zeros(50, 6)).item() == 1


def test_a_copy_of_a_duplicate_and_a_fake_as_near_as_the_neighbour():
    assert authenticity(torch.ones(4, 2), torch.ones(3, 2)).item() == 0
    assert authenticity(torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0]])).item() == 0
    assert authenticity(torch.tensor([[0.0], [1.0]]), torch.tensor([[2.01]])).item() == 1


def test_refuses_one_training_sample():
    with pytest.raises(
        ValueError, match=r"`train` must be .* at least 2 samples, got shape \(1, 3"
    ):
        authenticity(torch.zeros(1, 3), torch.zeros(5, 3))
