import math

import pytest
import torch
from support import Repeated, Rows, mlp_game, points, trainer
from test_dirac import play

from gan_lightning.families import MinimaxGAN, NonSaturatingGAN
from gan_lightning.families.fgan import FGAN
from gan_lightning.losses import f_divergence as fd

DIVERGENCES = [
    fd.KullbackLeibler,
    fd.ReverseKullbackLeibler,
    fd.JensenShannon,
    fd.GANDivergence,
    fd.Jeffreys,
    fd.Pearson,
    fd.Neyman,
    fd.SquaredHellinger,
    fd.TotalVariation,
]


@pytest.mark.parametrize(("alternative", "twin"), [(False, MinimaxGAN), (True, NonSaturatingGAN)])
def test_with_goodfellows_divergence_it_is_goodfellows_game(alternative, twin):
    kwargs = {"divergence": fd.GANDivergence(), "alternative": alternative}
    path = play(FGAN, 0.7, -1.3, h=0.2, calls=5, **kwargs)
    expected = play(twin, 0.7, -1.3, h=0.2, calls=5)
    torch.testing.assert_close(torch.tensor(path.points), torch.tensor(expected.points))


@pytest.mark.parametrize(
    ("alternative", "slope"), [(False, lambda v: math.exp(v - 1)), (True, lambda v: 1.0)]
)
def test_dirac_gradients_with_the_kullback_leibler_divergence(alternative, slope):
    """D = psi x: -E V(x) + E exp(V(G) - 1) has gradient theta exp(psi theta - 1) in psi."""
    theta, psi, h = 0.7, -1.3, 0.2
    kwargs = {"divergence": fd.KullbackLeibler(), "alternative": alternative}
    path = play(FGAN, theta, psi, h=h, calls=4, **kwargs)
    for (theta_1, psi_1), (g_theta, g_psi) in zip(path.points, path.gradients, strict=True):
        assert g_psi == pytest.approx(theta * math.exp(psi * theta - 1), abs=1e-10)
        assert g_theta == pytest.approx(-psi_1 * slope(psi_1 * theta), abs=1e-10)
        theta, psi = theta_1, psi_1


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_the_log_tells_the_bound_and_the_decision(divergence):
    x = torch.randn(8, 2, dtype=torch.float64)
    game, f = mlp_game(FGAN, divergence=divergence()), divergence()
    with torch.no_grad():
        t = f.activation(game.discriminator(x))
    rows = Rows()
    trainer(max_steps=1, logger=rows).fit(game, Repeated(x, 1))
    row = rows.rows[0][1]
    assert row["divergence_bound"] == -row["loss/discriminator"]
    assert row["logits/real"] == pytest.approx(float(t.mean()) - f.threshold, abs=1e-12)
    assert row["sign/real"] == pytest.approx(float((t - f.threshold).sign().mean()))


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_d_learns_to_tell_them_apart(divergence):
    """V may fall or rise from fakes to reals: the logged decision rises."""
    rows = Rows()
    game = mlp_game(
        FGAN,
        divergence=divergence(),
        discriminator_steps=40,
        discriminator_optimizer=lambda p: torch.optim.SGD(p, lr=0.02),
    )
    x = torch.randn(64, 2, dtype=torch.float64) + 1
    trainer(max_steps=1, logger=rows).fit(game, Repeated(x))
    row = rows.rows[0][1]
    assert row["logits/real"] > row["logits/fake"] + 0.01
    lowest = -math.log(4) if divergence is fd.GANDivergence else 0.0
    assert row["divergence_bound"] > lowest  # D at its best constant has this one


def test_a_divergence_is_needed():
    with pytest.raises(TypeError, match="divergence"):
        mlp_game(FGAN)
    with pytest.raises(ValueError, match=r"`divergence` must be an object of a class of losses"):
        mlp_game(FGAN, divergence=fd.Pearson)


def test_bf16_mixed():
    game = mlp_game(FGAN, divergence=fd.Jeffreys(), dtype=torch.float32)
    fit = trainer(max_steps=2, precision="bf16-mixed")
    fit.fit(game, points())
    assert math.isfinite(fit.callback_metrics["divergence_bound"])
