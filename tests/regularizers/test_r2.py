import math

import pytest
import torch
from support import Repeated, mlp_game, trainer
from tables import Table, loop_norms
from torch import nn

from gan_lightning.families import NonSaturatingGAN, Objective
from gan_lightning.families.base import AbstractAlternatingGAN
from gan_lightning.regularizers import R1
from gan_lightning.regularizers.r2 import R2


def network(inputs=3):
    return nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, 1)).double()


def test_against_a_loop_over_the_fakes():
    discriminator, x_fake = network(), torch.randn(6, 3, dtype=torch.float64)
    real = torch.full((6, 3), math.nan)  # plays no part
    penalty = R2(gamma=0.7).penalty(Table(discriminator), (real,), (x_fake,))
    expected = 0.35 * loop_norms(discriminator, x_fake).square().mean()
    torch.testing.assert_close(penalty.detach(), expected)
    assert penalty.requires_grad


def test_it_is_r1_at_the_fakes():
    game, x = Table(network()), torch.randn(2, 6, 3, dtype=torch.float64)
    r2 = R2(gamma=3.0).penalty(game, (x[0],), (x[1],))
    torch.testing.assert_close(r2, R1(gamma=3.0).penalty(game, (x[1],), None))


def test_weights_that_depend_on_the_fakes_are_no_path_of_the_gradient():
    """As after an unrolled step: the gradient of x w(x) in its first x alone is w."""
    x_fake = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    w = 3 * x_fake.square().sum(0)
    penalty = R2(gamma=0.7).penalty(Table(lambda x: x @ w), (x_fake,), (x_fake,))
    torch.testing.assert_close(penalty, 0.35 * w.square().sum())
    (gradient,) = torch.autograd.grad(penalty, x_fake)
    torch.testing.assert_close(gradient, 0.35 * 2 * w * 6 * x_fake)


def test_second_derivatives():
    discriminator, x = network(), torch.randn(4, 3, dtype=torch.float64)
    names = dict(discriminator.named_parameters())

    def penalty(*values):
        given = dict(zip(names, values, strict=True))
        game = Table(lambda x: torch.func.functional_call(discriminator, given, x))
        return R2().penalty(game, (x,), (x,))

    assert torch.autograd.gradcheck(penalty, tuple(names.values()))


def test_labels_reach_the_discriminator_and_have_no_gradient():
    labels = torch.tensor([1, 2])
    game = Table(lambda x, y: (x * y[:, None]).sum(1))
    x = torch.zeros(2, 3)
    x.requires_grad_()
    assert R2(gamma=2.0).penalty(game, (x, 0 * labels), (x, labels)).item() == 3 * (1 + 4) / 2


class NoFakes(AbstractAlternatingGAN):
    """Its discriminator sees no fakes."""

    def discriminator_loss(self, x):
        return Objective(self.discriminator(x).square().mean())

    generator_loss = discriminator_loss


def test_a_family_without_fakes_is_refused():
    game = mlp_game(NoFakes, regularizers=[R2()])
    x = torch.randn(4, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"`regularizers` must not hold R2 here, because"):
        trainer(max_steps=1).fit(game, Repeated(x))


def test_both_penalties_in_a_game():
    x = torch.randn(8, 2, dtype=torch.float64)
    game = mlp_game(NonSaturatingGAN, regularizers=[R1(0.1), R2(0.1)])
    fit = trainer(max_steps=1)
    fit.fit(game, Repeated(x))
    assert fit.callback_metrics["penalty/r2"] > 0
    assert fit.callback_metrics["penalty/r1"] != fit.callback_metrics["penalty/r2"]


@pytest.mark.parametrize("gamma", [0.0, -1.0, math.inf, math.nan])
def test_refused_weights(gamma):
    with pytest.raises(ValueError, match=f"`gamma` must be a positive number, got {gamma}"):
        R2(gamma=gamma)


def test_what_it_says_of_itself():
    assert (R2.name, R2.player) == ("r2", "discriminator")
