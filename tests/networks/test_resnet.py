"""The residual pair, against the papers' blocks written out."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from gan_lightning import networks


def relu(x):
    return torch.where(x > 0, x, torch.zeros_like(x))


def doubled(x):
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def halved(x):
    return (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4


def normalised(x, norm):
    mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
    scaled = (x - mean) / (var + norm.eps).sqrt()
    return scaled * norm.weight[:, None, None] + norm.bias[:, None, None]


def conv(x, layer):
    return functional.conv2d(x, layer.weight, layer.bias, padding=layer.weight.shape[-1] // 2)


@pytest.mark.parametrize("size", [16, 32, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(size, channels):
    generator, discriminator = networks.resnet((channels, size, size), latent_dim=5, width=4)
    x = generator(torch.randn(3, 5))
    assert x.shape == (3, channels, size, size)
    assert x.abs().max() <= 1
    assert discriminator(x).shape == (3,)
    assert discriminator.features(x).shape == (3, discriminator.feature_dim)


def test_the_generator_is_the_written_out_one():
    generator = networks.ResNetGenerator((3, 16, 16), latent_dim=5, width=4).double()
    with torch.no_grad():
        for p in generator.parameters():
            p.add_(0.1 * torch.randn_like(p))
    z = torch.randn(6, 5, dtype=torch.float64)
    h = (z @ generator.input.weight.T + generator.input.bias).view(6, 4, 4, 4)
    for block in generator.body:
        first, second = block.convolutions
        inner = conv(doubled(relu(normalised(h, block.norms[0]))), first)
        inner = conv(relu(normalised(inner, block.norms[1])), second)
        h = inner + conv(doubled(h), block.shortcut)
    x = torch.tanh(conv(relu(normalised(h, generator.norm)), generator.output))
    torch.testing.assert_close(generator(z), x)


@pytest.mark.parametrize(("size", "halving"), [(16, 0), (32, 1)])
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_discriminator_is_the_written_out_one(size, halving, outputs):
    shape = (2, size, size)
    d = networks.ResNetDiscriminator(shape, 4, outputs, spectral_norm=False).double()
    with torch.no_grad():
        for p in d.parameters():
            p.add_(0.1 * torch.randn_like(p))
    x = torch.randn(3, *shape, dtype=torch.float64)
    opening, *blocks = d.body
    assert len(blocks) == halving + 2
    first, second = opening.convolutions
    h = halved(conv(relu(conv(x, first)), second)) + conv(halved(x), opening.shortcut)
    for i, block in enumerate(blocks):
        first, second = block.convolutions
        inner = conv(relu(conv(relu(h), first)), second)
        if i < halving:
            h = halved(inner + conv(h, block.shortcut))
        else:
            assert block.shortcut is None
            h = inner + h
    assert h.shape[2:] == (8, 8)
    features = relu(h).sum((2, 3))
    logits = features @ d.logit.weight.T + d.logit.bias
    torch.testing.assert_close(d.features(x), features)
    torch.testing.assert_close(d(x), logits[:, 0] if outputs == 1 else logits)
    torch.testing.assert_close(d.from_features(features), d(x))


def test_the_discriminator_has_spectral_norm_and_no_batch_norm():
    _, d = networks.resnet((3, 32, 32), width=4)
    layers = [m for m in d.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == 4 * 2 + 2 + 1  # two of four blocks have a shortcut
    assert all(nn.utils.parametrize.is_parametrized(layer, "weight") for layer in layers)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in d.modules())


def test_initial_weights_are_glorots():
    for network in (
        networks.ResNetGenerator((3, 32, 32), width=64),
        networks.ResNetDiscriminator((3, 32, 32), width=64, spectral_norm=False),
    ):
        for name, layer in network.named_modules():
            if not isinstance(layer, nn.Conv2d | nn.Linear):
                continue
            fan = layer.weight[0].numel() + layer.weight.shape[0] * layer.weight[0, 0].numel()
            gain = 2.0 if "convolutions" in name else 1.0
            bound = (gain * 6 / fan) ** 0.5
            n = layer.weight.numel()
            assert layer.weight.abs().max() <= bound * (1 + 1e-6), name
            assert layer.weight.abs().max() > bound * (1 - 20 / n), name
            assert layer.bias.abs().max() == 0, name


def test_every_parameter_gets_a_gradient():
    generator, discriminator = networks.resnet((1, 16, 16), latent_dim=6, width=8)
    discriminator(generator(torch.randn(4, 6))).square().sum().backward()
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name


@pytest.mark.parametrize("image_shape", [(3, 8, 8), (3, 48, 48), (3, 128, 128), (2,), (3, 16, 32)])
def test_refused_image_shapes(image_shape):
    message = r"`image_shape` must be \(C, S, S\) with S 16, 32 or 64, got \(\d"
    for network in (networks.ResNetGenerator, networks.ResNetDiscriminator):
        with pytest.raises(ValueError, match=message):
            network(image_shape)


def test_refused_sizes():
    with pytest.raises(ValueError, match="`width` must be a positive integer, got 0"):
        networks.ResNetDiscriminator((3, 16, 16), width=0)
    with pytest.raises(ValueError, match="`outputs` must be a positive integer, got 0"):
        networks.ResNetDiscriminator((3, 16, 16), outputs=0)
    with pytest.raises(ValueError, match="`latent_dim` must be a positive integer, got 0"):
        networks.ResNetGenerator((3, 16, 16), latent_dim=0)
