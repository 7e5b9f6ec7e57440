"""The toy distributions: centres, moments and the published constants."""

import math

import pytest
import torch

from gan_lightning.data import GaussianGrid, GaussianRing, SwissRoll


def draw(data, count=200_000):
    return data.draw(count, torch.Generator().manual_seed(1))


def test_the_ring_has_eight_distinct_centres():
    centres = GaussianRing().centres
    assert centres.dtype == torch.float64
    half = math.sqrt(0.5)
    truth = [
        [1, 0],
        [half, half],
        [0, 1],
        [-half, half],
        [-1, 0],
        [-half, -half],
        [0, -1],
        [half, -half],
    ]
    torch.testing.assert_close(
        centres, torch.tensor(truth, dtype=torch.float64), rtol=0, atol=1e-15
    )
    apart = torch.pdist(centres)
    assert apart.min() > 0.76  # 2 sin(pi / 8); the copied bug puts two of them at distance 0


def test_the_grid_has_the_papers_centres():
    centres = GaussianGrid().centres
    truth = {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}
    assert {tuple(centre) for centre in centres.tolist()} == truth
    assert centres.shape == (25, 2)
    even = GaussianGrid(side=2, spacing=3.0).centres
    assert even.tolist() == [[-1.5, -1.5], [-1.5, 1.5], [1.5, -1.5], [1.5, 1.5]]


@pytest.mark.parametrize(
    ("data", "std"),
    [(GaussianRing(), 0.01), (GaussianGrid(), 0.05), (GaussianRing(scale=2), 0.005)],
)
def test_components_are_equally_likely_and_have_the_stated_deviation(data, std):
    assert data.std == std
    x = draw(data)
    count, modes = len(x), len(data.centres)
    distance, nearest = torch.cdist(x, data.centres).min(dim=1)
    share = nearest.bincount(minlength=modes) / count
    deviation = math.sqrt((1 / modes) * (1 - 1 / modes) / count)
    torch.testing.assert_close(share, torch.full_like(share, 1 / modes), rtol=0, atol=5 * deviation)
    for mode in range(modes):
        cloud = (x[nearest == mode] - data.centres[mode]) / std
        n = len(cloud)
        torch.testing.assert_close(
            cloud.mean(0), torch.zeros(2, dtype=torch.float64), rtol=0, atol=5 / math.sqrt(n)
        )
        torch.testing.assert_close(
            cloud.T.cov(), torch.eye(2, dtype=torch.float64), rtol=0, atol=8 / math.sqrt(n)
        )
    # Rayleigh: the share within 3 deviations of the nearest centre is 1 - exp(-9 / 2)
    within = (distance < 3 * std).double().mean().item()
    torch.testing.assert_close(
        within, 1 - math.exp(-4.5), rtol=0, atol=5 * 0.105 / math.sqrt(count)
    )


def test_the_swiss_roll_without_noise_lies_on_its_curve():
    data = SwissRoll(noise=0)
    x = draw(data) * 7.5
    t = x.norm(dim=1)
    assert t.min() >= 1.5 * math.pi
    assert t.max() <= 4.5 * math.pi
    curve = t[:, None] * torch.stack([t.cos(), t.sin()], dim=1)
    torch.testing.assert_close(x, curve, rtol=0, atol=1e-9)
    torch.testing.assert_close(t.mean().item(), 3 * math.pi, rtol=0, atol=0.05)
    torch.testing.assert_close(t.std().item(), 3 * math.pi / math.sqrt(12), rtol=0, atol=0.05)


def test_the_swiss_rolls_noise_has_the_stated_deviation_before_scaling():
    noisy = SwissRoll().draw(100_000, torch.Generator().manual_seed(4))
    clean = SwissRoll(noise=0).draw(100_000, torch.Generator().manual_seed(4))
    noise = (noisy - clean) * 7.5 / 0.25
    torch.testing.assert_close(noise.std().item(), 1.0, rtol=0, atol=0.01)
    torch.testing.assert_close(noise.mean().item(), 0.0, rtol=0, atol=0.01)


def test_the_scale_divides_everything():
    wide, narrow = GaussianGrid(samples=500), GaussianGrid(samples=500, scale=4.0)
    torch.testing.assert_close(narrow.centres * 4, wide.centres)
    torch.testing.assert_close(narrow.read().x * 4, wide.read().x)
    torch.testing.assert_close(draw(SwissRoll(scale=1.0), 99) / 7.5, draw(SwissRoll(), 99))


@pytest.mark.parametrize("kind", [GaussianRing, GaussianGrid, SwissRoll])
def test_the_training_set_is_fixed_by_its_own_seed(kind):
    first, again, other = kind(samples=400), kind(samples=400), kind(samples=400, data_seed=1)
    assert torch.equal(first.read().x, again.read().x)
    assert not torch.equal(first.read().x, other.read().x)
    assert first.identity == again.identity != other.identity
    assert (first.image_shape, first.num_classes) == ((2,), None)
    batch = next(iter(first.train_dataloader()))
    assert batch.shape == (256, 2)
    assert batch.dtype == torch.float32
    state = torch.random.get_rng_state()
    kind(samples=400).setup("fit")
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_identity_names_every_constant():
    assert GaussianRing(samples=300).identity == {
        "data": "GaussianRing(modes=8, radius=1.0, std=0.01, scale=1.0, data_seed=0)",
        "samples": 300,
        "global_batch": 256,
    }


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (GaussianRing, {"modes": 0}, "`modes` must be an integer of at least 1, got 0"),
        (GaussianRing, {"radius": 0.0}, "`radius` must be a finite number above 0, got 0.0"),
        (GaussianRing, {"std": math.nan}, "`std` must be a finite number of at least 0, got nan"),
        (GaussianRing, {"samples": 0}, "`samples` must be an integer of at least 1, got 0"),
        (GaussianGrid, {"side": 2.5}, "`side` must be an integer of at least 1, got 2.5"),
        (GaussianGrid, {"spacing": -1.0}, "`spacing` must be a finite number above 0, got -1.0"),
        (GaussianGrid, {"scale": 0.0}, "`scale` must be a finite number above 0, got 0.0"),
        (SwissRoll, {"scale": math.inf}, "`scale` must be a finite number above 0, got inf"),
        (SwissRoll, {"noise": -0.1}, "`noise` must be a finite number of at least 0, got -0.1"),
    ],
)
def test_constants_out_of_range_are_refused(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**arguments)
