"""Unrolled GAN in a fit: the schedule around the look ahead, and what is refused."""

import pytest
import torch
from support import DiracDiscriminator, DiracGenerator, Repeated, mlp_game, points, trainer
from torch.optim import SGD, RMSprop

from gan_lightning.callbacks import LabelSmoothing
from gan_lightning.families.goodfellow import MinimaxGAN
from gan_lightning.families.unrolled import UnrolledGAN


@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
def test_one_unrolled_step_on_the_dirac_gan(updates):
    """G = theta, D = psi x, data at 0, K = 1 by hand: psi_1 = psi - h theta sigma(psi theta)."""

    def sigmoid(v):
        return 1 / (1 + torch.exp(-v))

    def sgd(params):
        return SGD(params, lr=0.3)

    theta, psi = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (0.7, -1.3))
    game = UnrolledGAN(
        DiracGenerator(0.7), DiracDiscriminator(-1.3), 1, sgd, sgd, updates=updates, unrolling=1
    )
    data = Repeated(torch.zeros(4, 1, dtype=torch.float64))
    trainer(max_steps=1).fit(game, data)
    moved = (psi - 0.3 * theta * sigmoid(psi * theta)).detach()
    start = psi.detach() if updates == "simultaneous" else moved
    ahead = start - 0.3 * theta * sigmoid(start * theta)
    (g,) = torch.autograd.grad(-torch.nn.functional.softplus(ahead * theta), theta)
    torch.testing.assert_close(game.discriminator.psi.detach(), moved[None])
    torch.testing.assert_close(game.generator.theta.detach(), (theta - 0.3 * g).detach()[None])


def test_the_discriminator_is_only_moved_by_its_own_turn():
    """With a generator that stands still, D goes where a minimax game's D goes."""

    def still(params):
        return SGD(params, lr=0.0)

    ends = []
    for family, kwargs in ((UnrolledGAN, {"unrolling": 3}), (MinimaxGAN, {})):
        game = mlp_game(family, generator_optimizer=still, **kwargs)
        trainer(max_steps=6).fit(game, datamodule=points())
        ends.append(game.discriminator.state_dict())
    for key, value in ends[0].items():
        assert torch.equal(value, ends[1][key]), key


def test_frozen_layers_and_label_smoothing_in_a_fit():
    game = mlp_game(UnrolledGAN, unrolling=2)
    frozen = next(game.discriminator.parameters()).requires_grad_(False)
    before, seen = frozen.clone(), []
    look_ahead = game.look_ahead

    def looking(*args):
        ahead = look_ahead(*args)
        seen.append(torch.equal(next(iter(ahead.values())), before))
        return ahead

    game.look_ahead = looking
    trainer(max_steps=3, callbacks=[LabelSmoothing(0.9)]).fit(game, datamodule=points())
    assert seen == [True] * 3
    assert torch.equal(frozen, before)
    assert not frozen.requires_grad
    assert game.real_target == 0.9


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"unrolling": -1}, "`unrolling` must be an integer from 0 on but got -1"),
        ({"unrolling": 2.0}, r"`unrolling` must be an integer from 0 on but got 2\.0"),
        ({"real_target": 0.0}, r"`real_target` must lie in \(0, 1\] but got 0\.0"),
        ({"micro_batches": 2}, "`micro_batches` must be 1 for UnrolledGAN, because .* whole batch"),
        (
            {"clip_discriminator": 1.0},
            r"`clip_discriminator` must be None for UnrolledGAN, .* not clipped, but got 1\.0",
        ),
        ({"compile_networks": True}, "`compile_networks` must be False .* second derivatives"),
    ],
)
def test_refused_arguments(kwargs, match):
    with pytest.raises(ValueError, match=match):
        mlp_game(UnrolledGAN, **kwargs)


def test_refused_optimizer():
    game = mlp_game(UnrolledGAN, discriminator_optimizer=lambda params: RMSprop(params, lr=1e-3))
    sentence = "`discriminator_optimizer` must be SGD, Adam or GANAdam .* but got RMSprop"
    with pytest.raises(ValueError, match=sentence):
        trainer(max_steps=1).fit(game, datamodule=points())


def test_refused_processes(monkeypatch):
    game = mlp_game(UnrolledGAN)
    t = trainer(max_steps=1)
    monkeypatch.setattr(type(t), "world_size", 2)
    with pytest.raises(ValueError, match=r"`devices` must be 1 for UnrolledGAN, .* 2 processes"):
        t.fit(game, datamodule=points())
