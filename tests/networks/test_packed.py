"""Packing as a wrapper of a discriminator."""

from functools import partial

import pytest
import torch
from torch import nn

from gan_lightning import networks
from gan_lightning.families._loop.networks import packing
from gan_lightning.regularizers import R1


def by_hand(x, m):
    """Packs of consecutive samples, joined along their first axis one by one."""
    return torch.stack([torch.cat(list(x[i : i + m])) for i in range(0, len(x), m)])


@pytest.mark.parametrize("shape", [(2,), (3, 8, 8)])
@pytest.mark.parametrize("m", [1, 2, 4])
def test_it_is_the_inner_network_on_packs(shape, m):
    make = networks.MLPDiscriminator if len(shape) == 1 else networks.DCGANDiscriminator
    d = networks.Packed(partial(make, width=4), m, image_shape=shape).double().eval()
    assert d.network.image_shape == (m * shape[0], *shape[1:])
    x = torch.randn(8, *shape, dtype=torch.float64)
    assert torch.equal(*d.pack(x), by_hand(x, m))
    logits = d(x)
    assert logits.shape == (8 // m,)
    torch.testing.assert_close(logits, d.network(by_hand(x, m)))
    features = d.features(x)
    assert features.shape == (8 // m, d.feature_dim)
    torch.testing.assert_close(features, d.network.features(by_hand(x, m)))
    torch.testing.assert_close(d.from_features(features), logits)


def test_a_network_that_is_there_already_is_taken_as_it_is():
    inner = networks.MLPDiscriminator((6,), width=4)
    d = networks.Packed(inner, 3)
    assert d.network is inner
    assert d.samples_per_input == packing(d) == 3
    x = torch.randn(9, 2)
    torch.testing.assert_close(d(x), inner(x.reshape(3, 6)), rtol=0, atol=0)


def test_other_real_inputs_are_packed_likewise():
    class Pair(nn.Module):
        def forward(self, x, z):
            return x.sum(1) - 3 * z.sum(1)

    x, z = torch.randn(6, 2).double(), torch.randn(6, 4).double()
    packed = networks.Packed(Pair(), 2)(x, z)
    expected = [x[i : i + 2].sum() - 3 * z[i : i + 2].sum() for i in (0, 2, 4)]
    torch.testing.assert_close(packed, torch.stack(expected))


def test_samples_get_their_labels_before_they_are_packed():
    factory = partial(networks.Packed, partial(networks.MLPDiscriminator, width=4), 2)
    d = networks.ConditionalDiscriminator((2,), 3, factory).double()
    x, labels = torch.randn(6, 2, dtype=torch.float64), torch.tensor([0, 1, 2, 2, 1, 0])
    joined = torch.cat([x, torch.eye(3, dtype=torch.float64)[labels]], 1)
    torch.testing.assert_close(d(x, labels), d.network.network(by_hand(joined, 2)))
    assert d(x, labels).shape == (3,)
    assert packing(d) == 2
    assert d.features(x, labels).shape == (3, d.feature_dim)


class Game:
    """What R1 sees of a family."""

    def __init__(self, discriminator):
        self.discriminator = self.judge = discriminator
        self.samples_per_input = packing(discriminator)


@pytest.mark.parametrize("m", [2, 3])
def test_r1_is_the_penalty_on_packs(m):
    d = networks.Packed(networks.MLPDiscriminator((2 * m,), width=8), m).double()
    x = torch.randn(6, 2, dtype=torch.float64)
    penalty = R1(gamma=3.0).penalty(Game(d), (x,), None)
    norms = []
    for pack in by_hand(x, m):
        point = pack.requires_grad_()
        (gradient,) = torch.autograd.grad(d.network(point[None])[0], point)
        norms.append(gradient.square().sum())
    torch.testing.assert_close(penalty, 3.0 / 2 * torch.stack(norms).mean())


def test_a_batch_that_m_does_not_divide():
    d = networks.Packed(networks.MLPDiscriminator((6,)), 3)
    match = r"`x` must have a number of rows that m = 3 divides, .* got 8"
    with pytest.raises(ValueError, match=match):
        d(torch.zeros(8, 2))


def test_labels_are_joined_before():
    d = networks.Packed(networks.MLPDiscriminator((4,)), 2)
    match = r"`Packed` must be given floating-point inputs, .* got torch.int64; give each sample"
    with pytest.raises(ValueError, match=match):
        d(torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64))


def test_refused_arguments():
    with pytest.raises(ValueError, match="`m` must be a positive integer, got 0"):
        networks.Packed(networks.MLPDiscriminator((2,)), 0)
    with pytest.raises(ValueError, match=r"`image_shape` must be given .* got None"):
        networks.Packed(networks.MLPDiscriminator, 2)
    with pytest.raises(ValueError, match="`image_shape` must be a tuple of positive integers"):
        networks.Packed(networks.MLPDiscriminator, 2, image_shape=(0,))


def test_a_network_without_features_stays_without():
    assert not hasattr(networks.Packed(nn.Linear(4, 1), 2), "feature_dim")
