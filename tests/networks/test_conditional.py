"""Networks that take labels."""

from functools import partial

import pytest
import torch
from torch import nn

from gan_lightning import networks
from gan_lightning.networks.conditional import LabelVector

K = 3
LABELS = torch.tensor([2, 0, 1, 1, 2])
POINTS, IMAGES = (2,), (2, 8, 8)


def inner(kind, shape):
    """Small networks for points or images."""
    points, images = {
        "generator": (networks.MLPGenerator, networks.DCGANGenerator),
        "discriminator": (networks.MLPDiscriminator, networks.DCGANDiscriminator),
    }[kind]
    return partial(points if len(shape) == 1 else images, width=4)


def pair(shape, embedding_dim=None):
    factories = inner("generator", shape), inner("discriminator", shape)
    both = networks.conditional_pair(shape, 4, K, *factories, embedding_dim)
    return [network.double().eval() for network in both]


def z_of(n):
    return torch.randn(n, 4, dtype=torch.float64)


def test_one_hot_vectors():
    vectors = LabelVector(K)(LABELS, torch.zeros(5, dtype=torch.float64))
    expected = [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]]
    torch.testing.assert_close(vectors, torch.tensor(expected, dtype=torch.float64))
    assert LabelVector(K).dim == 3


def test_learned_vectors_are_rows_of_a_table():
    label = LabelVector(K, embedding_dim=5).double()
    expected = torch.stack([label.embedding.weight[y] for y in LABELS.tolist()])
    torch.testing.assert_close(label(LABELS, torch.zeros(5)), expected, rtol=0, atol=0)
    assert label.dim == 5


@pytest.mark.parametrize("shape", [POINTS, IMAGES])
@pytest.mark.parametrize("embedding_dim", [None, 2])
def test_the_generator_is_the_inner_one_on_z_and_the_label(shape, embedding_dim):
    generator, _ = pair(shape, embedding_dim)
    z = z_of(5)
    vectors = torch.eye(K).double() if embedding_dim is None else generator.label.embedding.weight
    joined = torch.stack([torch.cat([z[i], vectors[LABELS[i]]]) for i in range(5)])
    expected = generator.network(joined)
    torch.testing.assert_close(generator(z, LABELS), expected, rtol=0, atol=0)


def test_a_one_hot_code_is_a_bias_of_its_own_for_each_class():
    generator, _ = pair(POINTS)
    first = generator.network.body[0]
    z = z_of(5)
    joined = torch.cat([z, torch.eye(K).double()[LABELS]], 1)
    expected = z @ first.weight[:, :4].T + first.bias + first.weight[:, 4:].T[LABELS]
    torch.testing.assert_close(first(joined), expected)


@pytest.mark.parametrize("embedding_dim", [None, 2])
def test_the_label_of_an_image_is_constant_channels(embedding_dim):
    _, discriminator = pair(IMAGES, embedding_dim)
    x = torch.randn(5, *IMAGES, dtype=torch.float64)
    table = discriminator.label.embedding
    vectors = torch.eye(K).double() if table is None else table.weight.detach()
    joined = torch.empty(5, 2 + vectors.shape[1], 8, 8, dtype=torch.float64)
    for i, y in enumerate(LABELS.tolist()):
        joined[i, :2] = x[i]
        for channel, value in enumerate(vectors[y]):
            joined[i, 2 + channel] = value
    torch.testing.assert_close(discriminator.join(x, LABELS), joined, rtol=0, atol=0)
    torch.testing.assert_close(discriminator(x, LABELS), discriminator.network(joined))


def test_the_label_of_a_point_is_more_coordinates():
    _, discriminator = pair(POINTS)
    x = torch.randn(5, 2, dtype=torch.float64)
    joined = torch.tensor(
        [[*x[i].tolist(), *torch.eye(K)[y].tolist()] for i, y in enumerate(LABELS)]
    )
    torch.testing.assert_close(discriminator(x, LABELS), discriminator.network(joined.double()))


@pytest.mark.parametrize("shape", [POINTS, IMAGES])
def test_the_result_follows_from_the_features(shape):
    _, discriminator = pair(shape)
    x = torch.randn(5, *shape, dtype=torch.float64)
    features = discriminator.features(x, LABELS)
    assert features.shape == (5, discriminator.feature_dim)
    torch.testing.assert_close(discriminator.from_features(features), discriminator(x, LABELS))


@pytest.mark.parametrize("shape", [POINTS, IMAGES])
@pytest.mark.parametrize("embedding_dim", [None, 2])
def test_the_label_reaches_the_result(shape, embedding_dim):
    generator, discriminator = pair(shape, embedding_dim)
    n = 20  # the same samples for each of the classes
    z, x = z_of(n).repeat(K, 1), torch.randn(n, *shape).double().repeat(K, *(1 for _ in shape))
    labels = torch.arange(K).repeat_interleave(n)
    samples, logits = generator(z, labels), discriminator(x, labels)
    for a, b in ((0, n), (0, 2 * n), (n, 2 * n)):
        assert (samples[a : a + n] - samples[b : b + n]).abs().max() > 1e-6
        assert (logits[a : a + n] - logits[b : b + n]).abs().max() > 1e-9
    (samples.square().sum() + logits.sum()).backward()
    for network in (generator, discriminator):
        assert all(p.grad is not None for p in network.parameters())
        if embedding_dim is not None:
            assert (network.label.embedding.weight.grad.abs().sum(1) > 0).all()


