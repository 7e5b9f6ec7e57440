"""PacGAN: the non-saturating game on packs of m samples."""

import pytest
import torch
from support import LATENT, Repeated, points, trainer

from gan_lightning import networks
from gan_lightning.families.goodfellow import NonSaturatingGAN
from gan_lightning.families.pacgan import PacGAN
from gan_lightning.regularizers import R1


def game(m=2, family=PacGAN, **kwargs):
    generator = networks.MLPGenerator((2,), LATENT, width=16, depth=2).double()
    inner = networks.MLPDiscriminator((2 * m,), width=16, depth=2)
    return family(generator, networks.Packed(inner, m).double(), LATENT, **kwargs)


class Fixed:
    """Draws that repeat themselves."""

    def __init__(self, z):
        self.z = z

    def normal(self, n, dim):
        assert (n, dim) == self.z.shape
        return self.z


@pytest.mark.parametrize("m", [2, 4])
def test_the_costs_are_means_over_packs(m):
    module = game(m)
    x, z = torch.randn(8, 2).double(), torch.randn(8, LATENT).double()
    module._draws = Fixed(z)
    x_fake = module.generator(z)
    d = module.discriminator.network
    real, fake = [], []
    for i in range(0, 8, m):  # one pack after the other
        real.append(d(torch.cat(list(x[i : i + m]))[None]).sigmoid())
        fake.append(d(torch.cat(list(x_fake[i : i + m]))[None]).sigmoid())
    packs = 8 // m
    expected = sum(-p.log() for p in real) / packs + sum(-(1 - p).log() for p in fake) / packs
    objective = module.discriminator_loss(x)
    torch.testing.assert_close(objective.loss, expected[0])
    assert objective.d_real.shape == objective.d_fake.shape == (packs,)
    loss = module.generator_loss(x).loss
    torch.testing.assert_close(loss, (sum(-p.log() for p in fake) / packs)[0])


@pytest.mark.parametrize("m", [1, None])
def test_a_discriminator_that_packs_nothing(m):
    d = networks.MLPDiscriminator((2,))
    d = d if m is None else networks.Packed(d, m)
    match = (
        r"`discriminator` must judge packs of at least 2 samples for PacGAN, .* with 1 per logit"
    )
    with pytest.raises(ValueError, match=match):
        PacGAN(networks.MLPGenerator((2,), LATENT), d, LATENT)


@pytest.mark.parametrize(("n", "micro_batches"), [(7, 1), (6, 2)])
def test_a_batch_that_m_does_not_divide(n, micro_batches):
    module = game(2, micro_batches=micro_batches)
    match = rf"that the 2 samples of a pack divide but got {n} in {micro_batches} micro-batch"
    with pytest.raises(ValueError, match=match):
        trainer(max_steps=1).fit(module, Repeated(torch.randn(n, 2)))


def test_it_is_the_non_saturating_game_with_this_discriminator():
    torch.manual_seed(3)
    packed = game(2, regularizers=[R1(0.1)])
    torch.manual_seed(3)
    plain = game(2, NonSaturatingGAN, regularizers=[R1(0.1)])
    for module in (packed, plain):
        trainer(max_steps=5).fit(module, points())
    for (name, a), b in zip(packed.state_dict().items(), plain.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0, msg=name)


def test_micro_batches_of_whole_packs_give_the_same_updates():
    one, two = [], []
    for micro_batches, states in ((1, one), (2, two)):
        torch.manual_seed(5)
        module = game(2, micro_batches=micro_batches)
        trainer(max_steps=5).fit(module, points(batch_size=8))
        states += list(module.state_dict().values())
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
