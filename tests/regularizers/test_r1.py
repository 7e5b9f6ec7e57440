import math

import pytest
import torch
from tables import Table
from torch import nn

from gan_lightning.regularizers import R1, AbstractRegularizer


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
    penalty = R1(gamma=10.0).penalty(Table(discriminator), (x,), (x_fake,))
    assert penalty.shape == ()
    torch.testing.assert_close(penalty.detach(), 5 * (w * x).square().sum(1).mean())
    (gradient,) = torch.autograd.grad(penalty, discriminator.w)
    torch.testing.assert_close(gradient, 10 * (w * x.square()).mean(0))
    assert not x.requires_grad


def test_dirac_gan():
    """D = psi x: the penalty adds gamma psi to psi's gradient (Mescheder et al., Lemma 4.1)."""
    discriminator = nn.Linear(1, 1, bias=False).double()
    penalty = R1(gamma=0.3).penalty(Table(discriminator), (torch.zeros(4, 1).double(),), None)
    (gradient,) = torch.autograd.grad(penalty, discriminator.weight)
    torch.testing.assert_close(gradient, 0.3 * discriminator.weight.detach())


def test_images_and_columns_of_logits():
    x = torch.randn(4, 2, 3, 3, dtype=torch.float64)
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(18, 1)).double()
    penalty = R1(gamma=2.0).penalty(Table(discriminator), (x,), (x,))
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
        return regularizer.penalty(game, (x,), (x,))

    assert torch.autograd.gradcheck(penalty, tuple(names.values()))


def test_what_is_given_reaches_the_discriminator():
    labels = torch.tensor([1, 2])

    class Conditional(nn.Module):
        def forward(self, x, y):
            return (x * y[:, None]).sum(1)

    penalty = R1(gamma=2.0).penalty(Table(Conditional()), (torch.zeros(2, 3), labels), None)
    assert penalty.item() == 3 * (1 + 4) / 2


def test_codes_beside_the_sample_are_part_of_the_gradient():
    x, z = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)
    game = Table(lambda x, z: (x.square().sum(1) + 3 * z.square().sum(1)) / 2)
    expected = x.square().sum(1).mean() + 9 * z.square().sum(1).mean()
    torch.testing.assert_close(R1(gamma=2.0).penalty(game, (x, z), None), expected)


def test_the_gradient_of_a_pack_runs_over_all_of_its_samples():
    x = torch.randn(6, 2, dtype=torch.float64)
    game = Table(lambda x: x.view(3, 4).square().sum(1) / 2, samples_per_input=2)
    expected = x.square().sum() / 3  # three packs, one logit each
    torch.testing.assert_close(R1(gamma=2.0).penalty(game, (x,), None), expected)


def test_autocast_is_off():
    x = torch.randn(8, 16)
    discriminator = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 1))
    expected = R1().penalty(Table(discriminator), (x,), (x,))
    with torch.autocast("cpu", torch.bfloat16):
        penalty = R1().penalty(Table(discriminator), (x,), (x,))
        halved = R1().penalty(Table(discriminator), (x.bfloat16(),), None)
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
