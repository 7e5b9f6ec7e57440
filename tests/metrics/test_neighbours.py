import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from gan_lightning.metrics.functional import _neighbours
from gan_lightning.metrics.functional._neighbours import (
    best_ratio,
    blocks,
    feature_sets,
    nearest,
    within,
)


@pytest.fixture(params=["one block", "many blocks"])
def _blocks(request, monkeypatch):
    if request.param == "many blocks":
        monkeypatch.setattr(_neighbours, "ENTRIES", 64)
        monkeypatch.setattr(_neighbours, "_LEAST_ROWS", 7)


def clustered(n, d, scale):
    """Points in clusters far tighter than a product of float64 can resolve."""
    random = torch.Generator().manual_seed(0)
    centres = 1e3 * torch.randn(3, d, generator=random, dtype=torch.float64)
    noise = torch.randn(n, d, generator=random, dtype=torch.float64)
    return centres[torch.arange(n) % 3] + scale * noise


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("d", [1, 2, 40])
def test_neighbours_equal_scikit_learns(d):
    x, y = torch.randn(30, d).double(), torch.randn(50, d).double()
    squares, index = nearest(x, y, 4)
    expected, where = NearestNeighbors(n_neighbors=4, algorithm="brute").fit(y).kneighbors(x)
    torch.testing.assert_close(squares.sqrt(), torch.from_numpy(expected), rtol=1e-9, atol=0)
    assert index.tolist() == where.tolist()


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("scale", [1e-3, 1e-7, 1e-9])
def test_close_pairs_keep_all_their_digits(scale):
    x = clustered(60, 5, scale)
    squares, index = nearest(x, x, 3, same=True)
    exact = cdist(x, x)
    np.fill_diagonal(exact, np.inf)
    order = np.argsort(exact, axis=1, kind="stable")[:, :3]
    expected = torch.from_numpy(np.take_along_axis(exact, order, 1))
    torch.testing.assert_close(squares.sqrt(), expected, rtol=1e-12, atol=0)
    assert index.tolist() == order.tolist()


@pytest.mark.usefixtures("_blocks")
def test_duplicates_are_at_distance_0_and_the_first_of_equals_is_chosen():
    x = torch.randn(12, 6).double().repeat(2, 1) + 1e5
    squares, index = nearest(x, x, 1, same=True)
    assert squares.tolist() == [[0.0]] * 24
    assert index[:, 0].tolist() == [*range(12, 24), *range(12)]
    grid = torch.tensor([[0.0], [2.0], [2.0], [0.0]])
    assert nearest(torch.tensor([[1.0]]), grid, 4)[1].tolist() == [[0, 1, 2, 3]]


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_within_decides_as_the_differences_do(strict, scale):
    x, y = clustered(40, 3, scale), clustered(35, 3, scale).flip(0)
    exact = torch.from_numpy(cdist(x, y, "sqeuclidean"))
    radius = exact.median(1, keepdim=True).values  # each row has one pair just on its radius
    parts = [
        within(b, x, y, radius[b.start : b.start + len(b.low)], strict=strict) for b in blocks(x, y)
    ]
    found = torch.cat(parts)
    assert torch.equal(found, exact < radius * (1 - 1e-13) if strict else exact <= radius)


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("scale", [1.0, 1e-9])
def test_the_best_ratio_is_that_of_a_loop(scale):
    x, y = clustered(20, 3, scale), clustered(41, 3, scale)[20:]
    radii = torch.rand(21).double() + 0.1
    expected = (radii / torch.from_numpy(cdist(x, y, "sqeuclidean"))).amax(1)
    torch.testing.assert_close(best_ratio(x, y, radii), expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("scale", [1.0, 1e-9])
def test_the_bounds_hold(scale):
    x, y = clustered(30, 50, scale), clustered(31, 50, scale)
    exact = torch.from_numpy(cdist(x, y, "sqeuclidean"))
    for block in blocks(x, y):
        assert bool((block.low <= exact).all())
        assert bool((block.low + block.row_margin + block.column_margin >= exact).all())


def test_samples_of_any_shape_are_flattened():
    assert feature_sets(1, real=torch.zeros(3, 2, 4, 4))[0].shape == (3, 32)


@pytest.mark.parametrize(
    ("sets", "match"),
    [
        ({"real": torch.zeros(3)}, r"`real` must be features \(N, D\) of at least 2.*\(3,\)"),
        ({"fake": torch.zeros(1, 3)}, r"`fake` must be .* at least 2 samples, got shape \(1, 3\)"),
        ({"real": torch.zeros(3, 0)}, r"`real` must be features.*got shape \(3, 0\)"),
        (
            {"real": torch.zeros(3, 2), "fake": torch.zeros(3, 4)},
            "`fake` must have as many features as `real`, 2, got 4",
        ),
        ({"real": torch.full((3, 2), torch.inf)}, "`real` must be finite, got NaN or infinity"),
    ],
)
def test_refusals(sets, match):
    with pytest.raises(ValueError, match=match):
        feature_sets(2, **sets)
