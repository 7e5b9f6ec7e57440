import importlib
from itertools import pairwise

import pytest
import torch
from torch import nn

from gan_lightning import networks

SIZES = [8, 16, 32, 64, 128, 256]


def matrix_of(layer, shape):
    """The matrix of a layer without its bias: its columns are the images of the basis vectors."""
    size = torch.Size(shape).numel()
    basis = torch.eye(size, dtype=torch.float64).view(size, *shape)
    bias, layer.bias = layer.bias, None
    columns = layer(basis).flatten(1).detach()
    layer.bias = bias
    return columns.T


def convolutions(network):
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    return [layer for layer in network.modules() if isinstance(layer, kinds)]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", SIZES)
def test_shapes(size, channels):
    generator, discriminator = networks.dcgan((channels, size, size), latent_dim=5, width=2)
    x = generator(torch.randn(3, 5))
    assert x.shape == (3, channels, size, size)
    assert x.abs().max() <= 1
    assert discriminator(x).shape == (3,)
    assert discriminator.features(x).shape == (3, discriminator.feature_dim)


def test_strided_layers_are_the_transposes_of_the_transposed_ones():
    generator, discriminator = networks.dcgan((2, 16, 16), latent_dim=1, width=3)
    down = convolutions(discriminator.double())
    up = convolutions(generator.double())[::-1]  # side by side: 16 <-> 8, 8 <-> 4, 4 <-> 1
    shapes = [(2, 16, 16), (3, 8, 8), (6, 4, 4), (1, 1, 1)]
    for conv, transposed, (larger, smaller) in zip(down, up, pairwise(shapes), strict=True):
        transposed.weight = conv.weight  # (channels of the smaller map, of the larger one, 4, 4)
        torch.testing.assert_close(
            matrix_of(transposed, smaller), matrix_of(conv, larger).T, rtol=0, atol=0
        )


def test_the_matrix_of_a_strided_layer_holds_its_kernel():
    layer = convolutions(networks.DCGANDiscriminator((2, 8, 8), width=3).double())[0]
    m = matrix_of(layer, (2, 8, 8)).view(3, 4, 4, 2, 8, 8)
    expected = torch.zeros_like(m)
    for y, x, i, j in torch.cartesian_prod(*[torch.arange(n) for n in (4, 4, 8, 8)]).tolist():
        a, b = i - 2 * y + 1, j - 2 * x + 1  # stride 2, padding 1
        if 0 <= a < 4 and 0 <= b < 4:
            expected[:, y, x, :, i, j] = layer.weight.detach()[:, :, a, b]
    torch.testing.assert_close(m, expected, rtol=0, atol=0)


@pytest.mark.parametrize("size", SIZES)
def test_rules_of_the_paper(size):
    generator, discriminator = networks.dcgan((3, size, size), width=2)
    layers = [m for n in (generator, discriminator) for m in n.modules() if not list(m.children())]
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.ReLU, nn.LeakyReLU)
    assert all(isinstance(layer, kinds) for layer in layers)  # no pooling, nothing fully connected
    for network in (generator, discriminator):
        outer, *resizing = convolutions(network)[:: 1 if network is generator else -1]
        assert (outer.kernel_size, outer.stride, outer.padding) == ((4, 4), (1, 1), (0, 0))
        for layer in resizing:
            assert (layer.kernel_size, layer.stride, layer.padding) == ((4, 4), (2, 2), (1, 1))
        assert 4 * 2 ** len(resizing) == size


@pytest.mark.parametrize("size", SIZES)
def test_batch_norm_everywhere_but_at_the_image_and_the_logit(size):
    generator, discriminator = networks.dcgan((3, size, size), width=2)
    g = [type(m) for m in generator.modules() if not list(m.children())]
    d = [type(m) for m in discriminator.modules() if not list(m.children())]
    stages = len(convolutions(discriminator)) - 1
    up = [nn.ConvTranspose2d, nn.BatchNorm2d, nn.ReLU]
    assert g == up * stages + [nn.ConvTranspose2d]
    down = [nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU]
    assert d == [nn.Conv2d, nn.LeakyReLU] + down * (stages - 1) + [nn.Conv2d]
    slopes = {m.negative_slope for m in discriminator.modules() if isinstance(m, nn.LeakyReLU)}
    assert slopes == {0.2}
    # A bias before batch norm would have no effect; without batch norm it is needed.
    assert [m.bias is not None for m in convolutions(generator)] == [False] * stages + [True]
    with_bias = [True] + [False] * (stages - 1) + [True]
    assert [m.bias is not None for m in convolutions(discriminator)] == with_bias


def test_channels_double_up_to_eight_times_the_width():
    generator, discriminator = networks.dcgan((3, 256, 256), latent_dim=7, width=2)
    assert [m.out_channels for m in convolutions(discriminator)] == [2, 4, 8, 16, 16, 16, 1]
    assert [m.in_channels for m in convolutions(generator)] == [7, 16, 16, 16, 8, 4, 2]
    assert discriminator.feature_dim == 16 * 4 * 4


