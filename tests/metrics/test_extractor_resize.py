import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from gan_lightning.metrics.extractors.modules import ModuleExtractor
from gan_lightning.metrics.extractors.preprocess import IMAGENET, Preprocess
from gan_lightning.metrics.extractors.resize import MODES, resize

SIZES = [(16, 20, 40), (32, 32, 299), (64, 48, 20), (100, 70, 33), (24, 24, 24)]


def levels(height, width, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.randint(256, (2, 3, height, width), generator=random).float()


def pillow(x, size, mode):
    """Each channel by Pillow: mode "F" in floats, mode "L" in 8 bits."""
    kind = np.float32 if mode == "F" else np.uint8
    channels = x.flatten(0, 1).numpy().astype(kind)
    done = [np.array(Image.fromarray(c).resize((size, size), Image.BICUBIC)) for c in channels]
    return torch.from_numpy(np.stack(done)).float().view(*x.shape[:2], size, size)


@pytest.mark.parametrize(("height", "width", "size"), SIZES)
def test_tf1_is_torch_fidelitys(height, width, size):
    x = levels(height, width)
    truth = interpolate_bilinear_2d_like_tensorflow1x(x, (size, size), align_corners=False)
    torch.testing.assert_close(resize(x, size, "tf1"), truth, rtol=0, atol=0)


def test_tf1_by_hand():
    x = torch.tensor([[[[0.0, 10.0], [20.0, 30.0]]]])
    found = resize(x, 4, "tf1")[0, 0]
    rows = torch.tensor([0.0, 5.0, 10.0, 10.0])  # places 0, 0.5, 1, 1.5; beyond the last pixel: it
    torch.testing.assert_close(found, rows + 2 * rows[:, None], rtol=0, atol=0)


@pytest.mark.parametrize(("height", "width", "size"), SIZES)
def test_clean_is_pillows_bicubic_in_floats(height, width, size):
    x = levels(height, width)
    truth = pillow(x, size, "F").clamp(0, 255)
    # 1e-4 of the range [-1, 1]; the kernel's weights are rounded differently.
    torch.testing.assert_close(resize(x, size, "clean"), truth, rtol=0, atol=1e-4 * 127.5)


@pytest.mark.parametrize(("height", "width", "size"), SIZES)
def test_pil_is_pillows_bicubic_in_8_bits(height, width, size):
    x = levels(height, width)
    off = (resize(x, size, "pil") - pillow(x, size, "L")).abs()
    assert off.max() <= 1  # Pillow's weights are whole numbers
    assert off.mean() < 1e-2


@pytest.mark.parametrize(("height", "width", "size"), SIZES)
@pytest.mark.parametrize(
    ("mode", "options"),
    [("antialias", {"mode": "bilinear", "antialias": True}), ("bicubic", {"mode": "bicubic"})],
)
def test_torchs_own(height, width, size, mode, options):
    x = levels(height, width)
    truth = nn.functional.interpolate(x, (size, size), align_corners=False, **options)
    torch.testing.assert_close(resize(x, size, mode), truth, rtol=0, atol=0)


@pytest.mark.parametrize("mode", MODES)
def test_images_of_the_right_size_stay(mode):
    torch.testing.assert_close(resize(levels(24, 24), 24, mode), levels(24, 24), rtol=0, atol=1e-3)


def test_modes_differ():
    found = [resize(levels(64, 64), 20, mode) for mode in MODES]
    for i, a in enumerate(found):
        assert all(float((a - b).abs().max()) > 0.1 for b in found[:i])


def test_unknown_mode():
    with pytest.raises(ValueError, match=r"`resize` must be one of tf1, clean, .*, got 'nearest'"):
        resize(levels(8, 8), 4, "nearest")


def test_preprocess_by_hand():
    x = levels(8, 8)
    seen = Preprocess(None, "clean", *IMAGENET)(x / 127.5 - 1)
    mean, std = (torch.tensor(n)[:, None, None] for n in IMAGENET)
    torch.testing.assert_close(seen, (x / 255 - mean) / std, rtol=1e-5, atol=1e-6)
    grey = x[:, :1] / 127.5 - 1
    torch.testing.assert_close(Preprocess()(grey), grey, rtol=0, atol=1e-6)
    assert Preprocess(5, rgb=True)(grey).shape == (2, 3, 5, 5)
    assert str(Preprocess(5, rgb=True)) == "5x5 by clean, RGB, mean 0.5, std 0.5"


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"resize": "best"}, "`resize` must be one of tf1, clean"),
        ({"size": 0}, "`size` must be positive or None, got 0"),
        ({"std": (0.0,)}, r"`std` must hold a positive number for each of `mean`"),
        ({"std": (1.0, 1.0)}, r"`std` must hold a positive number for each of `mean`"),
    ],
)
def test_refusals(arguments, match):
    with pytest.raises(ValueError, match=match):
        Preprocess(**arguments)


def test_wrong_number_of_channels():
    extractor = ModuleExtractor(nn.Flatten(), "flat", Preprocess(None, "clean", *IMAGENET))
    with pytest.raises(ValueError, match="`images` must have 3 channels, got 1"):
        extractor(torch.zeros(1, 1, 4, 4))
