import importlib

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.utils._python_dispatch import TorchDispatchMode

from gan_lightning.metrics.functional.patch_swd import (
    _level,
    _normalised_patches,
    _resolutions,
    multiscale_patch_swd,
)
from gan_lightning.metrics.multiscale_patch_swd import MultiscalePatchSwd

patch_swd = importlib.import_module("gan_lightning.metrics.functional.patch_swd")
KERNEL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256


def images(n=6, channels=2, side=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, channels, side, side, generator=generator, dtype=torch.float64) * 2 - 1


def scipy_pyramid(image, levels):
    """Laplacian pyramid of one channel, from its definition."""
    found = [image]
    for _ in range(levels - 1):
        found.append(ndimage.convolve(found[-1], KERNEL, mode="mirror")[::2, ::2])
    for i in range(levels - 1):
        up = np.zeros(found[i].shape)
        up[::2, ::2] = found[i + 1]
        found[i] = found[i] - ndimage.convolve(up, 4 * KERNEL, mode="mirror")
    return found


@pytest.mark.parametrize("side", [64, 33])
def test_pyramid_equals_scipy(side):
    x = images(1, 1, side)
    expected = scipy_pyramid(x[0, 0].numpy(), len(_resolutions(side)))
    for level, part in enumerate(expected):
        found = _level(x, level, level == len(expected) - 1)[0, 0]
        torch.testing.assert_close(found, torch.from_numpy(part), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("side", "expected"), [(8, (8,)), (28, (28,)), (32, (32, 16)), (128, (128, 64, 32, 16))]
)
def test_levels_go_down_to_16_pixels(side, expected):
    assert _resolutions(side) == expected


def test_images_of_one_patch_equal_a_loop():
    # With 7 x 7 images every patch is the image: positions do not matter.
    x, y = images(9, 2, 7), images(9, 2, 7, 1)
    generator = torch.Generator().manual_seed(5)
    lines = torch.randn(40, 98, generator=generator, dtype=torch.float64).numpy()
    lines /= np.linalg.norm(lines, axis=1, keepdims=True)
    rows = []
    for s in (x.numpy(), y.numpy()):
        s = (s - s.mean((0, 2, 3), keepdims=True)) / s.std((0, 2, 3), keepdims=True)
        rows.append(np.sort(s.reshape(9, -1) @ lines.T, axis=0))
    found = multiscale_patch_swd(x, y, patches=3, projections=40, seed=5)
    assert found.levels.tolist() == [pytest.approx(1e3 * np.abs(rows[0] - rows[1]).mean())]
    assert found.mean == found.levels[0]


def test_equal_sets_and_collapsed_ones():
    x = images()
    assert multiscale_patch_swd(x, x, 8, 16).levels.tolist() == [0, 0]
    for collapsed in (x[:1].expand_as(x), torch.full_like(x, 0.3)):
        found = multiscale_patch_swd(x, collapsed, 8, 16)
        assert found.resolutions == (32, 16)
        assert bool((found.levels > 0).all())
        assert bool(torch.isfinite(found.levels).all())


def test_noise_of_another_scale_shows_on_the_fine_level():
    x = images(64, 1)
    smooth = torch.nn.functional.avg_pool2d(x, 5, 1, 2)
    near = multiscale_patch_swd(x[:32], x[32:], 64, 64)
    far = multiscale_patch_swd(x[:32], smooth[32:], 64, 64)
    assert far.levels[0] > 2 * near.levels[0]


def test_precisions_and_uint8():
    bytes_ = torch.randint(0, 256, (4, 1, 16, 16), dtype=torch.uint8)
    other = bytes_.flip(3)
    floats = [s.double() / 127.5 - 1 for s in (bytes_, other)]
    found = multiscale_patch_swd(bytes_, other, 8, 16).mean
    torch.testing.assert_close(found, multiscale_patch_swd(*floats, 8, 16).mean)
    half = [s.half() for s in floats]
    found = multiscale_patch_swd(*half, 8, 16).mean
    assert torch.equal(found, multiscale_patch_swd(*(s.double() for s in half), 8, 16).mean)


def test_blocks_change_nothing(monkeypatch):
    x, y = images(), images(4, seed=1)
    expected = multiscale_patch_swd(x, y, 8, 16).levels
    monkeypatch.setattr(patch_swd, "ENTRIES", 1000)
    torch.testing.assert_close(multiscale_patch_swd(x, y, 8, 16).levels, expected)


def test_one_copy_of_the_patches_is_made(monkeypatch):
    monkeypatch.setattr(patch_swd, "ENTRIES", 1000)
    large = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor) and out.numel() > 10_000:
                large.append(out.untyped_storage().data_ptr())
            return out

    x = images(20)
    with Watch():
        _normalised_patches(x, 0, 2, 8, 0)
    large = [pointer for pointer in large if pointer != x.untyped_storage().data_ptr()]
    assert len(set(large)) == 1


def test_sets_of_different_size():
    x = images()
    found = multiscale_patch_swd(x, images(4, seed=1), 8, 16).mean
    assert 0 < found < 1e3


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((images(1), images()), r"`real_images` must be \(N, C, H, W\) with at least 2 images"),
        ((images(), 2 * images()), r"`fake_images` must lie in \[-1, 1\]"),
        ((images() / 0, images()), r"`real_images` must lie in \[-1, 1\]"),
        ((images(), images().long()), "must be floats in .* or uint8, got torch.int64"),
        (
            (images(), images(side=16)),
            r"must have one shape .* got \(2, 32, 32\) and \(2, 16, 16\)",
        ),
        ((images(side=6), images(side=6)), "at least 7 pixels"),
        ((images(), images(), 0), "`patches` must be at least 1, got 0"),
        ((images(), images(), 1, 0), "`projections` must be at least 1, got 0"),
    ],
)
def test_refusals(arguments, match):
    with pytest.raises(ValueError, match=match):
        multiscale_patch_swd(*arguments)


def test_class_in_any_order():
    real, fake = images(), images(seed=1)
    metric = MultiscalePatchSwd(patches=8, projections=16)
    assert metric.output == "images"
    metric.update(real, real=True)
    metric.update(fake)
    first, levels = metric.compute(), metric.levels()
    assert list(levels) == [32, 16]
    torch.testing.assert_close(torch.stack(list(levels.values())).mean(), first)
    rows = metric.rows()
    assert torch.equal(multiscale_patch_swd(*rows, 8, 16).mean, first)
    metric.reset()
    for part in fake.flip(0).split(4):
        metric.update(part)
    for part in real.flip(0).split(1):
        metric.update(part, real=True)
    assert torch.equal(metric.compute(), first)
