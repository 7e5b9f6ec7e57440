"""Sets that are small, alike, on another scale, or not finite: signals without a crash."""

import math

import pytest
import torch
from looks import images, ring, seen

from gan_lightning.callbacks.monitors.signals import Signals
from gan_lightning.data import GaussianRing
from gan_lightning.metrics.extractors.random_conv import RandomConvExtractor


def finite(found):
    """Whether all signals are."""
    return [name for name, value in found.items() if not math.isfinite(value)] == []


@pytest.mark.parametrize("n", [2, 3, 10, 33])
@pytest.mark.parametrize("shape", [(2,), (10,), (1, 8, 8), (3, 4, 4)])
def test_few_real_samples(n, shape):
    signals = Signals(images(n, shape), None, images(3, shape, 1), RandomConvExtractor())
    for i in range(2):
        assert finite(signals.measure(seen(images(8, shape, 2 + i))))


def test_one_real_sample_is_refused():
    with pytest.raises(ValueError, match="`real` must hold at least 2 samples, got 1"):
        Signals(ring(1))


@pytest.mark.parametrize("shape", [(2,), (1, 8, 8)])
def test_real_samples_that_are_all_alike(shape):
    real = torch.full((40, *shape), 0.25)
    signals = Signals(real, torch.arange(40) % 2, real[:5], RandomConvExtractor())
    for x in (real, images(40, shape), torch.zeros(40, *shape)):
        found = signals.measure(seen(x, labels=torch.arange(len(x)) % 2))
        assert finite(found)
        assert found["pairwise"] >= 1.0
        assert found["class_pairwise"] >= 1.0
    assert finite(Signals(torch.zeros(40, *shape)).measure(seen(images(16, shape))))


@pytest.mark.parametrize(
    ("shape", "features"),
    [
        ((1, 8, 8), 256),  # by the extractor
        ((3, 64, 64), 256),
        ((1, 8, 20), 256),
        ((2, 8, 8), 128),  # pixels: it takes one channel or three
        ((3, 4, 4), 48),  # too small for it
        ((2, 64, 64), 2 * 16 * 16),
        ((2, 64, 8), 2 * 16 * 8),
        ((2, 8, 64), 2 * 8 * 16),
    ],
)
def test_features_of_images(shape, features):
    signals = Signals(images(24, shape), extractor=RandomConvExtractor())
    assert signals.outputs(images(5, shape))["features"].shape == (5, features)
    assert finite(signals.measure(seen(images(16, shape, 1))))


def test_large_images_without_an_extractor_are_averaged_over_squares():
    x = images(2, (2, 64, 64))
    found = Signals(images(4, (2, 64, 64))).outputs(x)["features"]
    by_hand = x.view(2, 2, 16, 4, 16, 4).mean((3, 5)).flatten(1)
    torch.testing.assert_close(found, by_hand)


def test_images_on_another_scale_are_compared_by_their_pixels():
    x = 127.5 * (images(24, (3, 8, 8)) + 1)
    signals = Signals(x, extractor=RandomConvExtractor())
    assert signals.extractor is None
    found = signals.measure(seen(images(16, (3, 8, 8), 1)))  # of a generator that ends in tanh
    assert finite(found)
    assert found["extent"] == pytest.approx(1 / 255, rel=0.05)
    assert found["distance"] > 1
    assert Signals(x / 127.5 - 1, extractor=RandomConvExtractor()).extractor is not None


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("shape", [(2,), (1, 8, 8)])
def test_samples_that_are_not_finite(value, shape):
    signals = Signals(images(40, shape), extractor=RandomConvExtractor())
    x = images(16, shape, 1)
    signals.measure(seen(x))
    bad = x.clone()
    bad[:4].view(-1)[0] = value
    found = signals.measure(seen(bad, logits={"fake": torch.zeros(16)}))
    assert found["finite"] == pytest.approx(15 / 16)
    assert not {"pairwise", "bins", "moved"} & found.keys()
    after = signals.measure(seen(x))
    assert after["finite"] == 1.0
    assert "moved" not in after  # nothing to compare with
    assert signals.measure(seen(x))["moved"] == 0.0


def test_logits_that_are_not_finite():
    logits = {"fake": torch.tensor([1.0, math.nan, 2.0, 3.0]), "real": torch.ones(4)}
    found = Signals(ring(64)).measure(seen(ring(16), logits=logits))
    assert found["finite"] == pytest.approx(7 / 8)
    assert "right" not in found
    assert (found["logit"], found["overfit_t"]) == (0.0, 1.0)
    empty = Signals(ring(64)).measure(seen(ring(16), logits={"fake": torch.empty(0)}))
    assert empty["finite"] == 1.0
    assert "logit" not in empty


@pytest.mark.parametrize("shape", [(2,), (2, 32, 32)])
def test_samples_that_explode(shape):
    """1e30 is a number, the sum of a hundred of float32's largest is none."""
    signals = Signals(images(40, shape))
    assert finite(signals.measure(seen(1e30 * images(16, shape, 1))))
    most = torch.full((16, *shape), 3e38)
    assert signals.measure(seen(most))["finite"] == 1.0


@pytest.mark.parametrize("n", [2, 3, 8])
def test_a_batch_of_two(n):
    found = Signals(ring(4)).measure(seen(ring(n, 1), logits={"fake": torch.ones(n)}))
    assert finite(found)
    assert found["logit"] == 0.0


def test_bins_are_never_more_than_distinct_samples():
    real = ring(512, std=0.0)  # eight points
    signals = Signals(real)
    assert len(signals.centres) == 8
    assert signals.measure(seen(real[:256]))["bins"] == 1.0
    assert signals.measure(seen(ring(256, modes=range(2), std=0.0)))["bins"] == 0.25


def test_the_ring_of_the_package():
    """The data module's samples beside others of the same distribution."""
    real = torch.cat(list(GaussianRing(samples=1000).real_chunks(512)))
    fake = torch.cat(list(GaussianRing(samples=1000, data_seed=1).real_chunks(256)))
    found = Signals(real).measure(seen(fake))
    assert found["bins"] > 0.9
    assert found["pairwise"] == pytest.approx(1.0, abs=0.1)
