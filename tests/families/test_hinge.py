import pytest
import torch
from support import Repeated, Rows, mlp_game, points, trainer
from test_dirac import play
from torch import nn

from gan_lightning.callbacks import LabelSmoothing
from gan_lightning.families.hinge import HingeGAN


@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
def test_dirac_gradients(updates):
    """D = psi x, data at 0: D's gradient is theta where 1 + psi theta > 0 and else 0; G's -psi."""
    theta, psi, h = 1.7, -0.3, 0.2
    path = play(HingeGAN, theta, psi, h=h, calls=6, updates=updates)
    seen = []
    for (theta_1, psi_1), (g_theta, g_psi) in zip(path.points, path.gradients, strict=True):
        seen.append(1 + psi * theta > 0)
        assert g_psi == pytest.approx(theta if seen[-1] else 0.0, abs=1e-10)
        assert g_theta == pytest.approx(-(psi if updates == "simultaneous" else psi_1), abs=1e-10)
        theta, psi = theta_1, psi_1
    assert True in seen
    assert False in seen


def test_the_logged_costs():
    rows = Rows()
    x = torch.randn(8, 2, dtype=torch.float64)
    game = mlp_game(HingeGAN)
    with torch.no_grad():
        real = (1 - game.discriminator(x)).clamp(min=0).mean()
    trainer(max_steps=1, logger=rows).fit(game, Repeated(x, 1))
    row = rows.rows[0][1]
    assert abs(row["logits/fake"]) < 1  # inside the margin, where the hinge is a line
    assert row["loss/discriminator"] == pytest.approx(float(real) + 1 + row["logits/fake"])


def test_the_spectrally_normalised_pair_is_trained():
    def layer(*sizes):
        return nn.utils.parametrizations.spectral_norm(nn.Linear(*sizes))

    critic = nn.Sequential(layer(2, 8), nn.ReLU(), layer(8, 1))
    trainer(max_steps=3).fit(HingeGAN(nn.Linear(4, 2), critic, 4), points())
    for index in (0, 2):
        sigma = torch.linalg.matrix_norm(critic[index].weight.detach(), 2)
        assert sigma.item() == pytest.approx(1, abs=0.05)  # power iteration is not exact


def test_label_smoothing_has_nothing_to_smooth():
    fit = trainer(max_steps=1, callbacks=[LabelSmoothing()])
    with pytest.raises(ValueError, match=r"got HingeGAN .* no probability target to soften"):
        fit.fit(mlp_game(HingeGAN), Repeated(torch.zeros(4, 2)))
