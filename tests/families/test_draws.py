"""Noise is a function of (seed, purpose, update), and of nothing else."""

import itertools

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from support import LATENT, mlp_game, points, trainer

from gan_lightning.families import NonSaturatingGAN
from gan_lightning.families._loop.draws import Draws, Purpose, Window


class Record(NonSaturatingGAN.__mro__[1]):
    """Keeps the z of every turn."""

    def noise(self, n):
        z = super().noise(n)
        self.seen.append(z)
        return z

    def generator_cost(self, d_fake):
        return torch.nn.functional.softplus(-d_fake).mean(), {}


def play(updates="alternating", seed=0, steps=3):
    lightning.seed_everything(seed, verbose=False)
    game = mlp_game(Record, updates=updates)
    game.seen = []
    trainer(max_steps=steps).fit(game, datamodule=points())
    return game.seen


def test_fresh_noise_in_every_turn_and_update():
    seen = play()
    assert len(seen) == 6
    for a, b in itertools.combinations(seen, 2):
        assert not torch.isin(a, b).any()


def test_simultaneous_players_share_their_noise():
    seen = play("simultaneous")
    for d, g in zip(seen[::2], seen[1::2], strict=True):
        torch.testing.assert_close(d, g, rtol=0, atol=0)
    assert not torch.isin(seen[0], seen[2]).any()


def test_noise_follows_the_run_seed():
    first, again, other = play(seed=1), play(seed=1), play(seed=2)
    torch.testing.assert_close(torch.cat(first), torch.cat(again), rtol=0, atol=0)
    assert not torch.isin(torch.cat(first), torch.cat(other)).any()


def draws(seed=0):
    return Draws(seed, torch.device("cpu"), torch.float64)


def test_moments():
    many = draws()
    many.begin(Purpose.DISCRIMINATOR, 0)
    z, u, k = many.normal(100_000, 2), many.uniform(100_000), many.integers(100_000, 5)
    assert z.shape == (100_000, 2)
    torch.testing.assert_close(z.mean(0), torch.zeros(2).double(), rtol=0, atol=0.015)
    torch.testing.assert_close(z.var(0), torch.ones(2).double(), rtol=0, atol=0.02)
    assert 0 <= u.min() < 0.001 < 0.999 < u.max() < 1
    assert float(u.mean()) == pytest.approx(0.5, abs=0.005)
    shares = torch.bincount(k, minlength=5) / len(k)
    torch.testing.assert_close(shares, torch.full((5,), 0.2), rtol=0, atol=0.01)


def test_windows_cut_the_global_draw():
    whole = draws()
    whole.begin(Purpose.GENERATOR, 7)
    z, e = whole.normal(12, 3), whole.uniform(24)
    for start, rows in ((0, 5), (5, 4), (9, 3)):
        part = draws()
        part.begin(Purpose.GENERATOR, 7)
        part.window = Window(12, start, rows)
        torch.testing.assert_close(part.normal(rows, 3), z[start : start + rows], rtol=0, atol=0)
        two = part.uniform(2 * rows)  # two draws a sample
        torch.testing.assert_close(two, e[2 * start : 2 * (start + rows)], rtol=0, atol=0)


def test_rows_that_do_not_belong_to_samples_are_refused():
    part = draws()
    part.window = Window(12, 0, 4)
    with pytest.raises(ValueError, match=r"`n` must be a multiple of the 4 samples .* but got 6"):
        part.normal(6, 2)


def test_called_by_hand_noise_follows_torchs_seed():
    game = mlp_game(NonSaturatingGAN)
    torch.manual_seed(1)
    a, b = game.noise(5), game.noise(5)
    torch.manual_seed(1)
    torch.testing.assert_close(game.noise(5), a, rtol=0, atol=0)
    assert a.shape == (5, LATENT)
    assert not torch.equal(a, b)


def test_training_leaves_torchs_random_numbers_alone():
    """Networks built after a fit must not be copies of those built after another one."""
    torch.manual_seed(123)
    expected = [torch.rand(3) for _ in range(3)]
    torch.manual_seed(123)
    for value in expected:
        torch.testing.assert_close(torch.rand(3), value, rtol=0, atol=0)
        state = torch.get_rng_state()
        game = mlp_game(NonSaturatingGAN)
        torch.set_rng_state(state)  # what building and reading data drew
        trainer(max_steps=2).fit(game, DataOnce())
    assert not torch.equal(expected[0], expected[1])


class DataOnce:
    def __len__(self):
        return 2

    def __iter__(self):
        for _ in range(2):
            yield torch.zeros(8, 2, dtype=torch.float64)


class Dropped(Callback):
    """What layers draw from torch's default generator in a step."""

    def __init__(self):
        self.masks = []

    def on_train_start(self, trainer, module):
        hook = lambda *_: self.masks.append(torch.rand(4))  # noqa: E731
        module.discriminator.register_forward_hook(hook)


def test_layers_draw_alike_for_an_update_and_differently_for_another():
    masks = []
    for _ in range(2):
        dropped = Dropped()
        torch.rand(7)
        trainer(max_steps=2, callbacks=[dropped]).fit(mlp_game(NonSaturatingGAN), DataOnce())
        masks.append(torch.stack(dropped.masks[1:]))  # the first is of the check of the networks
    torch.testing.assert_close(*masks, rtol=0, atol=0)
    assert len(torch.unique(masks[0], dim=0)) == len(masks[0])
