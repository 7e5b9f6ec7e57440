"""Bad input: one sentence with argument, constraint and value."""

import pytest
import torch
from support import LATENT, Repeated, mlp_game, points, trainer
from torch import nn

from gan_lightning import networks
from gan_lightning.families import DCGAN, AbstractAlternatingGAN, MinimaxGAN, NonSaturatingGAN


def two_networks():
    return networks.mlp((2,), LATENT, width=8, depth=1)


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"latent_dim": 0}, "`latent_dim` must be a positive integer but got 0"),
        ({"discriminator_steps": 0}, "`discriminator_steps` must be a positive integer but got 0"),
        (
            {"discriminator_steps": 1.5},
            "`discriminator_steps` must be a positive integer but got 1.5",
        ),
        ({"micro_batches": -1}, "`micro_batches` must be a positive integer but got -1"),
        (
            {"updates": "together"},
            "`updates` must be 'alternating' or 'simultaneous' but got 'together'",
        ),
        ({"clip_generator": 0.0}, "`clip_generator` must be a positive number or None but got 0.0"),
        ({"clip_discriminator": -1.0}, "`clip_discriminator` must be a positive number or None"),
        (
            {"ema_halflife": float("nan")},
            "`ema_halflife` must be a positive number or None but got nan",
        ),
        ({"real_target": 1.2}, r"`real_target` must lie in \(fake_target = 0.0, 1\] but got 1.2"),
        (
            {"real_target": 0.9, "fake_target": 0.95},
            r"`real_target` must lie in \(fake_target = 0.95, 1\] but got 0.9",
        ),
    ],
)
def test_arguments(kwargs, match):
    with pytest.raises(ValueError, match=match):
        NonSaturatingGAN(*two_networks(), **({"latent_dim": LATENT} | kwargs))


@pytest.mark.parametrize("last", [nn.Sigmoid(), nn.Softmax(dim=1), nn.LogSigmoid()])
def test_a_discriminator_that_ends_in_a_probability(last):
    discriminator = nn.Sequential(nn.Linear(2, 1), last)
    with pytest.raises(
        ValueError, match=f"must return logits.*last layer is {type(last).__name__}"
    ):
        MinimaxGAN(nn.Linear(LATENT, 2), discriminator, LATENT)


@pytest.mark.parametrize("shape", [nn.Flatten(0), nn.Identity()])
def test_a_probability_before_a_layer_of_shape(shape):
    discriminator = nn.Sequential(nn.Sequential(nn.Linear(2, 1), nn.Sigmoid()), shape)
    with pytest.raises(ValueError, match=r"must return logits.*last layer is Sigmoid"):
        MinimaxGAN(nn.Linear(LATENT, 2), discriminator, LATENT)


class Gate(nn.Module):
    """A sigmoid that is registered last: an inner gate, or what is returned."""

    def __init__(self, returned):
        super().__init__()
        self.linear, self.sigmoid, self.returned = nn.Linear(2, 1), nn.Sigmoid(), returned

    def forward(self, x):
        logit = self.linear(x)
        return self.sigmoid(logit) if self.returned else logit * self.sigmoid(logit)


def test_a_hidden_probability_is_found_and_a_gate_is_fine():
    game = NonSaturatingGAN(nn.Linear(LATENT, 2), Gate(returned=True), LATENT)
    with pytest.raises(ValueError, match=r"must return logits.*last layer is Sigmoid"):
        trainer(max_steps=1).fit(game, datamodule=points())
    game = NonSaturatingGAN(nn.Linear(LATENT, 2), Gate(returned=False), LATENT)
    trainer(max_steps=1).fit(game, datamodule=points())
    assert game.discriminator_updates == 1


def test_a_sigmoid_inside_the_discriminator_is_fine():
    discriminator = nn.Sequential(nn.Linear(2, 4), nn.Sigmoid(), nn.Linear(4, 1))
    trainer(max_steps=1).fit(
        NonSaturatingGAN(nn.Linear(LATENT, 2), discriminator, LATENT), points()
    )


