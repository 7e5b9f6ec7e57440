import math

import pytest
import torch
from support import Repeated, Rows, mlp_game, points, trainer
from test_dirac import play

from gan_lightning.callbacks import LabelSmoothing
from gan_lightning.families.lsgan import LSGAN

A, B, C = -1.0, 1.5, 0.25
TARGETS = {"fake_target": A, "real_target": B, "generator_target": C}


@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
def test_dirac_gradients(updates):
    """D = psi x, data at 0: D's gradient is 2 theta (psi theta - a), G's 2 psi (psi theta - c)."""
    theta, psi, h = 0.7, -1.3, 0.05
    path = play(LSGAN, theta, psi, h=h, calls=3, updates=updates, **TARGETS)
    for (theta_1, psi_1), (g_theta, g_psi) in zip(path.points, path.gradients, strict=True):
        assert g_psi == pytest.approx(2 * theta * (psi * theta - A), abs=1e-10)
        seen = psi if updates == "simultaneous" else psi_1
        assert g_theta == pytest.approx(2 * seen * (seen * theta - C), abs=1e-10)
        theta, psi = theta_1, psi_1


def test_the_logged_costs():
    x = torch.randn(8, 2, dtype=torch.float64)
    game = mlp_game(LSGAN, **TARGETS)
    with torch.no_grad():
        real = (game.discriminator(x) - B).square().mean()
    rows = Rows()
    trainer(max_steps=1, logger=rows).fit(game, Repeated(x, 1))
    row = rows.rows[0][1]
    game.real_target, smoothed = B, mlp_game(LSGAN, **TARGETS)
    smoothed.real_target = 0.5
    with torch.no_grad():
        other = (mlp_game(LSGAN).discriminator(x) - 0.5).square().mean()
    again = Rows()
    trainer(max_steps=1, logger=again).fit(smoothed, Repeated(x, 1))
    difference = row["loss/discriminator"] - again.rows[0][1]["loss/discriminator"]
    assert difference == pytest.approx(float(real - other), abs=1e-12)


def test_label_smoothing_moves_b_only():
    game = mlp_game(LSGAN)
    trainer(max_steps=1, callbacks=[LabelSmoothing(0.9)]).fit(game, points())
    assert (game.fake_target, game.real_target, game.generator_target) == (0.0, 0.9, 1.0)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"fake_target": math.nan}, "`fake_target` must be a finite number but got nan"),
        ({"real_target": 0.0}, r"`real_target` must be .* above fake_target = 0.0, .* got 0.0"),
        ({"real_target": math.inf}, "`real_target` must be a finite number .* got inf"),
        ({"generator_target": -1.0}, "`generator_target` must be .* got -1.0"),
    ],
)
def test_refused_targets(targets, message):
    with pytest.raises(ValueError, match=message):
        mlp_game(LSGAN, **targets)


def test_a_target_set_later_is_checked_too():
    game = mlp_game(LSGAN)
    with pytest.raises(ValueError, match=r"`real_target` must be .* got -0.5"):
        game.real_target = -0.5
