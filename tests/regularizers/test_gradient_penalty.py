import math

import pytest
import torch
from support import Repeated, mlp_game, trainer
from tables import Table, loop_norms
from torch import nn

from gan_lightning.families import NonSaturatingGAN
from gan_lightning.regularizers.gradient_penalty import GradientPenalty


def network(inputs=3, dtype=torch.float64):
    layers = (nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, 1))
    return nn.Sequential(nn.Flatten(), *layers).to(dtype)


def lines(*shape, dtype=torch.float64):
    x, x_fake = torch.randn(2, *shape, dtype=dtype)
    return x, x_fake, torch.rand(len(x), dtype=dtype)


def naive_point(x, x_fake, eps):
    return torch.stack([e * a + (1 - e) * b for e, a, b in zip(eps, x, x_fake, strict=True)])


@pytest.mark.parametrize("shape", [(7, 3), (5, 2, 4, 4)])
@pytest.mark.parametrize("target", [1.0, 0.0, 0.4])
def test_against_a_loop(shape, target):
    x, x_fake, eps = lines(*shape)
    critic = network(math.prod(shape[1:]))
    norms = loop_norms(critic, naive_point(x, x_fake, eps))
    game = Table(critic, coefficients=eps)
    for one_sided in (False, True):
        excess = (norms - target).clamp(min=0) if one_sided else norms - target
        penalty = GradientPenalty(7.0, one_sided, target).penalty(game, (x,), (x_fake,))
        torch.testing.assert_close(penalty.detach(), 7 * excess.square().mean())


@pytest.mark.parametrize(("length", "two", "one"), [(3.0, 4.0, 4.0), (0.5, 0.25, 0.0)])
def test_a_linear_critic(length, two, one):
    """|w| everywhere, over all axes of an image together, whatever the coefficients are."""
    x, x_fake, eps = lines(4, 2, 3, 3)
    critic = nn.Sequential(nn.Flatten(), nn.Linear(18, 1)).double()
    with torch.no_grad():
        critic[1].weight *= length / critic[1].weight.norm()
    game = Table(critic, coefficients=eps)
    penalty = GradientPenalty().penalty(game, (x,), (x_fake,))
    assert penalty.item() == pytest.approx(10 * two, rel=1e-12)
    w = critic[1].weight
    (gradient,) = torch.autograd.grad(penalty, w)
    torch.testing.assert_close(gradient, (20 * (length - 1) / length * w).detach())
    one_sided = GradientPenalty(one_sided=True).penalty(game, (x,), (x_fake,))
    assert one_sided.item() == pytest.approx(10 * one, abs=1e-12)


def test_all_pixels_share_a_coefficient():
    """D's gradient is x_hat itself; mixed pixel by pixel, its norm would be another."""
    x, x_fake = torch.ones(2, 1, 2, 2).double(), torch.zeros(2, 1, 2, 2).double()
    eps = torch.tensor([0.25, 0.75], dtype=torch.float64)
    game = Table(lambda x: x.square().sum((1, 2, 3)) / 2, coefficients=eps)  # gradient x_hat
    penalty = GradientPenalty(1.0).penalty(game, (x,), (x_fake,))
    # |x_hat| = 2 eps: 0.5 and 1.5
    assert penalty.item() == pytest.approx((0.25 + 0.25) / 2, rel=1e-14)


def test_the_points_lie_on_the_lines_and_the_coefficient_belongs_to_the_reals():
    x, x_fake, eps = lines(6, 3)
    seen = []

    def critic(x):
        seen.append(x.detach())
        return x.sum(1)

    GradientPenalty().penalty(Table(critic, coefficients=eps), (x,), (x_fake,))
    torch.testing.assert_close(seen[0], naive_point(x, x_fake, eps))


def test_one_coefficient_for_a_pack():
    x, x_fake, eps = lines(6, 2)
    mix, packs = network(4), 3

    def packed(x):
        return mix(x.reshape(packs, 4))[:, 0]

    game = Table(packed, samples_per_input=2, coefficients=eps)
    penalty = GradientPenalty(5.0).penalty(game, (x,), (x_fake,))
    shared = eps[[0, 2, 4]]
    x_hat = naive_point(x.reshape(packs, 4), x_fake.reshape(packs, 4), shared)
    expected = 5 * (loop_norms(mix, x_hat) - 1).square().mean()
    torch.testing.assert_close(penalty.detach(), expected)