def test_size_of_the_networks_for_64x64():
    generator, discriminator = networks.dcgan((3, 64, 64))
    kernels = 16 * (100 * 512 + 512 * 256 + 256 * 128 + 128 * 64 + 64 * 3)
    assert (
        sum(p.numel() for p in generator.parameters()) == kernels + 2 * (512 + 256 + 128 + 64) + 3
    )
    kernels = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 1)
    assert sum(p.numel() for p in discriminator.parameters()) == (
        kernels + 64 + 2 * (128 + 256 + 512) + 1
    )


def test_initial_weights():
    for network in networks.dcgan((3, 64, 64), width=32):
        for name, layer in network.named_modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
                mean = 1.0 if isinstance(layer, nn.BatchNorm2d) else 0.0
                n = layer.weight.numel()
                assert abs(layer.weight.mean() - mean) < 5 * 0.02 / n**0.5, name
                assert abs(layer.weight.std() / 0.02 - 1) < 5 / (2 * n) ** 0.5, name
                assert layer.bias is None or layer.bias.abs().max() == 0, name


def test_real_and_fake_batches_are_normalised_apart():
    discriminator = networks.DCGANDiscriminator((1, 16, 16), width=4)
    x, x_fake = torch.randn(8, 1, 16, 16), 3 + torch.randn(8, 1, 16, 16)
    together = discriminator(torch.cat([x, x_fake]))
    apart = torch.cat([discriminator(x), discriminator(x_fake)])
    assert (together - apart).abs().max() > 1e-3  # which is why the loop never joins them


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("outputs", [1, 7])
def test_the_result_follows_from_the_features(outputs, batch_norm):
    d = networks.DCGANDiscriminator((2, 16, 16), 3, outputs, batch_norm).double().eval()
    x = torch.randn(5, 2, 16, 16, dtype=torch.float64)
    features = d.features(x)
    expected = features @ d.logit.weight.flatten(1).T + d.logit.bias
    expected = expected[:, 0] if outputs == 1 else expected
    torch.testing.assert_close(d(x), expected)
    torch.testing.assert_close(d.from_features(features), d(x), rtol=0, atol=0)


def test_without_batch_norm_every_convolution_has_a_bias():
    discriminator = networks.DCGANDiscriminator((3, 32, 32), width=2, batch_norm=False)
    kinds = [type(m) for m in discriminator.modules() if not list(m.children())]
    assert kinds == [nn.Conv2d, nn.LeakyReLU] * 3 + [nn.Conv2d]
    assert all(m.bias is not None for m in convolutions(discriminator))
    x = torch.randn(4, 3, 32, 32)
    together = discriminator(x)
    for i in range(4):  # samples do not see each other
        torch.testing.assert_close(discriminator(x[i : i + 1])[0], together[i])


def test_every_parameter_gets_a_gradient():
    generator, discriminator = networks.dcgan((3, 32, 32), latent_dim=6, width=4)
    discriminator(generator(torch.randn(4, 6))).square().sum().backward()
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


def test_the_package_offers_functions_and_modules_keep_their_path():
    module = importlib.import_module("gan_lightning.networks.dcgan")
    assert networks.dcgan is module.dcgan
    assert networks.mlp is importlib.import_module("gan_lightning.networks.mlp").mlp
    assert all(hasattr(networks, name) for name in networks.__all__)


@pytest.mark.parametrize(
    "image_shape", [(3, 28, 28), (3, 4, 4), (3, 512, 512), (3, 32, 64), (2,), (3, 32, 32, 1)]
)
def test_refused_image_shapes(image_shape):
    message = r"`image_shape` must be \(C, S, S\) with S a power of two from 8 to 256, got \(\d"
    with pytest.raises(ValueError, match=message):
        networks.DCGANGenerator(image_shape)
    with pytest.raises(ValueError, match=message):
        networks.DCGANDiscriminator(image_shape)


def test_refused_sizes():
    with pytest.raises(ValueError, match="`width` must be a positive integer, got 0"):
        networks.DCGANDiscriminator((3, 8, 8), width=0)
    with pytest.raises(ValueError, match="`outputs` must be a positive integer, got 0"):
        networks.DCGANDiscriminator((3, 8, 8), outputs=0)
    with pytest.raises(ValueError, match="`latent_dim` must be a positive integer, got -3"):
        networks.DCGANGenerator((3, 8, 8), latent_dim=-3)
    with pytest.raises(ValueError, match=r"`image_shape` .* got \(0, 8, 8\)"):
        networks.DCGANGenerator((0, 8, 8))


def test_refused_inputs():
    generator, discriminator = networks.dcgan((3, 8, 8), latent_dim=4, width=2)
    message = r"`x` must have shape \(N, 3, 8, 8\), got \(2, 3, 16, 16\)"
    with pytest.raises(ValueError, match=message):
        discriminator(torch.zeros(2, 3, 16, 16))
    with pytest.raises(ValueError, match=message):
        discriminator.features(torch.zeros(2, 3, 16, 16))
    with pytest.raises(ValueError, match=r"`z` must have shape \(N, 4\), got \(2, 5\)"):
        generator(torch.zeros(2, 5))
