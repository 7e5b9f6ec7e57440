"""Spectral normalisation of whole networks."""

import copy
import io

import pytest
import torch
from torch import nn

from gan_lightning import networks
from gan_lightning.networks.layers.spectral import spectrally_normalised


def discriminators():
    return [
        networks.MLPDiscriminator((3,), width=5, depth=2, spectral_norm=True),
        networks.DCGANDiscriminator((2, 8, 8), width=3, batch_norm=False, spectral_norm=True),
        networks.ResNetDiscriminator((2, 16, 16), width=3),
        networks.ProjectionDiscriminator(
            (3,), 4, lambda shape: networks.MLPDiscriminator(shape, 5), spectral_norm=True
        ).embedding,
    ]


def weights(network):
    """Every weight as a matrix, rows the outputs, normalised and original."""
    layers = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.Embedding)]
    return [
        (m.weight.detach().flatten(1), m.parametrizations.weight.original.detach().flatten(1))
        for m in layers
    ]


@pytest.mark.parametrize("network", discriminators(), ids=lambda n: type(n).__name__)
def test_every_weight_is_divided_by_its_largest_singular_value(network):
    network.double()
    for _ in range(300):  # in training mode one power iteration each
        weights(network)
    network.eval()
    for normalised, original in weights(network):
        sigma = torch.linalg.svdvals(original)[0]
        torch.testing.assert_close(normalised, original / sigma, rtol=1e-6, atol=0)


def test_the_estimate_is_a_lower_bound_of_the_norm_and_used_as_it_is():
    layer = spectrally_normalised(nn.Linear(40, 30).double())
    norm = layer.parametrizations.weight[0]
    w = layer.parametrizations.weight.original.detach()
    x = torch.randn(2, 40, dtype=torch.float64)
    y = layer(x).detach()
    sigma = norm._u @ w @ norm._v  # Miyato et al. 2018, Eq. 18
    torch.testing.assert_close(y, x @ (w / sigma).T + layer.bias.detach())
    assert 0 < sigma <= torch.linalg.svdvals(w)[0] * (1 + 1e-12)


def test_a_fully_connected_discriminator_is_1_lipschitz():
    d = networks.MLPDiscriminator((3,), width=16, spectral_norm=True).double()
    for _ in range(300):
        weights(d)
    d.eval()
    x, y = 5 * torch.randn(2, 4000, 3, dtype=torch.float64)
    slopes = (d(x) - d(y)).abs() / (x - y).norm(dim=1)
    assert slopes.max() <= 1 + 1e-9
    free = networks.MLPDiscriminator((3,), width=16).double()
    for p in free.parameters():
        p.data.mul_(10)
    assert ((free(x) - free(y)).abs() / (x - y).norm(dim=1)).max() > 1


@pytest.mark.parametrize("network", discriminators()[:3], ids=lambda n: type(n).__name__)
def test_copies_states_and_gradients(network):
    network.double().train()
    x = torch.randn(4, *network.image_shape, dtype=torch.float64)
    network(x)
    again = copy.deepcopy(network).eval()
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    module, shape = type(network), network.image_shape
    kwargs = {"batch_norm": False} if module is networks.DCGANDiscriminator else {}
    kwargs |= {"depth": 2} if module is networks.MLPDiscriminator else {}
    width = network.recorded["init_args"]["width"]
    loaded = module(shape, width=width, spectral_norm=True, **kwargs).double().eval()
    loaded.load_state_dict(torch.load(file, weights_only=True))
    network.eval()
    assert torch.equal(network(x), again(x))
    assert torch.equal(network(x), loaded(x))
    assert torch.equal(network(x), network(x))  # in evaluation mode sigma stays put
    network.train()
    (network(x).square().sum() + network(x).sum()).backward()  # two passes, one graph
    assert all(p.grad is not None for p in network.parameters())


def test_generators_have_transposed_convolutions_that_are_normalised_too():
    generator = spectrally_normalised(networks.DCGANGenerator((1, 8, 8), 4, width=2).double())
    layer = generator.output
    for _ in range(300):
        layer.weight  # noqa: B018  (a power iteration)
    matrix = layer.weight.detach().transpose(0, 1).flatten(1)  # rows: the output channels
    assert float(torch.linalg.svdvals(matrix)[0]) == pytest.approx(1, abs=1e-6)
