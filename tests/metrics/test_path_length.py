import math

import numpy as np
import pytest
import torch
from scipy import stats

from gan_lightning.metrics.functional.path_length import (
    _positions,
    path_lengths,
    perceptual_path_length,
    trimmed_mean,
)
from gan_lightning.metrics.perceptual_path_length import PerceptualPathLength


def latents(paths=40, d=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2 * paths, d, generator=generator, dtype=torch.float64)


WEIGHT = torch.randn(5, 7, generator=torch.Generator().manual_seed(9), dtype=torch.float64)


def linear(z):
    return z @ WEIGHT.to(z.dtype)


def square(x, y):
    return (x - y).square().sum(1)


@pytest.mark.parametrize("ends", ["full", "end"])
def test_a_linear_generator_in_closed_form(ends):
    # Along a straight line its speed is |W (z2 - z1)| everywhere.
    z = latents()
    speeds = ((z[1::2] - z[::2]) @ WEIGHT).square().sum(1)
    found = path_lengths(linear, z, square, interpolation="lerp", ends=ends, chunk=7)
    torch.testing.assert_close(found, speeds, rtol=1e-8, atol=0)
    mean, std = perceptual_path_length(
        linear, z, square, lower=0, upper=1, interpolation="lerp", ends=ends
    )
    assert mean.item() == pytest.approx(speeds.mean().item(), rel=1e-8)
    assert std.item() == pytest.approx(np.std(speeds.numpy()), rel=1e-8)


def test_the_great_circle_has_constant_speed():
    # For ends of unit length the speed is the angle between them.
    z = torch.nn.functional.normalize(latents(), dim=1)
    angles = (z[::2] * z[1::2]).sum(1).acos().square()
    found = path_lengths(lambda z: z, z, square)
    torch.testing.assert_close(found, angles, rtol=1e-6, atol=0)


def test_the_great_circle_keeps_its_ends_and_parallel_ones_are_joined_by_a_line():
    seen = []
    z = latents(1)
    path_lengths(lambda z: seen.append(z) or z, z, square, epsilon=0.5, ends="end")
    torch.testing.assert_close(seen[0][0], z[0])
    parallel = torch.tensor([[1.0, 2.0], [3.0, 6.0], [0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    found = path_lengths(lambda z: z, parallel, square)
    torch.testing.assert_close(found, torch.tensor([20.0, 2.0]).double(), rtol=1e-8, atol=0)


def test_positions_are_uniform_and_belong_to_the_path():
    paths = latents(4000, 2).reshape(-1, 2, 2)
    t = _positions(paths, 0)
    assert stats.kstest(t.numpy(), "uniform").pvalue > 1e-3
    assert torch.equal(_positions(paths.flip(0), 0), t.flip(0))
    other = _positions(paths, 1)
    assert abs(np.corrcoef(t.numpy(), other.numpy())[0, 1]) < 0.06
    half = paths.half()
    assert torch.equal(_positions(half, 0), _positions(half.double(), 0))


@pytest.mark.parametrize("n", [1, 2, 50, 101, 1000])
def test_trimmed_mean_equals_numpy(n):
    lengths = latents(n, 1)[:n, 0].exp()
    x = lengths.numpy()
    low = np.percentile(x, 1, method="lower")
    high = np.percentile(x, 99, method="higher")
    kept = x[(x >= low) & (x <= high)]
    mean, std = trimmed_mean(lengths)
    assert mean.item() == pytest.approx(kept.mean(), rel=1e-12)
    assert std.item() == pytest.approx(kept.std(), rel=1e-10, abs=1e-15)
    if n == 1000:
        assert len(kept) == 982  # torchmetrics keeps 981


def test_hard_cases():
    z = latents()
    mean, std = perceptual_path_length(lambda z: torch.zeros(len(z), 3), z, square)
    assert (mean.item(), std.item()) == (0, 0)
    same = z[:1].expand(4, 5)
    assert perceptual_path_length(linear, same, square)[0].item() == pytest.approx(0, abs=1e-15)
    # In float32 a step of 1e-4 keeps about three digits.
    single = perceptual_path_length(linear, z.float(), square, interpolation="lerp")[0]
    exact = perceptual_path_length(linear, z, square, interpolation="lerp")[0]
    assert single.item() == pytest.approx(exact.item(), rel=1e-2)
    assert single.dtype == torch.float64


def test_images_and_half_precision():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(6, 2, 3, 3, generator=generator).half()
    found = path_lengths(lambda z: z, z, lambda x, y: (x - y).double().square().sum((1, 2, 3)), 0.5)
    assert found.shape == (3,)
    assert bool(torch.isfinite(found).all())


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"z": latents()[:1]}, "`z` must be floats .* an even number of at least 2"),
        ({"z": latents()[:3]}, "`z` must be floats .* an even number of at least 2"),
        ({"z": latents() / 0}, "`z` must be finite"),
        ({"epsilon": 0.0}, r"`epsilon` must lie in \(0, 1\), got 0.0"),
        ({"interpolation": "cubic"}, "`interpolation` must be 'slerp' or 'lerp', got 'cubic'"),
        ({"ends": "both"}, "`ends` must be 'full' or 'end', got 'both'"),
        ({"chunk": 0}, "`chunk` must be at least 1, got 0"),
        ({"lower": 0.9, "upper": 0.1}, r"`lower` and `upper` must rise within \[0, 1\]"),
        ({"distance": lambda x, y: x}, "`distance` must give one number a pair"),
        ({"distance": lambda x, y: square(x, y) * math.nan}, "`distance` must give finite numbers"),
    ],
)
def test_refusals(arguments, match):
    arguments = {"generate": linear, "z": latents(), "distance": square} | arguments
    with pytest.raises(ValueError, match=match):
        perceptual_path_length(**arguments)


def test_class_equals_function_in_any_order():
    z = latents()
    metric = PerceptualPathLength(square, seed=3)
    metric.update(linear, z)
    expected = perceptual_path_length(linear, z, square, seed=3)
    found = metric.compute()
    assert list(found) == ["PPL", "PPL_std"]
    torch.testing.assert_close(tuple(found.values()), expected, rtol=1e-10, atol=0)
    metric.reset()
    for part in z.reshape(-1, 2, 5).flip(0).split(9):
        metric.update(linear, part.flatten(0, 1))
    again = tuple(metric.compute().values())
    torch.testing.assert_close(again, tuple(found.values()), rtol=1e-7, atol=0)
    assert not metric.state_dict()


@pytest.mark.filterwarnings("ignore:The ``compute`` method")  # torchmetrics warns first
def test_class_without_paths_says_so():
    with pytest.raises(ValueError, match="needs paths, got none"):
        PerceptualPathLength(square).compute()


def test_the_global_generator_is_not_touched():
    before = torch.get_rng_state()
    perceptual_path_length(linear, latents(), square)
    assert torch.equal(torch.get_rng_state(), before)
