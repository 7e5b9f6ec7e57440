"""What all extractors share: the check of the range, 8 bits, modes, and the fingerprint."""

import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.transforms.functional import to_pil_image

from gan_lightning.metrics.extractors.base import AbstractExtractor, as_rgb, digest_of
from gan_lightning.metrics.extractors.classifiers import DigitsClassifier
from gan_lightning.metrics.extractors.modules import ModuleExtractor
from gan_lightning.metrics.extractors.pixels import PixelExtractor
from gan_lightning.metrics.extractors.preprocess import Preprocess
from gan_lightning.metrics.extractors.random_conv import RandomConvExtractor


def images(n=3, channels=1, size=16, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.rand(n, channels, size, size, generator=random) * 2 - 1


def extractors():
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout())
    return [
        PixelExtractor(),
        RandomConvExtractor(),
        DigitsClassifier(),
        ModuleExtractor(module, "m", Preprocess(20)),
    ]


@pytest.fixture(params=range(4), ids=["pixels", "random_conv", "digits", "module"])
def extractor(request):
    return extractors()[request.param]


@pytest.mark.parametrize("wrong", [images() * 127 + 128, images() * 1.01, images() - 0.5])
def test_other_ranges_are_refused(extractor, wrong):
    with pytest.raises(ValueError, match=r"`images` must lie in \[-1, 1\], got values from"):
        extractor(wrong)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(extractor, value):
    x = images()
    x[1, 0, 2, 3] = value
    with pytest.raises(ValueError, match=r"`images` must lie in \[-1, 1\], got values from"):
        extractor(x)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (torch.zeros(4, 16), r"`images` must be \(N, C, H, W\), got shape \(4, 16\)"),
        (torch.zeros(0, 1, 16, 16), r"`images` must be \(N, C, H, W\), got shape \(0, 1, 16, 16\)"),
        (torch.zeros(1, 1, 16, 16).long(), "must be floats in .* or uint8, got torch.int64"),
    ],
)
def test_what_are_no_images_is_refused(extractor, wrong, match):
    with pytest.raises(ValueError, match=match):
        extractor(wrong)


def test_bytes_give_what_floats_give(extractor):
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    floats = levels.float() / 127.5 - 1
    for name, value in extractor(levels).items():
        torch.testing.assert_close(value, extractor(floats)[name], rtol=0, atol=0)


def test_quantised_like_a_picture_on_disk(tmp_path):
    x = images(1, 3)
    x[0, 0, 0, :4] = torch.tensor([-1.0, 1.0, 1.0005, -1.0005])  # what half precisions add
    pixels = ((x.double().clamp(-1, 1) + 1) / 2 * 255 + 0.5).floor().to(torch.uint8)
    to_pil_image(pixels[0]).save(tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as picture:
        read = torch.tensor(list(picture.convert("RGB").tobytes()), dtype=torch.uint8)
    read = read.view(1, 16, 16, 3).permute(0, 3, 1, 2)
    extractor = PixelExtractor()
    torch.testing.assert_close(extractor(x)["images"], extractor(read)["images"], rtol=0, atol=0)
    assert torch.equal(extractor(x)["images"], extractor(extractor(x)["images"])["images"])


def test_half_a_level_is_rounded_up():
    x = torch.tensor([0.49, 0.51, 1.49, 1.51, 253.49, 253.51]) / 127.5 - 1
    x = torch.cat([x, torch.zeros(1)])  # 0 is the level 127.5 exactly
    found = PixelExtractor()(x.view(1, 1, 1, 7))["features"]
    expected = torch.tensor([[0.0, 1.0, 1.0, 2.0, 253.0, 254.0, 128.0]]) / 127.5 - 1
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_outputs_are_those_promised_and_the_images(extractor):
    found = extractor(images())
    assert tuple(found) == extractor.outputs
    assert extractor.outputs[-1] == "images"
    assert all(len(value) == 3 and value.dtype == torch.float32 for value in found.values())
    assert found["images"].shape == (3, 1, 16, 16)


def test_images_are_not_copied():
    found = PixelExtractor()(images())
    assert found["features"].data_ptr() == found["images"].data_ptr()


def test_the_size_of_batches_does_not_matter(extractor):
    x = images(7)
    whole = extractor(x)
    parts = [extractor(part) for part in x.split(3)]
    for name, value in whole.items():
        joined = torch.cat([part[name] for part in parts])
        torch.testing.assert_close(value, joined, rtol=1e-5, atol=1e-5)


def test_modes_come_back_module_by_module():
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout())
    extractor = ModuleExtractor(module, "m").train()
    module[1].eval()
    before = [m.training for m in extractor.modules()]
    state = {name: value.clone() for name, value in extractor.state_dict().items()}
    first, second = extractor(images())["features"], extractor(images())["features"]
    assert torch.equal(first, second)  # no dropout
    assert [m.training for m in extractor.modules()] == before
    assert before.count(False) == 1
    assert all(torch.equal(value, state[name]) for name, value in extractor.state_dict().items())


def test_modes_come_back_after_an_error():
    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("broken")

    extractor = ModuleExtractor(Broken(), "broken").train()
    with pytest.raises(RuntimeError, match="broken"):
        extractor(images())
    assert extractor.training
    assert extractor.network.training


def test_autocast_is_off_inside(extractor):
    alone = extractor(images())
    with torch.autocast("cpu", torch.bfloat16):
        inside = extractor(images())
    assert all(torch.equal(inside[name], value) for name, value in alone.items())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_floats(extractor, dtype):
    x = images().to(dtype)
    torch.testing.assert_close(
        extractor(x)["features"], extractor(x.float())["features"], rtol=0, atol=0
    )


def test_no_gradients(extractor):
    assert not extractor(images().requires_grad_())["features"].requires_grad


def test_fingerprints_tell_extractors_weights_and_resizing_apart():
    module = nn.Conv2d(1, 4, 3)
    changed = nn.Conv2d(1, 4, 3)
    changed.load_state_dict(module.state_dict())
    again = ModuleExtractor(changed, "m", Preprocess(20)).fingerprint
    assert ModuleExtractor(module, "m", Preprocess(20)).fingerprint == again
    with torch.no_grad():
        changed.weight[0, 0, 0, 0] += 1e-6
    others = [
        ModuleExtractor(changed, "m", Preprocess(20)),
        ModuleExtractor(module, "m", Preprocess(20, "tf1")),
        ModuleExtractor(module, "m", Preprocess(21)),
        ModuleExtractor(module, "m", Preprocess(20, mean=(0.4,))),
        ModuleExtractor(module, "n", Preprocess(20)),
        *extractors(),
        RandomConvExtractor(seed=1),
    ]
    prints = [again, *(e.fingerprint for e in others)]
    assert len(set(prints)) == len(prints)


def test_digests_do_not_depend_on_strides_or_gradients():
    a, b = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
    b.load_state_dict(a.state_dict())
    assert digest_of(a) == digest_of(b.to(memory_format=torch.channels_last).requires_grad_(False))
    assert digest_of(nn.ReLU()) == "none"
    assert digest_of(a) != digest_of(a.double())


def test_grey_is_shown_in_three_colours():
    grey = images()
    assert torch.equal(as_rgb(grey), grey.repeat(1, 3, 1, 1))
    with pytest.raises(ValueError, match="`images` must have 1 or 3 channels, got 2"):
        as_rgb(images(channels=2))


def test_only_the_canonical_extractor_says_so(extractor):
    assert not extractor.canonical
    assert extractor.variant == ""
    assert isinstance(extractor, AbstractExtractor)