def test_projection_is_the_papers_formula():
    d = networks.ProjectionDiscriminator(IMAGES, K, inner("discriminator", IMAGES)).double().eval()
    x = torch.randn(5, *IMAGES, dtype=torch.float64)
    phi = d.network.body(x).flatten(1)
    psi = phi @ d.network.logit.weight.flatten() + d.network.logit.bias
    expected = [psi[i] + sum(d.embedding.weight[y] * phi[i]) for i, y in enumerate(LABELS.tolist())]
    torch.testing.assert_close(d(x, LABELS), torch.stack(expected))
    torch.testing.assert_close(d.features(x, LABELS), phi, rtol=0, atol=0)
    assert d.feature_dim == phi.shape[1]
    assert not hasattr(d, "from_features")


def test_the_projection_of_two_classes_differs_by_their_vectors():
    d = networks.ProjectionDiscriminator(POINTS, K, inner("discriminator", POINTS)).double()
    x = torch.randn(5, 2, dtype=torch.float64)
    zeros, ones = torch.zeros(5, dtype=torch.int64), torch.ones(5, dtype=torch.int64)
    difference = d.features(x, ones) @ (d.embedding.weight[1] - d.embedding.weight[0])
    torch.testing.assert_close(d(x, ones) - d(x, zeros), difference)


def test_short_use_chooses_the_inner_networks_by_the_shape():
    generator, discriminator = networks.conditional_pair((2,), 8, K)
    assert isinstance(generator.network, networks.MLPGenerator)
    assert isinstance(discriminator.network, networks.MLPDiscriminator)
    generator, discriminator = networks.conditional_pair((1, 8, 8), 8, K)
    assert isinstance(generator.network, networks.DCGANGenerator)
    assert isinstance(discriminator.network, networks.DCGANDiscriminator)
    assert generator.network.latent_dim == 8 + K
    assert discriminator.network.image_shape == (1 + K, 8, 8)


def test_integer_types_of_labels_are_alike():
    generator, discriminator = pair(POINTS)
    z = z_of(5)
    for dtype in (torch.uint8, torch.int32):
        x = generator(z, LABELS.to(dtype))
        assert torch.equal(x, generator(z, LABELS))
        assert torch.equal(discriminator(x, LABELS.to(dtype)), discriminator(x, LABELS))


class Featureless(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.linear = nn.Linear(*shape, 1)

    def forward(self, x):
        return self.linear(x)[:, 0]


def test_a_wrapper_offers_features_where_the_inner_network_does():
    wrapper = networks.ConditionalDiscriminator((2,), K, Featureless)
    assert wrapper(torch.randn(5, 2), LABELS).shape == (5,)
    assert not hasattr(wrapper, "feature_dim")
    message = "`network` must make a discriminator with .* to project on, got Featureless"
    with pytest.raises(ValueError, match=message):
        networks.ProjectionDiscriminator((2,), K, Featureless)


def test_the_features_of_a_pack_have_no_one_label():
    packed = partial(networks.Packed, networks.MLPDiscriminator, 2)
    with pytest.raises(ValueError, match=r"`network` must not pack, because .* got Packed"):
        networks.ProjectionDiscriminator((2,), K, packed)


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (LABELS.double(), r"`labels` must be integers of shape \(5,\), got torch.float64"),
        (LABELS[:4], r"`labels` must be integers of shape \(5,\), got torch.int64 of shape \(4,\)"),
        (LABELS[:, None], r"integers of shape \(5,\), got torch.int64 of shape \(5, 1\)"),
    ],
)
def test_refused_labels(labels, match):
    projection = networks.ProjectionDiscriminator(POINTS, K, networks.MLPDiscriminator)
    generator, discriminator = networks.conditional_pair(POINTS, 4, K)
    for network, width in ((generator, 4), (discriminator, 2), (projection, 2)):
        with pytest.raises(ValueError, match=match):
            network(torch.randn(5, width), labels)


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"num_classes": 0}, "`num_classes` must be a positive integer, got 0"),
        ({"num_classes": None}, "`num_classes` must be a positive integer, got None"),
        ({"embedding_dim": 0}, "`embedding_dim` must be a positive integer, got 0"),
        ({"latent_dim": 0}, "`latent_dim` must be a positive integer, got 0"),
        ({"image_shape": ()}, "`image_shape` must be a tuple of positive integers"),
    ],
)
def test_refused_arguments(kwargs, match):
    with pytest.raises(ValueError, match=match):
        networks.conditional_pair(
            **({"image_shape": (2,), "latent_dim": 4, "num_classes": K} | kwargs)
        )


def test_refused_samples():
    generator, discriminator = networks.conditional_pair(POINTS, 4, K)
    with pytest.raises(ValueError, match=r"`z` must have shape \(N, 4\), got \(5, 7\)"):
        generator(torch.randn(5, 7), LABELS)
    with pytest.raises(ValueError, match=r"`x` must have shape \(N, 2\), got \(5, 5\)"):
        discriminator(torch.randn(5, 5), LABELS)
