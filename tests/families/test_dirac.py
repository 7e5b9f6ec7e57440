"""The Dirac-GAN (Mescheder et al. 2018): closed forms for loss, regularizer and schedule at once.

Data at 0, G = theta, D(x) = psi x. The library's own training step must give the gradients
D: theta sigma(psi theta); minimax G: -psi sigma(psi theta);
non-saturating G: -psi sigma(-psi theta); maximum likelihood G: -psi exp(psi theta).
"""

import itertools
import math

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from support import DiracDiscriminator, DiracGenerator, Repeated, trainer

from gan_lightning.families import MaximumLikelihoodGAN, MinimaxGAN, NonSaturatingGAN
from gan_lightning.regularizers import R1


def sigma(v):
    return 1 / (1 + math.exp(-v))


GENERATOR_GRADIENTS = {
    MinimaxGAN: lambda theta, psi: -psi * sigma(psi * theta),
    NonSaturatingGAN: lambda theta, psi: -psi * sigma(-psi * theta),
    MaximumLikelihoodGAN: lambda theta, psi: -psi * math.exp(psi * theta),
}


class Path(Callback):
    """The players' places and gradients after each call."""

    def __init__(self):
        self.points, self.gradients = [], []

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        players = (module.generator.theta, module.discriminator.psi)
        self.points.append([float(p.detach()) for p in players])
        self.gradients.append([math.nan if p.grad is None else float(p.grad) for p in players])


def play(family, theta, psi, *, h, calls, **kwargs):
    def sgd(params):
        return torch.optim.SGD(params, lr=h)

    k = kwargs.get("discriminator_steps", 1)
    game = family(
        DiracGenerator(theta),
        DiracDiscriminator(psi),
        1,
        generator_optimizer=sgd,
        discriminator_optimizer=sgd,
        ema_halflife=None,
        **kwargs,
    )
    path = Path()
    data = torch.zeros(4, 1, dtype=torch.float64)
    trainer(max_steps=calls // k, callbacks=[path]).fit(game, Repeated(data, batches=calls))
    return path


@pytest.mark.parametrize("family", GENERATOR_GRADIENTS)
@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
def test_gradients(family, updates):
    theta, psi, h = 0.7, -1.3, 0.2
    path = play(family, theta, psi, h=h, calls=3, updates=updates)
    for (theta_1, psi_1), (g_theta, g_psi) in zip(path.points, path.gradients, strict=True):
        assert g_psi == pytest.approx(theta * sigma(psi * theta), abs=1e-10)
        seen = psi if updates == "simultaneous" else psi_1  # alternating G answers the moved D
        assert g_theta == pytest.approx(GENERATOR_GRADIENTS[family](theta, seen), abs=1e-10)
        assert psi_1 == pytest.approx(psi - h * g_psi, abs=1e-12)
        assert theta_1 == pytest.approx(theta - h * g_theta, abs=1e-12)
        theta, psi = theta_1, psi_1


def test_minimax_and_non_saturating_gradients_differ():
    ends = [
        play(f, 0.7, -1.3, h=0.2, calls=1).gradients[0][0] for f in (MinimaxGAN, NonSaturatingGAN)
    ]
    assert abs(ends[0] - ends[1]) > 0.3


def linear_map(h, gamma, k, updates, slope):
    """One generator step of the game linearised at 0, on (theta, psi).

    There sigma = 1/2, and so is the slope of G's gradient, but 1 for maximum likelihood.
    """
    d_step = torch.tensor([[1.0, 0.0], [-h / 2, 1 - h * gamma]], dtype=torch.float64)
    g_step = torch.tensor([[1.0, h * slope], [0.0, 1.0]], dtype=torch.float64)
    if updates == "alternating":
        return g_step @ torch.linalg.matrix_power(d_step, k)
    identity = torch.eye(2, dtype=torch.float64)
    return (d_step + g_step - identity) @ torch.linalg.matrix_power(d_step, k - 1)


@pytest.mark.parametrize("family", GENERATOR_GRADIENTS)
@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("gamma", [0.0, 0.3])
def test_local_dynamics(family, updates, k, gamma):
    """Near the equilibrium the path is that of the linear map; its spectrum tells convergence."""
    h, steps, start = 0.2, 40, 1e-6
    regularizers = [R1(gamma)] if gamma else []
    path = play(
        family,
        start,
        start,
        h=h,
        calls=steps * k,
        updates=updates,
        discriminator_steps=k,
        regularizers=regularizers,
    )
    slope = 1.0 if family is MaximumLikelihoodGAN else 0.5
    step = linear_map(h, gamma, k, updates, slope)
    expected = torch.linalg.matrix_power(step, steps) @ torch.full((2,), start, dtype=torch.float64)
    torch.testing.assert_close(
        torch.tensor(path.points[-1]).double(), expected, rtol=1e-6, atol=1e-13
    )
    radius = float(torch.linalg.eigvals(step).abs().max())
    if gamma:
        assert radius < 1  # R1 makes every one of them converge
    elif updates == "simultaneous" and k == 1:
        assert radius == pytest.approx(math.sqrt(1 + h**2 * slope / 2), abs=1e-12)  # diverges
    elif updates == "alternating":
        assert radius == pytest.approx(1.0, abs=1e-7)  # circles for ever


def test_minimax_circles_alternating_and_diverges_simultaneous_far_from_the_equilibrium():
    """Its field is orthogonal to the radius; the non-saturating one points inwards far away."""
    radii = {
        updates: [
            math.hypot(*p)
            for p in play(MinimaxGAN, 1.0, 1.0, h=0.2, calls=400, updates=updates).points
        ]
        for updates in ("alternating", "simultaneous")
    }
    first, last = (max(radii["alternating"][part]) for part in (slice(100), slice(300, 400)))
    assert last == pytest.approx(first, rel=0.02)
    assert all(a < b for a, b in itertools.pairwise(radii["simultaneous"]))
