"""Samples and latent codes."""

import copy

import pytest
import torch
from support import LATENT, mlp_game, points, trainer
from torch import nn

from gan_lightning.families import DCGAN, NonSaturatingGAN


def test_samples_are_those_of_the_averaged_generator():
    game = mlp_game(NonSaturatingGAN)
    trainer(max_steps=3).fit(game, datamodule=points())
    z = game.latent(5, seed=3)
    torch.testing.assert_close(game.sample(5, seed=3), game.generator_ema(z), rtol=0, atol=0)
    assert not torch.equal(game.sample(5, seed=3), game.generator(z))
    torch.testing.assert_close(game(z), game.generator(z), rtol=0, atol=0)
    plain = mlp_game(NonSaturatingGAN, ema_halflife=None)
    torch.testing.assert_close(plain.sample(5, z=z), plain.generator(z).detach(), rtol=0, atol=0)


def test_sampling_is_in_evaluation_mode_and_leaves_the_modes_alone():
    game = DCGAN((1, 16, 16), latent_dim=8, width=4)
    inner = next(m for m in game.generator_ema.modules() if isinstance(m, nn.BatchNorm2d))
    inner.eval()
    modes = [m.training for m in game.modules()]
    before = copy.deepcopy(game.state_dict())
    x = game.sample(300, seed=0)
    assert [m.training for m in game.modules()] == modes
    assert x.shape == (300, 1, 16, 16)
    assert x.abs().max() <= 1
    assert not x.requires_grad
    for name, value in game.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    torch.testing.assert_close(
        game.sample(300, seed=0)[:7], game.sample(7, z=game.latent(300, 0)[:7])
    )


def test_latent_codes_are_standard_normal_and_follow_their_seed():
    game = mlp_game(NonSaturatingGAN)
    z = game.latent(50_000, seed=1)
    assert z.shape == (50_000, LATENT)
    torch.testing.assert_close(
        z.mean(0), torch.zeros(LATENT, dtype=torch.float64), rtol=0, atol=0.02
    )
    torch.testing.assert_close(z.var(0), torch.ones(LATENT, dtype=torch.float64), rtol=0, atol=0.03)
    torch.testing.assert_close(game.latent(10, seed=1), game.latent(10, seed=1), rtol=0, atol=0)
    assert not torch.equal(game.latent(10, seed=1), game.latent(10, seed=2))
    assert not torch.equal(game.latent(10), game.latent(10))


def test_truncated_codes_follow_the_truncated_normal():
    t = 0.8
    z = mlp_game(NonSaturatingGAN).latent(200_000, seed=0, truncation=t).flatten()
    assert z.abs().max() <= t
    normal = torch.distributions.Normal(0.0, 1.0)
    phi, mass = normal.log_prob(torch.tensor(t)).exp(), 2 * normal.cdf(torch.tensor(t)) - 1
    variance = 1 - 2 * t * phi / mass  # of N(0, 1) truncated to [-t, t]
    assert float(z.mean()) == pytest.approx(0.0, abs=0.003)
    assert float(z.var()) == pytest.approx(float(variance), abs=0.003)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda g: g.sample(0), "`n` must be at least 1 but got 0"),
        (lambda g: g.sample(-1), "`n` must be at least 1 but got -1"),
        (lambda g: g.sample(2, labels="a"), "`labels` must be integers but got 'a'"),
        (lambda g: g.sample(2, z=torch.zeros(2, 4).int()), "`z` must be floating-point but got"),
        (
            lambda g: g.sample(2, truncation=0.0),
            "`truncation` must be positive or None but got 0.0",
        ),
        (
            lambda g: g.sample(2, z=torch.zeros(2, 3)),
            r"`z` must have the shape .* \(2, 4\) but got \(2, 3\)",
        ),
        (lambda g: g.sample(2, torch.zeros(2)), "`labels` must be None for NonSaturatingGAN"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ValueError, match=match):
        call(mlp_game(NonSaturatingGAN))
