import math

import pytest
import torch
from support import Repeated, Rows, mlp_game, points, trainer
from test_dirac import play
from torch import nn

from gan_lightning.callbacks import LabelSmoothing
from gan_lightning.families.wgan_gp import WGANGP
from gan_lightning.optim import GANAdam
from gan_lightning.regularizers.gradient_penalty import GradientPenalty


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("psi", [-1.3, 0.4])
def test_dirac_gradients(one_sided, psi):
    """D = psi x: D's gradient is theta + 2 lambda (|psi| - 1) sign(psi), G's is -psi."""
    theta, h, weight = 0.7, 0.05, 0.8
    path = play(
        WGANGP,
        theta,
        psi,
        h=h,
        calls=4,
        discriminator_steps=1,
        penalty_weight=weight,
        one_sided=one_sided,
    )
    for (theta_1, psi_1), (g_theta, g_psi) in zip(path.points, path.gradients, strict=True):
        excess = abs(psi) - 1
        if one_sided:
            excess = max(0.0, excess)
        expected = theta + 2 * weight * excess * math.copysign(1, psi)
        assert g_psi == pytest.approx(expected, abs=1e-10)
        assert g_theta == pytest.approx(-psi_1, abs=1e-10)
        theta, psi = theta_1, psi_1


def test_the_objective_against_a_loop():
    """Eq. 3, sample by sample, on the very noise and coefficients of the loss."""
    game = mlp_game(WGANGP, penalty_weight=3.0)
    x = torch.randn(6, 2, dtype=torch.float64)
    torch.manual_seed(5)
    objective = game.discriminator_loss(x)
    torch.manual_seed(5)
    x_fake = game.generator(game.noise(6))
    eps = game.uniform(6)
    expected = 0.0
    for a, b, e in zip(x, x_fake.detach(), eps, strict=True):
        x_hat = (e * a + (1 - e) * b).requires_grad_()
        (gradient,) = torch.autograd.grad(game.discriminator(x_hat[None]).sum(), x_hat)
        expected += 3 * (math.sqrt(float(gradient.square().sum())) - 1) ** 2 / 6
        expected += (game.discriminator(b[None]) - game.discriminator(a[None])).item() / 6
    assert objective.loss.item() == pytest.approx(expected, rel=1e-12)


def test_the_log():
    rows = Rows()
    trainer(max_steps=1, logger=rows).fit(mlp_game(WGANGP), points())
    row = rows.rows[0][1]
    total = row["penalty/gradient_penalty"] - row["wasserstein"]
    assert row["loss/discriminator"] == pytest.approx(total, abs=1e-15)
    assert row["wasserstein"] == pytest.approx(row["logits/real"] - row["logits/fake"], abs=1e-15)
    assert row["penalty/gradient_penalty"] > 0.1


def test_defaults_of_the_article():
    game = mlp_game(WGANGP)
    assert game.discriminator_steps == 5
    assert (game.gradient_penalty.weight, game.gradient_penalty.one_sided) == (10.0, False)
    for optimizer in game.configure_optimizers()[0]:
        assert isinstance(optimizer, GANAdam)
        group = optimizer.param_groups[0]
        assert (group["lr"], group["betas"]) == (1e-4, (0.0, 0.9))


@pytest.mark.parametrize("norm", [nn.BatchNorm1d, nn.SyncBatchNorm])
def test_batch_norm_in_the_critic_is_refused(norm):
    critic = nn.Sequential(nn.Linear(2, 8), nn.Sequential(norm(8)), nn.ReLU(), nn.Linear(8, 1))
    message = rf"must not have batch norm.* the whole batch .* got {norm.__name__} at '1.0'"
    with pytest.raises(ValueError, match=message):
        WGANGP(nn.Linear(4, 2), critic, 4)


def test_other_normalisations_and_a_normalised_generator_are_allowed():
    critic = nn.Sequential(nn.Linear(2, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 1))
    generator = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
    trainer(max_steps=1).fit(WGANGP(generator, critic, 4), points())


@pytest.mark.parametrize("weight", [0.0, -1.0, math.inf, math.nan])
def test_refused_weights(weight):
    message = f"`penalty_weight` must be a positive number but got {weight}"
    with pytest.raises(ValueError, match=message):
        mlp_game(WGANGP, penalty_weight=weight)


def test_a_second_gradient_penalty_is_refused():
    with pytest.raises(ValueError, match=r"must not hold GradientPenalty for WGANGP, because"):
        mlp_game(WGANGP, regularizers=[GradientPenalty()])


def test_label_smoothing_has_nothing_to_smooth():
    fit = trainer(max_steps=1, callbacks=[LabelSmoothing()])
    with pytest.raises(ValueError, match=r"got WGANGP .* no probability target to soften"):
        fit.fit(mlp_game(WGANGP), Repeated(torch.zeros(4, 2)))
