"""Extractors without training: pixels, points and random convolutions."""

import pytest
import torch
from torch import nn

from gan_lightning.metrics.extractors.pixels import PixelExtractor, PointExtractor
from gan_lightning.metrics.extractors.random_conv import RandomConvExtractor


def images(n=3, channels=3, size=32, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.rand(n, channels, size, size, generator=random) * 2 - 1


def test_pixels_are_flattened():
    x = images()
    found = PixelExtractor()(x)["features"]
    assert found.shape == (3, 3 * 32 * 32)
    torch.testing.assert_close(found.view_as(x), x, rtol=0, atol=0.5 / 127.5 + 1e-6)
    assert PixelExtractor().fingerprint == "pixels (flattened, [-1, 1]; weights none)"


def test_points_pass_unchanged():
    x = torch.randn(4, 2, dtype=torch.float64, requires_grad=True) * 1e3
    extractor = PointExtractor()
    found = extractor(x)
    assert extractor.outputs == tuple(found) == ("features",)
    assert torch.equal(found["features"], x)
    assert found["features"].data_ptr() == x.data_ptr()
    assert found["features"].dtype == torch.float64
    assert not found["features"].requires_grad


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (torch.zeros(2, 1, 4, 4), r"must be points \(N, D\) of floats, got torch.float32 of shape"),
        (torch.zeros(0, 2), r"must be points \(N, D\) of floats, got torch.float32 of shape \(0,"),
        (torch.zeros(3, 2).long(), r"must be points \(N, D\) of floats, got torch.int64"),
        (torch.tensor([[0.0, float("nan")]]), "must be finite points, got NaN or infinity"),
    ],
)
def test_what_are_no_points_is_refused(wrong, match):
    with pytest.raises(ValueError, match=match):
        PointExtractor()(wrong)


def test_random_convolutions_have_256_features():
    extractor = RandomConvExtractor()
    found = extractor(images())["features"]
    assert found.shape == (3, 256)
    assert 0.1 < float(found.std()) < 10
    assert extractor(images(size=16, channels=1))["features"].shape == (3, 256)
    assert RandomConvExtractor(channels=(8, 5))(images())["features"].shape == (3, 20)


def test_random_convolutions_by_hand():
    extractor = RandomConvExtractor(channels=(4, 2))
    x = extractor(images(1))["images"]
    for layer in extractor.network:
        if isinstance(layer, nn.Conv2d):
            x = nn.functional.conv2d(x, layer.weight, stride=2, padding=1)
            x = torch.where(x > 0, x, 0.2 * x)
    quarters = [
        x[0, c, i : i + 4, j : j + 4].mean() for c in (0, 1) for i in (0, 4) for j in (0, 4)
    ]
    found = extractor(images(1))["features"]
    torch.testing.assert_close(found, torch.stack(quarters)[None], rtol=1e-5, atol=1e-6)


def test_random_convolutions_are_the_same_everywhere():
    extractor = RandomConvExtractor()
    assert extractor.fingerprint.endswith("weights 83323fa11c16)")
    weight = extractor.network[2].weight
    # He's variance for LeakyReLU(0.2), from 32 channels of 4x4; uniform
    assert float(weight.var()) == pytest.approx(2 / (1.04 * 32 * 16), rel=0.02)
    assert float(weight.abs().max()) <= (6 / (1.04 * 32 * 16)) ** 0.5
    assert float(weight.double().pow(4).mean() / weight.double().var() ** 2) == pytest.approx(
        1.8, rel=0.02
    )


def test_random_convolutions_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    a, b, c = RandomConvExtractor(), RandomConvExtractor(), RandomConvExtractor(seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert a.fingerprint == b.fingerprint != c.fingerprint
    assert not torch.equal(a.network[0].weight, c.network[0].weight)


def test_random_convolutions_refuse():
    with pytest.raises(ValueError, match=r"`channels` must hold positive integers, got \(\)"):
        RandomConvExtractor(channels=())
    with pytest.raises(ValueError, match=r"`channels` must hold positive integers, got \(3, 0\)"):
        RandomConvExtractor(channels=(3, 0))
    with pytest.raises(ValueError, match=r"sides of at least 8 pixels for 3 layers, got 4x4"):
        RandomConvExtractor()(images(size=4))
    with pytest.raises(ValueError, match="`images` must have 1 or 3 channels, got 2"):
        RandomConvExtractor()(images(channels=2))
