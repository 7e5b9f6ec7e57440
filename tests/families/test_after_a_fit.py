"""What a fit, or its failure, leaves behind."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from support import LATENT, Rows, load, mlp_game, points, trainer
from torch import nn

from gan_lightning.callbacks import GANCheckpoint
from gan_lightning.families import DCGAN, MaximumLikelihoodGAN, NonSaturatingGAN
from gan_lightning.families._loop.run import Finite


def schedule(optimizer):
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: 1.0)


class Fail(Callback):
    """Raises in the middle of a generator's turn."""

    def on_before_optimizer_step(self, trainer, module, optimizer):
        if module.discriminator_updates == 1 and optimizer is trainer.optimizers[1]:
            self.copied = copy.deepcopy(module.generator_ema)
            raise ZeroDivisionError


def failed_game():
    game = mlp_game(NonSaturatingGAN, generator_scheduler=schedule)
    with pytest.raises(ZeroDivisionError):
        trainer(max_steps=4, callbacks=[Fail()]).fit(game, datamodule=points())
    return game


def finished_game():
    game = mlp_game(NonSaturatingGAN, generator_scheduler=schedule)
    trainer(max_steps=2).fit(game, datamodule=points())
    return game


@pytest.mark.parametrize("make", [failed_game, finished_game])
def test_the_module_can_be_used_copied_and_pickled(make):
    game = make()
    assert all(p.requires_grad for p in game.generator.parameters())
    assert all(p.requires_grad for p in game.discriminator.parameters())
    assert game.noise(5).shape == (5, LATENT)  # no batch's window is left
    game.generator_scheduler = game.generator_optimizer = game.discriminator_optimizer = None
    twin = copy.deepcopy(game)
    z = game.latent(4, seed=0)
    torch.testing.assert_close(twin.sample(4, z=z), game.sample(4, z=z), rtol=0, atol=0)
    again = pickle.loads(pickle.dumps(game))
    torch.testing.assert_close(again.sample(4, z=z), game.sample(4, z=z), rtol=0, atol=0)
    torch.save(game, io.BytesIO())


def test_an_exception_inside_a_turn_puts_requires_grad_back():
    class Broken(nn.Linear):
        def forward(self, x):
            if self.training:
                raise ZeroDivisionError
            return super().forward(x)

    game = NonSaturatingGAN(nn.Linear(LATENT, 2), Broken(2, 1), LATENT)
    with pytest.raises(ZeroDivisionError):
        trainer(max_steps=1).fit(game, datamodule=points())
    assert all(p.requires_grad for p in game.parameters() if p not in _averaged(game))
    assert game.noise(5).shape == (5, LATENT)  # no batch's window is left


def _averaged(game):
    return set(game.generator_ema.parameters())


def test_a_second_fit_goes_on_with_the_counters():
    game = mlp_game(NonSaturatingGAN)
    for _ in range(2):
        trainer(max_steps=3).fit(game, datamodule=points())
    assert (game.discriminator_updates, game.images_seen) == (6, 48)


def test_hyperparameters_are_plain_whatever_the_numbers_were(tmp_path):
    game = mlp_game(
        NonSaturatingGAN,
        ema_halflife=np.float64(100.0),
        real_target=np.float32(0.5),
        discriminator_steps=1,
        clip_generator=np.float64(1.0),
    )
    trainer(max_steps=1, callbacks=[GANCheckpoint(tmp_path)]).fit(game, datamodule=points())
    saved = load(tmp_path / "last.ckpt")["hyper_parameters"]
    assert saved["ema_halflife"] == 100.0
    assert type(saved["real_target"]) is float


@pytest.mark.parametrize("log_every_n_steps", [0])
def test_logging_never(log_every_n_steps):
    rows = Rows()
    t = trainer(max_steps=2, logger=[rows], log_every_n_steps=log_every_n_steps)
    t.fit(mlp_game(NonSaturatingGAN), datamodule=points())
    assert rows.rows == []


def test_a_trial_run_writes_no_checkpoint(tmp_path):
    t = trainer(max_steps=2, fast_dev_run=2, callbacks=[GANCheckpoint(tmp_path)])
    t.fit(mlp_game(NonSaturatingGAN), datamodule=points())
    assert list(tmp_path.iterdir()) == []


def test_the_clamp_is_counted_over_all_updates_between_two_rows():
    class Steep(nn.Module):
        """Logits of 30 on every second call with fakes in G's turn."""

        def __init__(self):
            super().__init__()
            self.w, self.calls = nn.Parameter(torch.zeros(2, dtype=torch.float64)), 0

        def forward(self, x):
            height = 0.0
            if x.requires_grad:  # fakes with a graph: G's turn
                self.calls += 1
                height = 30.0 * (self.calls % 2)
            return x @ self.w + height

    game = mlp_game(MaximumLikelihoodGAN)
    game.discriminator = Steep()
    rows = Rows()
    trainer(max_steps=8, log_every_n_steps=4, logger=[rows]).fit(game, datamodule=points())
    assert [row["clamped"] for _, row in rows.rows] == [0.5, 0.5]


def test_dcgan_plays_the_non_saturating_game():
    d_fake = torch.linspace(-3, 3, 7, dtype=torch.float64)
    loss, counts = DCGAN((1, 16, 16), latent_dim=4, width=4).generator_cost(d_fake)
    torch.testing.assert_close(loss, -torch.sigmoid(d_fake).log().mean())
    assert counts == {}


def test_bad_data_on_a_device_are_found_when_it_is_asked():
    finite = Finite(wait=False)
    finite.see(torch.ones(3, 2))
    finite.settle()
    finite.see(torch.tensor([[1.0, float("inf")]]))
    finite.see(torch.ones(3, 2))  # what was bad stays bad
    with pytest.raises(ValueError, match="`x` must be finite"):
        finite.settle()


def test_no_checkpoint_of_networks_that_have_seen_nan(tmp_path):
    class Spoil(Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            if module.discriminator_updates == 0:
                module._run.finite = Finite(wait=False)  # as on a device
            if module.discriminator_updates == 3:
                batch.fill_(float("nan"))

    t = trainer(
        max_steps=8,
        log_every_n_steps=100,
        callbacks=[Spoil(), GANCheckpoint(tmp_path, every_n_steps=2)],
    )
    with (
        pytest.raises(ValueError, match="`x` must be finite"),
        pytest.warns(UserWarning, match=r"No checkpoint of step \d: `\S+` is not finite"),
    ):
        t.fit(mlp_game(NonSaturatingGAN), datamodule=points())
    assert load(tmp_path / "last.ckpt")["global_step"] == 2
