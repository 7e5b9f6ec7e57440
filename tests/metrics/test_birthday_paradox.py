import math

import pytest
import torch
from scipy.spatial.distance import pdist
from sklearn.neighbors import NearestNeighbors

from gan_lightning.metrics.functional.birthday_paradox import birthday_paradox


@pytest.mark.parametrize("threshold", [0.0, 0.1, 1.0])
def test_equals_the_distances_of_all_pairs(threshold):
    x = torch.randn(80, 3).double()
    distances = pdist(x)
    found = birthday_paradox(x, threshold=threshold)
    pairs = int((distances <= threshold).sum())
    assert (found.samples, found.pairs, found.threshold) == (80, pairs, threshold)
    assert found.smallest == pytest.approx(distances.min(), rel=1e-9)
    assert found.support == (80 * 79 / 2 / pairs if pairs else math.inf)


def test_the_threshold_of_reals():
    fake, real = torch.randn(60, 2).double(), torch.randn(41, 2).double()
    nearest = NearestNeighbors(n_neighbors=2).fit(real).kneighbors(real)[0][:, 1]
    threshold = 0.7 * sorted(nearest)[20]
    found = birthday_paradox(fake, real=real, relative=0.7)
    assert found.threshold == pytest.approx(threshold, rel=1e-9)
    assert found.pairs == int((pdist(fake) <= threshold).sum())


@pytest.mark.parametrize("size", [100, 1000])
def test_finds_the_size_of_a_uniform_support(size):
    random = torch.Generator().manual_seed(0)
    support = torch.randn(size, 4, generator=random)
    inverse = [
        1 / birthday_paradox(support[draw], threshold=0.0).support
        for draw in torch.randint(size, (40, 150), generator=random)
    ]
    # Of the 40 x 11,175 pairs one in `size` coincides: three standard errors.
    error = 3 / math.sqrt(40 * 11175 / size)
    assert sum(inverse) / 40 == pytest.approx(1 / size, rel=error)


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_a_collapsed_generator(offset):
    found = birthday_paradox(torch.zeros(20, 3) + offset, real=torch.randn(20, 3))
    assert (found.pairs, found.support, found.smallest) == (190, 1.0, 0.0)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({}, "`threshold` or `real` must be given, and not both, got neither"),
        ({"threshold": 1.0, "real": torch.randn(5, 2)}, "must be given, and not both, got both"),
        ({"threshold": -1.0}, "`threshold` must be at least 0 and finite, got -1.0"),
        ({"threshold": math.nan}, "`threshold` must be at least 0 and finite, got nan"),
        ({"real": torch.randn(5, 2), "relative": 0.0}, "`relative` must be positive .* got 0.0"),
        ({"real": torch.randn(1, 2)}, r"`real` must be .* at least 2 samples, got shape \(1, 2\)"),
        ({"real": torch.randn(5, 3)}, "`real` must have as many features as `features`, 2, got 3"),
    ],
)
def test_refusals(arguments, match):
    with pytest.raises(ValueError, match=match):
        birthday_paradox(torch.randn(5, 2), **arguments)