def test_codes_share_the_coefficient_and_the_norm_and_labels_are_the_reals():
    x, x_fake, eps = lines(5, 3)
    z, z_fake = torch.randn(2, 5, 2, dtype=torch.float64)
    labels, others = torch.arange(5), torch.full((5,), 99)
    critic = network(5)

    def judge(x, z, y):
        assert torch.equal(y, labels)
        return critic(torch.cat([x, z], 1))

    game = Table(judge, coefficients=eps)
    penalty = GradientPenalty(2.0).penalty(game, (x, z, labels), (x_fake, z_fake, others))
    x_hat = naive_point(torch.cat([x, z], 1), torch.cat([x_fake, z_fake], 1), eps)
    expected = 2 * (loop_norms(critic, x_hat) - 1).square().mean()
    torch.testing.assert_close(penalty.detach(), expected)


def test_autocast_is_off():
    x, x_fake, eps = lines(8, 16, dtype=torch.float32)
    game = Table(network(16, torch.float32), coefficients=eps)
    expected = GradientPenalty().penalty(game, (x,), (x_fake,))
    with torch.autocast("cpu", torch.bfloat16):
        penalty = GradientPenalty().penalty(game, (x,), (x_fake,))
        halved = GradientPenalty().penalty(game, (x.bfloat16(),), (x_fake.bfloat16(),))
    assert torch.equal(penalty, expected)
    rounded = GradientPenalty().penalty(game, (x.bfloat16().float(),), (x_fake.bfloat16().float(),))
    assert torch.equal(halved, rounded)


def test_second_derivatives():
    x, x_fake, eps = lines(4, 3)
    critic = network()
    names = dict(critic.named_parameters())

    def penalty(*values):
        given = dict(zip(names, values, strict=True))
        game = Table(lambda x: torch.func.functional_call(critic, given, x), coefficients=eps)
        return GradientPenalty().penalty(game, (x,), (x_fake,))

    assert torch.autograd.gradcheck(penalty, tuple(names.values()))


def test_a_dead_critic_has_a_finite_gradient():
    x, x_fake, eps = lines(4, 3)
    critic = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)).double()
    nn.init.constant_(critic[0].bias, -100.0)  # no unit ever fires
    penalty = GradientPenalty().penalty(Table(critic, coefficients=eps), (x,), (x_fake,))
    gradients = torch.autograd.grad(
        penalty, list(critic.parameters()), allow_unused=True, materialize_grads=True
    )
    assert penalty.item() == 10
    assert all(g.abs().sum() == 0 for g in gradients)


def test_with_any_family():
    game = mlp_game(NonSaturatingGAN, regularizers=[GradientPenalty(0.1)])
    fit = trainer(max_steps=1)
    fit.fit(game, Repeated(torch.randn(8, 2, dtype=torch.float64)))
    assert 0 < fit.callback_metrics["penalty/gradient_penalty"] < 0.1


def test_no_fakes():
    x = torch.randn(2, 3)
    with pytest.raises(ValueError, match=r"must not hold GradientPenalty here, because the dis"):
        GradientPenalty().penalty(Table(network()), (x,), None)


@pytest.mark.parametrize("weight", [0.0, -1.0, math.inf, math.nan])
def test_refused_weights(weight):
    with pytest.raises(ValueError, match=f"`weight` must be a positive number, got {weight}"):
        GradientPenalty(weight)


@pytest.mark.parametrize("target", [-1.0, math.inf, math.nan])
def test_refused_targets(target):
    with pytest.raises(ValueError, match=f"`target` must be a number of at least 0, got {target}"):
        GradientPenalty(target=target)


def test_what_it_says_of_itself():
    assert (GradientPenalty.name, GradientPenalty.player) == ("gradient_penalty", "discriminator")
