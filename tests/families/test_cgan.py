"""CGAN: the non-saturating game on pairs (x, y), and the labels it takes."""

from functools import partial

import pytest
import torch
from support import LATENT, Repeated, mlp_game, trainer
from torch.nn import functional

from gan_lightning import networks
from gan_lightning.families.cgan import CGAN
from gan_lightning.families.goodfellow import NonSaturatingGAN

K = 3


def game(**kwargs):
    small = (
        partial(networks.MLPGenerator, width=16, depth=2),
        partial(networks.MLPDiscriminator, width=16, depth=2),
    )
    generator, discriminator = networks.conditional_pair((2,), LATENT, K, *small)
    module = CGAN(generator.double(), discriminator.double(), LATENT, num_classes=K, **kwargs)
    return module.double()


def batch(n=6):
    return torch.randn(n, 2, dtype=torch.float64), torch.arange(n) % K


class Fixed:
    """Draws that repeat themselves."""

    def __init__(self, z):
        self.z = z

    def normal(self, n, dim):
        assert (n, dim) == self.z.shape
        return self.z


@pytest.mark.parametrize("real_target", [1.0, 0.9])
def test_the_costs_are_those_of_the_pairs(real_target):
    module = game(real_target=real_target)
    x, labels = batch()
    z = torch.randn(6, LATENT, dtype=torch.float64)
    module._draws = Fixed(z)
    code = torch.eye(K, dtype=torch.float64)[labels]
    x_fake = module.generator.network(torch.cat([z, code], 1))
    real = module.discriminator.network(torch.cat([x, code], 1)).sigmoid()
    fake = module.discriminator.network(torch.cat([x_fake, code], 1)).sigmoid()
    t = torch.full_like(real, real_target)
    expected = functional.binary_cross_entropy(real, t) - (1 - fake).log().mean()
    objective = module.discriminator_loss(x, labels)
    torch.testing.assert_close(objective.loss, expected)
    torch.testing.assert_close(objective.x_fake, x_fake)
    torch.testing.assert_close(module.generator_loss(x, labels).loss, -fake.log().mean())


def test_other_labels_make_another_game():
    module = game()
    x, labels = batch()
    module._draws = Fixed(torch.randn(6, LATENT, dtype=torch.float64))
    right, wrong = (module.discriminator_loss(x, y).loss for y in (labels, (labels + 1) % K))
    assert (right - wrong).abs() > 1e-6


def fit(labels, x=None):
    x = torch.randn(len(labels), 2) if x is None else x
    module = game()
    trainer(max_steps=2).fit(module, Repeated((x, labels)))
    return module


def test_it_learns_a_class_apart_from_the_others():
    """Three classes at three corners: the samples of a class lie at its own."""
    corners = torch.tensor([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])
    labels = torch.arange(96) % K
    module = game(ema_halflife=None)
    optimizer = partial(torch.optim.Adam, lr=5e-3, betas=(0.5, 0.99))
    module.generator_optimizer = module.discriminator_optimizer = optimizer
    x = corners[labels] + 0.05 * torch.randn(96, 2)
    trainer(max_steps=200).fit(module, Repeated((x, labels), batches=200))
    for y in range(K):
        distances = torch.cdist(module.sample(64, labels=y, seed=0), corners.double())
        assert (distances.argmin(1) == y).double().mean() > 0.9


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (torch.tensor([0, 1, 2, 3]), r"`labels` must lie in 0, \.\.\., 2 .* but got 3"),
        (torch.tensor([0, 1, 2, -1]), r"`labels` must lie in 0, \.\.\., 2 .* but got -1"),
        (torch.tensor([0.0, 1, 2, 0]), "`labels` must be integers but got torch.float32"),
    ],
)
def test_labels_that_are_refused(labels, match):
    with pytest.raises(ValueError, match=match):
        fit(labels)
    with pytest.raises(ValueError, match=match):
        game().sample(4, labels=labels)


def test_a_batch_without_labels():
    with pytest.raises(ValueError, match=r"`batch` must be \(x, labels\) for CGAN but it holds no"):
        trainer(max_steps=1).fit(game(), Repeated(torch.randn(4, 2)))


def test_small_integers_are_labels_too():
    assert fit(torch.tensor([0, 1, 2, 0], dtype=torch.uint8)).discriminator_updates == 2


def test_samples_of_the_asked_for_classes():
    module = game(ema_halflife=None)
    z = module.latent(5, seed=7)
    labels = torch.tensor([2, 0, 1, 1, 2])
    expected = module.generator(z, labels).detach()
    torch.testing.assert_close(module.sample(5, labels=labels, seed=7), expected)
    torch.testing.assert_close(module.sample(5, labels=labels.tolist(), seed=7), expected)
    torch.testing.assert_close(module.sample(5, labels=labels, z=z), expected)
    twos = torch.full((5,), 2)
    torch.testing.assert_close(module.sample(5, labels=2, seed=7), module.generator(z, twos).data)


def test_drawn_labels_follow_the_seed_and_are_uniform():
    module = game(ema_halflife=None)
    assert torch.equal(module.sample(20, seed=1), module.sample(20, seed=1))
    assert not torch.equal(module.sample(20, seed=1), module.sample(20, seed=2))
    z = torch.zeros(3000, LATENT, dtype=torch.float64)
    x = module.sample(3000, seed=0, z=z)  # with one z, every class is one point
    points, counts = x.unique(dim=0, return_counts=True)
    assert len(points) == K
    assert (counts - 1000).abs().max() < 5 * (3000 * 2 / 9) ** 0.5


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (
            [0, 1],
            r"`labels` must be one class or n = 4 of them but got torch.int64 of shape \(2,\)",
        ),
        (K, r"`labels` must lie in 0, \.\.\., 2 \(`num_classes` - 1\) but got 3"),
        (1.5, "`labels` must be integers but got torch.float32"),
        ([True, False, True, True], "`labels` must be integers but got torch.bool"),
    ],
)
def test_labels_that_sample_refuses(labels, match):
    with pytest.raises(ValueError, match=match):
        game().sample(4, labels=labels)


def test_labels_for_an_unconditional_family():
    module = mlp_game(NonSaturatingGAN)
    with pytest.raises(ValueError, match="`labels` must be None for NonSaturatingGAN, whose"):
        module.sample(4, labels=1)


def test_the_number_of_classes_must_be_known():
    pair = networks.conditional_pair((2,), LATENT, K)
    with pytest.raises(ValueError, match="`num_classes` must be given for a conditional CGAN"):
        CGAN(*pair, LATENT)


def test_networks_that_take_no_labels():
    module = CGAN(*networks.mlp((2,), LATENT), LATENT, num_classes=K)
    with pytest.raises(ValueError, match=r"`generator` must take z of shape \(\d, 4\) but fails"):
        trainer(max_steps=1).fit(module, Repeated((torch.randn(4, 2), torch.arange(4) % K)))


def test_it_says_that_it_is_conditional():
    module = game()
    assert module.conditional
    assert module.uses_labels
    assert module.hparams["num_classes"] == K
