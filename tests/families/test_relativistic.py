import math

import pytest
import torch
from support import Repeated, Rows, mlp_game, points, trainer
from test_dirac import linear_map, play, sigma
from torch.nn.functional import softplus

from gan_lightning.families.relativistic import RelativisticGAN
from gan_lightning.regularizers import R1
from gan_lightning.regularizers.r2 import R2


@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
@pytest.mark.parametrize("averaged", [False, True])
def test_dirac_gradients(updates, averaged):
    """All logits of a kind are equal here, so that averaging doubles the pairing cost."""
    theta, psi, h = 0.7, -1.3, 0.1
    factor = 2 if averaged else 1
    path = play(RelativisticGAN, theta, psi, h=h, calls=3, updates=updates, averaged=averaged)
    for (theta_1, psi_1), (g_theta, g_psi) in zip(path.points, path.gradients, strict=True):
        assert g_psi == pytest.approx(factor * theta * sigma(psi * theta), abs=1e-10)
        seen = psi if updates == "simultaneous" else psi_1
        assert g_theta == pytest.approx(-factor * seen * sigma(-seen * theta), abs=1e-10)
        theta, psi = theta_1, psi_1


@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
@pytest.mark.parametrize("gamma", [0.0, 0.15])
def test_local_dynamics(updates, gamma):
    """R1 and R2 each add gamma psi to D's gradient: the linear map of one R1 with 2 gamma."""
    h, steps, start = 0.2, 40, 1e-6
    regularizers = [R1(gamma), R2(gamma)] if gamma else []
    kwargs = {"updates": updates, "regularizers": regularizers}
    path = play(RelativisticGAN, start, start, h=h, calls=steps, **kwargs)
    step = linear_map(h, 2 * gamma, 1, updates, 0.5)
    expected = torch.linalg.matrix_power(step, steps) @ torch.full((2,), start, dtype=torch.float64)
    torch.testing.assert_close(torch.tensor(path.points[-1]).double(), expected, rtol=1e-6, atol=0)
    radius = float(torch.linalg.eigvals(step).abs().max())
    if gamma:
        assert radius < 1
    else:
        circle = math.sqrt(1 + h**2 / 4) if updates == "simultaneous" else 1.0
        assert radius == pytest.approx(circle, abs=1e-7)


def test_with_r1_and_r2_it_is_the_objective_of_r3gan():
    """Huang et al. 2024, Eq. 2 to 4, sample by sample, through the library's own step."""
    gamma, x = 0.3, torch.randn(6, 2, dtype=torch.float64)
    game = mlp_game(RelativisticGAN, regularizers=[R1(gamma), R2(gamma)])
    names = [n for n, _ in game.discriminator.named_parameters()]
    fakes = []
    game.generator.register_forward_hook(lambda m, i, out: fakes.append(out.detach()))
    before = mlp_game(RelativisticGAN)
    rows = Rows()
    trainer(max_steps=1, logger=rows).fit(game, Repeated(x, 1))
    x_fake = next(f for f in fakes if len(f) == 6)
    d = before.discriminator
    loss = torch.zeros((), dtype=torch.float64)
    for real, fake in zip(x, x_fake, strict=True):
        pair = [real.clone().requires_grad_(), fake.clone().requires_grad_()]
        d_real, d_fake = (d(p[None])[0] for p in pair)
        loss = loss + softplus(-(d_real - d_fake)) / 6
        for point, logit in zip(pair, (d_real, d_fake), strict=True):
            (gradient,) = torch.autograd.grad(logit, point, create_graph=True)
            loss = loss + gamma / 2 * gradient.square().sum() / 6
    assert rows.rows[0][1]["loss/discriminator"] == pytest.approx(loss.item(), rel=1e-12)
    expected = torch.autograd.grad(loss, list(d.parameters()), allow_unused=True)
    for name, value in zip(names, expected, strict=True):
        found = game.discriminator.get_parameter(name).grad
        value = torch.zeros_like(found) if value is None else value
        torch.testing.assert_close(found, value, rtol=1e-9, atol=1e-12)


def test_the_averaged_cost_on_a_batch():
    game = mlp_game(RelativisticGAN, averaged=True)
    x = torch.randn(6, 2, dtype=torch.float64)
    objective = game.discriminator_loss(x)
    reals, fakes = game.discriminator(x), game.discriminator(objective.x_fake)
    pairs = [(r, sum(fakes) / 6) for r in reals], [(sum(reals) / 6, f) for f in fakes]
    expected = sum(softplus(f - r) / 6 for kind in pairs for r, f in kind)
    torch.testing.assert_close(objective.loss, expected)
    same_gradients(objective.loss, expected, game.discriminator)
    moved = game.generator_loss(x)
    reals, fakes = game.discriminator(x), game.discriminator(moved.x_fake)
    pairs = [(r, sum(fakes) / 6) for r in reals], [(sum(reals) / 6, f) for f in fakes]
    expected = sum(softplus(r - f) / 6 for kind in pairs for r, f in kind)
    torch.testing.assert_close(moved.loss, expected)
    same_gradients(moved.loss, expected, game.generator)


def same_gradients(found, expected, player):
    """Through the means as well."""
    parameters = list(player.parameters())
    gradients = [
        torch.autograd.grad(
            v, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        for v in (found, expected)
    ]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-14)


def test_the_margin_in_the_log():
    rows = Rows()
    trainer(max_steps=1, logger=rows).fit(mlp_game(RelativisticGAN), points())
    row = rows.rows[0][1]
    assert row["margin"] == pytest.approx(row["logits/real"] - row["logits/fake"], abs=1e-15)


def test_micro_batches_equal_the_whole_batch_for_pairs_only():
    x = torch.randn(8, 2, dtype=torch.float64)
    games = [mlp_game(RelativisticGAN, micro_batches=m) for m in (1, 4)]
    for game in games:
        trainer(max_steps=3).fit(game, Repeated(x))
    for one, four in zip(*(g.parameters() for g in games), strict=True):
        torch.testing.assert_close(one, four, rtol=1e-9, atol=1e-12)
    message = "`micro_batches` must be 1 for an averaged RelativisticGAN, because .* got 4"
    with pytest.raises(ValueError, match=message):
        mlp_game(RelativisticGAN, averaged=True, micro_batches=4)
