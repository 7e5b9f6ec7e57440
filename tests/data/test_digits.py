"""Resizing, and scikit-learn's digits."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from gan_lightning.data import Digits
from gan_lightning.data.images import resize


def random_bytes(*shape, highest=255, seed=0):
    return np.random.default_rng(seed).integers(0, highest + 1, shape, dtype=np.uint8)


def read(data):
    data.setup("fit")
    samples = data.read()
    return samples.x, samples.labels


@pytest.mark.parametrize("size", [16, 32, 64])
def test_digits_are_the_originals_resized_as_pil_resizes(size):
    x, labels = read(Digits(image_size=size))
    pixels, digits = load_digits(return_X_y=True)
    assert x.shape == (1797, 1, size, size)
    assert x.dtype == torch.uint8
    assert torch.equal(labels, torch.from_numpy(digits).long())
    for row in (0, 1, 555, 1796):
        original = Image.fromarray((pixels[row].reshape(8, 8) * 255 / 16).astype(np.float32))
        larger = np.asarray(original.resize((size, size), Image.Resampling.BICUBIC))
        truth = torch.from_numpy(larger.clip(0, 255).round())
        torch.testing.assert_close(x[row, 0].float(), truth, rtol=0, atol=1)
        assert (x[row, 0].float() == truth).float().mean() > 0.99  # the rest: halves, rounded


def test_digits_at_their_own_size_keep_every_grey_level():
    x, _ = read(Digits(image_size=8))
    pixels, _ = load_digits(return_X_y=True)
    levels = torch.from_numpy(pixels.reshape(-1, 1, 8, 8)) * 255 / 16
    torch.testing.assert_close(x.double(), levels, rtol=0, atol=0.5)
    assert len(x.unique()) == 17


def test_digits_state_their_shape_before_anything_is_read():
    data = Digits(image_size=32, batch_size=100)
    assert (data.image_shape, data.num_classes, data.batch_size) == ((1, 32, 32), 10, 100)
    assert data.identity == {
        "data": "Digits(image_size=32)",
        "samples": 1797,
        "global_batch": 100,
    }
    assert len(data.train_dataloader()) == 17
    with pytest.raises(ValueError, match="`image_size` must be one of 8, 16, 32, 64, got 128"):
        Digits(image_size=128)


def test_resizing_in_chunks_equals_pil_for_smaller_and_larger_sizes():
    images = torch.from_numpy(random_bytes(5000, 1, 28, 28))
    for size in (16, 32):
        resized = resize(images, size)
        for row in (0, 4095, 4096, 4999):
            # as floats: of bytes PIL rounds and clamps between the two directions as well
            original = Image.fromarray(images[row, 0].float().numpy())
            pil = np.asarray(original.resize((size, size), Image.Resampling.BICUBIC))
            truth = torch.from_numpy(pil.clip(0, 255).round())
            torch.testing.assert_close(resized[row, 0].float(), truth, rtol=0, atol=1)
            assert (resized[row, 0].float() == truth).float().mean() > 0.99
    assert resize(images, 28) is images