@pytest.mark.parametrize(
    ("limits", "match"),
    [
        ({"max_steps": 0}, "`max_steps` must not be 0"),
        ({"max_epochs": 0}, "`max_epochs` must not be 0"),
        ({"max_steps": 3, "limit_train_batches": 0}, "`limit_train_batches` must not be 0"),
    ],
)
def test_a_run_of_no_steps(limits, match):
    with pytest.raises(ValueError, match=match):
        trainer(**limits).fit(mlp_game(NonSaturatingGAN), datamodule=points())


def images(*shape):
    return torch.zeros(4, *shape)


@pytest.mark.parametrize(
    ("batch", "match"),
    [
        (
            images(1, 32, 32),
            r"`generator` must return .* the data's shape \(1, 32, 32\) but gives \(1, 16, 16\)",
        ),
        (images(3, 16, 16), r"the data's shape \(3, 16, 16\) but gives \(1, 16, 16\)"),
        (images(1, 16, 16) + 5, r"`x` must hold images in \[-1, 1\] but got values from 5 to 5"),
        (
            torch.zeros(4, 1, 16, 16, dtype=torch.uint8),
            "`x` must be a floating-point tensor .* torch.uint8",
        ),
        ([[1.0, 2.0]], "`x` must be a floating-point tensor .* list"),
        (images(1, 16, 16)[:1], "`batch_size` must be at least 2 .* batch normalisation, .* got 1"),
        (images(1, 16, 16) / 0, "`x` must be finite"),
    ],
    ids=["size", "channels", "range", "uint8", "type", "batch of one", "NaN"],
)
def test_batches(batch, match):
    game = DCGAN((1, 16, 16), latent_dim=8, width=4)
    with pytest.raises(ValueError, match=match):
        trainer(max_steps=1).fit(game, Repeated(batch))


def test_micro_batches_of_one_with_batch_norm():
    game = DCGAN((1, 16, 16), latent_dim=8, width=4, micro_batches=4)
    with pytest.raises(ValueError, match=r"at least 2 per \(micro-\)batch"):
        trainer(max_steps=1).fit(game, Repeated(images(1, 16, 16)))


def test_more_micro_batches_than_samples():
    game = mlp_game(NonSaturatingGAN, micro_batches=9)
    with pytest.raises(
        ValueError, match="`micro_batches` must be at most the batch size 8 but got 9"
    ):
        trainer(max_steps=1).fit(game, datamodule=points())


def test_a_generator_of_another_shape():
    game = NonSaturatingGAN(nn.Linear(LATENT, 3), nn.Linear(2, 1), LATENT)
    with pytest.raises(ValueError, match=r"`generator` must return .* \(2,\) but gives \(3,\)"):
        trainer(max_steps=1).fit(game, datamodule=points())


def test_a_discriminator_with_two_outputs():
    game = NonSaturatingGAN(nn.Linear(LATENT, 2), nn.Linear(2, 2), LATENT)
    with pytest.raises(ValueError, match=r"one logit a sample.* but gives \(2, 2\) for 2 samples"):
        trainer(max_steps=1).fit(game, datamodule=points())


class Spoiled(Repeated):
    """NaN in the third batch."""

    def __iter__(self):
        for i, batch in enumerate(super().__iter__()):
            yield batch / 0 if i == 2 else batch


def test_nan_in_a_later_batch_moves_nobody():
    game = mlp_game(NonSaturatingGAN)
    with pytest.raises(ValueError, match="`x` must be finite, because one bad sample"):
        trainer(max_steps=5).fit(game, Spoiled(torch.zeros(8, 2, dtype=torch.float64)))
    assert game.discriminator_updates == 2
    assert all(torch.isfinite(p).all() for p in game.parameters())


class NeedsLabels(AbstractAlternatingGAN):
    uses_labels = True

    def discriminator_loss(self, x, labels):
        raise NotImplementedError

    def generator_loss(self, x, labels):
        raise NotImplementedError


def test_missing_labels():
    with pytest.raises(ValueError, match=r"`batch` must be \(x, labels\) for NeedsLabels"):
        trainer(max_steps=1).fit(mlp_game(NeedsLabels), datamodule=points())


