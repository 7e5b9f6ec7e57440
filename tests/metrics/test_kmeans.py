import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from gan_lightning.metrics.functional import _kmeans
from gan_lightning.metrics.functional._kmeans import assign, kmeans


def inertia(x, centres):
    return cdist(x, centres, "sqeuclidean").min(1).sum()


@pytest.mark.parametrize(("n", "d", "k"), [(300, 2, 7), (200, 20, 4), (50, 3, 50)])
def test_is_in_the_mean_about_as_good_as_scikit_learns(n, d, k):
    """Theirs tries several candidates for each centre of the start."""
    x = torch.randn(n, d).double()
    ours = [inertia(x, kmeans(x, k, seed)) for seed in range(10)]
    theirs = [KMeans(k, n_init=1, random_state=seed).fit(x).inertia_ for seed in range(10)]
    assert np.mean(ours) <= 1.1 * np.mean(theirs) + 1e-9


@pytest.mark.parametrize(("n", "d", "k"), [(300, 2, 7), (200, 20, 4), (50, 3, 50)])
def test_is_a_fixed_point(n, d, k):
    x = torch.randn(n, d).double()
    centres = kmeans(x, k)
    again = KMeans(k, init=centres.numpy(), n_init=1).fit(x)
    torch.testing.assert_close(centres, torch.from_numpy(again.cluster_centers_), rtol=0, atol=1e-9)


def test_finds_separate_groups():
    groups = 100 * torch.eye(5).double()
    x = groups.repeat_interleave(20, 0) + 0.1 * torch.randn(100, 5).double()
    cell = assign(x, kmeans(x, 5))
    assert all(len(set(part.tolist())) == 1 for part in cell.split(20))
    assert cell.bincount().tolist() == [20] * 5


def test_the_seed_decides_and_the_global_state_stays():
    x = torch.randn(200, 2)
    before = torch.get_rng_state()
    first, same, other = (kmeans(x, 9, seed) for seed in (0, 0, 1))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


def test_a_cell_without_samples_starts_anew(monkeypatch):
    start = torch.tensor([[0.0], [1.0], [50.0]]).double()
    monkeypatch.setattr(_kmeans, "_start", lambda x, k, generator, name: start)
    x = torch.tensor([[0.0], [1.0], [9.0], [10.0]]).double()
    assert sorted(kmeans(x, 3).flatten().tolist()) == [0.0, 1.0, 9.5]


def test_as_many_cells_as_distinct_samples():
    x = torch.tensor([[0.0], [1.0], [2.0]]).repeat(10, 1)
    assert sorted(kmeans(x, 3).flatten().tolist()) == [0.0, 1.0, 2.0]
    with pytest.raises(
        ValueError, match="`k` must be at most the number of distinct samples, 3, g"
    ):
        kmeans(x, 4)


def test_starts_follow_the_squared_distances():
    x = torch.tensor([[0.0], [1.0], [3.0]])
    second = [
        _kmeans._start(x, 2, torch.Generator().manual_seed(seed), "k").flatten().tolist()
        for seed in range(3000)
    ]
    given_first = [pair[1] for pair in second if pair[0] == 0.0]
    assert len(given_first) / 3000 == pytest.approx(1 / 3, abs=0.03)
    assert np.mean(np.array(given_first) == 3.0) == pytest.approx(0.9, abs=0.03)
