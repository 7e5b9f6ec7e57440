"""Networks and batches that do not fit a family, each refused in one sentence."""

from functools import partial

import pytest
import torch
from cases import CASES, labelled
from support import LATENT, LabelledPoints, Repeated, trainer
from torch import nn

from gan_lightning import families, networks
from gan_lightning.networks import conditional


def packed():
    return networks.Packed(networks.MLPDiscriminator((4,), 16, 2), 2)


@pytest.mark.parametrize("name", ["acgan", "infogan"])
def test_a_packed_discriminator_where_single_samples_are_told(name):
    with pytest.raises(ValueError, match=r"`discriminator` must not pack samples for .* packs 2"):
        CASES[name].make(discriminator=packed())


def test_networks_with_fewer_classes_than_the_family():
    g = partial(networks.MLPGenerator, width=16)
    generator = conditional.ConditionalGenerator((2,), LATENT, 2, g).double()
    game = families.CGAN(generator, labelled()[1].double(), LATENT, num_classes=3)
    with pytest.raises(ValueError, match=r"`generator` must take z .* but fails on it"):
        trainer(max_steps=1).fit(game, datamodule=LabelledPoints())


@pytest.mark.parametrize(
    "labels", [torch.zeros(8, 1, dtype=torch.int64), torch.zeros(7, dtype=torch.int64), [0] * 8]
)
@pytest.mark.parametrize("name", ["cgan", "acgan", "semi-supervised"])
def test_labels_of_another_shape(name, labels):
    batch = (torch.zeros(8, 2, dtype=torch.float64), labels)
    with pytest.raises(ValueError, match="`labels` of a batch must be an integer tensor of shape"):
        trainer(max_steps=1).fit(CASES[name].make(), Repeated(batch))


@pytest.mark.parametrize("name", ["cgan", "acgan", "semi-supervised"])
def test_small_integers_are_labels(name):
    batch = (torch.randn(8, 2, dtype=torch.float64), torch.arange(8, dtype=torch.int16) % 3)
    game = CASES[name].make()
    trainer(max_steps=1).fit(game, Repeated(batch))
    assert game.discriminator_updates == 1


def test_a_level_that_returns_probabilities():
    game = CASES["lapgan"].make()
    game.discriminator.networks[1] = nn.Sequential(game.discriminator.networks[1], nn.Sigmoid())
    with pytest.raises(ValueError, match=r"`discriminator` must return .* layer is Sigmoid"):
        trainer(max_steps=1).fit(game, datamodule=CASES["lapgan"].data(8, 11))
