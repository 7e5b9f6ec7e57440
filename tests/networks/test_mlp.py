import pytest
import torch
from torch import nn

from gan_lightning import networks


@pytest.mark.parametrize("image_shape", [(2,), (1, 8, 8), (3, 5, 7)])
def test_shapes(image_shape):
    generator, discriminator = networks.mlp(image_shape, latent_dim=4, width=16, depth=2)
    x = generator(torch.randn(6, 4))
    assert x.shape == (6, *image_shape)
    assert discriminator(x).shape == (6,)
    assert discriminator.features(x).shape == (6, discriminator.feature_dim)


def test_the_forward_pass_is_the_written_out_one():
    generator, discriminator = (n.double() for n in networks.mlp((2,), 3, width=5, depth=2))
    z = torch.randn(7, 3, dtype=torch.float64)
    w = [p.detach() for p in generator.parameters()]
    h = (z @ w[0].T + w[1]).clamp(min=0)
    h = (h @ w[2].T + w[3]).clamp(min=0)
    x = h @ w[4].T + w[5]
    torch.testing.assert_close(generator(z), x)
    w = [p.detach() for p in discriminator.parameters()]
    for weight, bias in ((w[0], w[1]), (w[2], w[3])):
        x = x @ weight.T + bias
        x = torch.where(x > 0, x, 0.2 * x)
    torch.testing.assert_close(discriminator.features(generator(z)), x)
    torch.testing.assert_close(discriminator(generator(z)), (x @ w[4].T + w[5])[:, 0])


@pytest.mark.parametrize("outputs", [1, 4])
def test_the_result_follows_from_the_features(outputs):
    d = networks.MLPDiscriminator((2, 3), width=5, depth=2, outputs=outputs).double()
    x = torch.randn(7, 2, 3, dtype=torch.float64)
    features = d.features(x)
    expected = features @ d.logit.weight.T + d.logit.bias
    torch.testing.assert_close(d(x), expected[:, 0] if outputs == 1 else expected)
    torch.testing.assert_close(d.from_features(features), d(x), rtol=0, atol=0)
    with pytest.raises(ValueError, match="`outputs` must be a positive integer, got -2"):
        networks.MLPDiscriminator((2,), outputs=-2)


def test_images_are_bounded_and_points_are_not():
    z = 1e3 * torch.randn(64, 4)
    assert networks.MLPGenerator((1, 4, 4), 4)(z).abs().max() <= 1
    assert networks.MLPGenerator((2,), 4)(z).abs().max() > 1


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_depth_counts_hidden_layers(depth):
    for network in networks.mlp((2,), latent_dim=4, depth=depth):
        assert sum(isinstance(m, nn.Linear) for m in network.modules()) == depth + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_shape": ()}, r"`image_shape` must be a tuple of positive integers, got \(\)"),
        ({"image_shape": (2, 0)}, r"`image_shape` must be .* got \(2, 0\)"),
        ({"image_shape": (2.0,)}, r"`image_shape` must be .* got \(2\.0,\)"),
        ({"latent_dim": 0}, "`latent_dim` must be a positive integer, got 0"),
        ({"width": -1}, "`width` must be a positive integer, got -1"),
        ({"depth": 1.5}, "`depth` must be a positive integer, got 1.5"),
        ({"depth": True}, "`depth` must be a positive integer, got True"),
    ],
)
def test_refused_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        networks.mlp(**({"image_shape": (2,), "latent_dim": 4} | arguments))


def test_refused_inputs():
    generator, discriminator = networks.mlp((2,), latent_dim=4)
    with pytest.raises(ValueError, match=r"`z` must have shape \(N, 4\), got \(6, 5\)"):
        generator(torch.randn(6, 5))
    with pytest.raises(ValueError, match=r"`x` must have shape \(N, 2\), got \(6, 3\)"):
        discriminator(torch.randn(6, 3))
    with pytest.raises(ValueError, match=r"`x` must have shape \(N, 2\), got \(\)"):
        discriminator(torch.tensor(1.0))
