import math

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from support import Repeated, Rows, mlp_game, points, trainer
from test_dirac import play
from torch import nn

from gan_lightning.callbacks import LabelSmoothing
from gan_lightning.families.wgan import WGAN
from gan_lightning.optim.rmsprop import GANRMSProp

FREE = {"clip": 1e6, "discriminator_steps": 1}


def test_simultaneous_steps_multiply_the_squared_radius_by_one_plus_h_squared():
    """The field (theta, psi) -> (psi, -theta) is a rotation: Mescheder et al. 2018."""
    h = 0.2
    path = play(WGAN, 1.0, 0.5, h=h, calls=30, updates="simultaneous", **FREE)
    before = 1.0**2 + 0.5**2
    for theta, psi in path.points:
        assert theta**2 + psi**2 == pytest.approx(before * (1 + h**2), rel=1e-12)
        before = theta**2 + psi**2


def test_alternating_steps_stay_on_an_ellipse():
    h = 0.1
    path = play(WGAN, 1.0, 0.0, h=h, calls=150, updates="alternating", **FREE)
    radii = [theta**2 + psi**2 for theta, psi in path.points]
    assert max(radii) == pytest.approx(1 / (1 - h / 2), rel=1e-3)
    for theta, psi in path.points:
        assert theta**2 - h * theta * psi + psi**2 == pytest.approx(1, rel=1e-12)


def test_dirac_gradients_and_clipping():
    theta, psi = 0.7, -0.25
    path = play(WGAN, theta, psi, h=1.0, calls=10, discriminator_steps=5, clip=0.3)
    # D falls along theta: psi = -0.25 - 0.7 is clipped to -0.3; then G moves along it
    assert path.gradients[0][1] == pytest.approx(theta, abs=1e-12)
    assert [psi for _, psi in path.points[:5]] == [-0.3] * 5
    assert path.gradients[4][0] == pytest.approx(0.3, abs=1e-12)
    assert path.points[4][0] == pytest.approx(theta - 0.3, abs=1e-12)


class Largest(Callback):
    """The largest weight of the critic and the share at the bound, after each of its updates."""

    def __init__(self):
        self.sizes, self.clipped = [], []

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        weights = torch.cat([p.detach().abs().flatten() for p in module.discriminator.parameters()])
        self.sizes.append(float(weights.max()))
        self.clipped.append(float((weights == module.clip).double().mean()))


@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
def test_the_weights_are_clipped_after_every_critic_step(updates):
    game, seen = mlp_game(WGAN, clip=0.02, updates=updates), Largest()
    assert max(float(p.detach().abs().max()) for p in game.discriminator.parameters()) > 0.1
    trainer(max_steps=2, callbacks=[seen]).fit(game, points())
    assert game.discriminator_updates == 10  # five critic steps for each of G's
    assert seen.sizes == [0.02] * 10
    assert min(seen.clipped) > 0.1
    assert max(float(p.detach().abs().max()) for p in game.generator.parameters()) > 0.1


def test_frozen_layers_are_left_alone():
    game = mlp_game(WGAN)
    frozen = game.discriminator.logit.requires_grad_(False)
    before = frozen.weight.clone()
    trainer(max_steps=1).fit(game, points())
    assert torch.equal(frozen.weight, before)
    assert before.abs().max() > game.clip
    assert game.discriminator.body[0].weight.abs().max() <= game.clip


def test_wasserstein_in_the_log():
    rows = Rows()
    trainer(max_steps=1, logger=rows).fit(mlp_game(WGAN), points())
    row = rows.rows[0][1]
    assert row["wasserstein"] == pytest.approx(row["logits/real"] - row["logits/fake"], abs=1e-15)
    assert row["wasserstein"] == -row["loss/discriminator"]
    assert row["loss/generator"] != -row["logits/fake"]  # against the moved D, on fresh noise


def test_defaults_of_the_article():
    game = mlp_game(WGAN)
    assert (game.clip, game.discriminator_steps) == (0.01, 5)
    for optimizer in game.configure_optimizers()[0]:
        assert isinstance(optimizer, GANRMSProp)
        assert optimizer.param_groups[0]["lr"] == 5e-5


def test_batch_norm_in_the_critic_is_allowed():
    critic = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
    game = WGAN(nn.Linear(4, 2), critic, 4)
    trainer(max_steps=1).fit(game, points())
    assert critic[1].weight.abs().max() <= 0.01


def test_a_conditional_critic():
    class Labelled(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.linear = nn.Linear(inputs, outputs)

        def forward(self, given, labels):
            return self.linear(given) + labels[:, None]

    game = WGAN(Labelled(3, 2), Labelled(2, 1), 3, num_classes=4, conditional=True)
    x, labels = torch.randn(6, 2), torch.tensor([0, 1, 2, 3, 3, 3])
    objective = game.discriminator_loss(x, labels)
    d_real = game.discriminator(x, labels)
    d_fake = game.discriminator(objective.x_fake, labels)
    torch.testing.assert_close(objective.loss, d_fake.mean() - d_real.mean())
    assert game.sample(5, labels=2).shape == (5, 2)


@pytest.mark.parametrize("clip", [0.0, -0.01, math.inf, math.nan])
def test_refused_clips(clip):
    with pytest.raises(ValueError, match=f"`clip` must be a positive number but got {clip}"):
        mlp_game(WGAN, clip=clip)


def test_label_smoothing_has_nothing_to_smooth():
    fit = trainer(max_steps=1, callbacks=[LabelSmoothing()])
    with pytest.raises(ValueError, match=r"got WGAN .* no probability target to soften"):
        fit.fit(mlp_game(WGAN), Repeated(torch.zeros(4, 2)))


def test_a_critic_that_returns_probabilities_is_refused():
    critic = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid())
    with pytest.raises(ValueError, match="`discriminator` must return logits"):
        WGAN(nn.Linear(4, 2), critic, 4)
