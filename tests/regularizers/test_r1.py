import math
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from gan_lightning.regularizers import R1, AbstractRegularizer


@dataclass
class Table:
    """A game that gives a regularizer nothing but its discriminator."""

    discriminator: nn.Module

    def uniform(self, n, *shape):
        raise AssertionError("R1 draws nothing")

    normal = uniform


class Quadratic(nn.Module):
    """l(x) = sum_i w_i x_i^2 / 2, whose gradient is w x."""

    def __init__(self, w):
        super().__init__()
        self.w = nn.Parameter(w)

    def forward(self, x, *given):
        return (self.w * x.square()).sum(1) / 2 + sum(given)


def test_closed_form():
    w, x = torch.randn(3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    discriminator = Quadratic(w)
    x_fake = torch.full((5, 3), math.nan)  # plays no part
    penalty = R1(gamma=10.0).penalty(Table(discriminator), x, x_fake)
    assert penalty.shape == ()
    torch.testing.assert_close(penalty.detach(), 5 * (w * x).square().sum(1).mean())
    (gradient,) = torch.autograd.grad(penalty, discriminator.w)
    torch.testing.assert_close(gradient, 10 * (w * x.square()).mean(0))
    assert not x.requires_grad


def test_dirac_gan():
    """D = psi x: the penalty adds gamma psi to psi's gradient (Mescheder et al., Lemma 4.1)."""
    discriminator = nn.Linear(1, 1, bias=False).double()
    penalty = R1(gamma=0.3).penalty(
        Table(discriminator), torch.zeros(4, 1).double(), torch.empty(0)
    )
    (gradient,) = torch.autograd.grad(penalty, discriminator.weight)
    torch.testing.assert_close(gradient, 0.3 * discriminator.weight.detach())


def test_images_and_columns_of_logits():
    x = torch.randn(4, 2, 3, 3, dtype=torch.float64)
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(18, 1)).double()
    penalty = R1(gamma=2.0).penalty(Table(discriminator), x, x)
    torch.testing.assert_close(penalty, discriminator[1].weight.square().sum())


def test_second_derivatives():
    x = torch.randn(4, 3, dtype=torch.float64)
    discriminator = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    regularizer, names = R1(), dict(discriminator.named_parameters())

    def penalty(*values):
        game = Table(
            lambda x: torch.func.functional_call(
                discriminator, dict(zip(names, values, strict=True)), x
            )
        )
        return regularizer.penalty(game, x, x)

    assert torch.autograd.gradcheck(penalty, tuple(names.values()))


def test_what_is_given_reaches_the_discriminator():
    labels = torch.tensor([1.0, 2.0])

    class Conditional(nn.Module):
        def forward(self, x, y):
            return (x * y[:, None]).sum(1)

    penalty = R1(gamma=2.0).penalty(
        Table(Conditional()), torch.zeros(2, 3), torch.zeros(2, 3), labels
    )
    assert penalty.item() == 3 * (1 + 4) / 2


def test_autocast_is_off():
    x = torch.randn(8, 16)
    discriminator = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 1))
    expected = R1().penalty(Table(discriminator), x, x)
    with torch.autocast("cpu", torch.bfloat16):
        penalty = R1().penalty(Table(discriminator), x, x)
        halved = R1().penalty(Table(discriminator), x.bfloat16(), x)
    assert torch.equal(penalty, expected)
    assert halved.dtype == torch.float32


@pytest.mark.parametrize("gamma", [0.0, -1.0, math.inf, math.nan])
def test_refused_weights(gamma):
    with pytest.raises(ValueError, match=f"`gamma` must be a positive number, got {gamma}"):
        R1(gamma=gamma)


def test_what_a_regularizer_says_of_itself():
    assert (R1.name, R1.player) == ("r1", "discriminator")
    with pytest.raises(TypeError, match="abstract"):
        AbstractRegularizer()