def test_a_schedule_that_follows_a_metric():
    game = mlp_game(
        NonSaturatingGAN, generator_scheduler=torch.optim.lr_scheduler.ReduceLROnPlateau
    )
    with pytest.raises(
        ValueError, match=r"`generator_scheduler` must depend on .* ReduceLROnPlateau"
    ):
        trainer(max_steps=1).fit(game, datamodule=points())


def test_a_training_step_without_a_trainer():
    with pytest.raises(RuntimeError, match="`training_step` must be called by a Trainer"):
        mlp_game(NonSaturatingGAN).training_step(torch.zeros(8, 2), 0)


class NoCompiler(nn.Linear):
    """Fails as a network does whose compiler is missing, in training only."""

    def forward(self, x):
        if self.training:
            raise torch._dynamo.exc.InternalTorchDynamoError("no C++ compiler\nand a long trace")
        return super().forward(x)


def test_a_failing_compiler(monkeypatch):
    monkeypatch.setattr(nn.Module, "compile", lambda self: None)
    game = NonSaturatingGAN(NoCompiler(LATENT, 2), nn.Linear(2, 1), LATENT, compile_networks=True)
    match = "`compile_networks` must be False here, because torch.compile failed: no C"
    with pytest.raises(RuntimeError, match=match):
        trainer(max_steps=1).fit(game, datamodule=points())


def test_compiling_keeps_the_names_in_checkpoints(monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: compiled.append(self))
    game = mlp_game(NonSaturatingGAN, compile_networks=True)
    names = list(game.state_dict())
    trainer(max_steps=1).fit(game, datamodule=points())
    assert compiled == [game.generator, game.discriminator]
    assert list(game.state_dict()) == names


def test_a_failing_compiler_of_the_users_own_is_not_ours():
    game = NonSaturatingGAN(NoCompiler(LATENT, 2), nn.Linear(2, 1), LATENT)
    with pytest.raises(torch._dynamo.exc.InternalTorchDynamoError, match="no C"):
        trainer(max_steps=1).fit(game, datamodule=points())


@pytest.mark.parametrize(
    ("generator", "discriminator", "match"),
    [
        (nn.Linear(3, 2), nn.Linear(2, 1), r"`generator` must take z of shape \(2, 4\) but fails"),
        (nn.Linear(4, 2), nn.Linear(5, 1), r"`discriminator` must take samples of shape \(2, 2\)"),
    ],
)
def test_networks_of_other_sizes(generator, discriminator, match):
    with pytest.raises(ValueError, match=match):
        trainer(max_steps=1).fit(
            NonSaturatingGAN(generator, discriminator, LATENT), datamodule=points()
        )


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_player_that_is_frozen(player):
    game = mlp_game(NonSaturatingGAN)
    getattr(game, player).requires_grad_(False)
    with pytest.raises(ValueError, match=f"`{player}` must have a parameter that is not frozen"):
        trainer(max_steps=1).fit(game, datamodule=points())


def test_a_run_too_short_for_the_generator():
    game = mlp_game(NonSaturatingGAN, discriminator_steps=12)
    with pytest.raises(ValueError, match="`discriminator_steps` must be at most the 11 batches"):
        trainer(max_epochs=1).fit(game, datamodule=points())


class Uneven(Repeated):
    """Its last batch holds one sample."""

    def __iter__(self):
        for i, batch in enumerate(super().__iter__()):
            yield batch[:1] if i == self.batches - 1 else batch


def test_a_last_batch_of_one_with_batch_norm():
    game = DCGAN((1, 16, 16), latent_dim=8, width=4)
    with pytest.raises(ValueError, match="`batch_size` must be at least 2"):
        trainer(max_epochs=1).fit(game, Uneven(images(1, 16, 16), batches=3))
    assert game.discriminator_updates == 2


def test_an_empty_batch():
    with pytest.raises(
        ValueError, match=r"`batch` must be x, \(x,\) or \(x, labels\) but it is empty"
    ):
        trainer(max_steps=1).fit(mlp_game(NonSaturatingGAN), Repeated(()))
