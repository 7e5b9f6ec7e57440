"""Half precisions: two players, one loss scale."""

import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from support import LATENT, Rows, mlp_game, points, trainer
from torch import nn

from gan_lightning.families import MaximumLikelihoodGAN, NonSaturatingGAN
from gan_lightning.optim import GANAdam
from gan_lightning.regularizers import R1


def norms(rows):
    return {
        player: [row[f"grad_norm/{player}"] for _, row in rows.rows]
        for player in ("discriminator", "generator")
    }


def run(precision=None, plugin=None, steps=12, **kwargs):
    rows = Rows()
    options = {"precision": precision} if precision else {}
    if plugin is not None:
        options["plugins"] = [plugin]
    game = mlp_game(NonSaturatingGAN, dtype=torch.float32, **kwargs)
    t = trainer(max_steps=steps, logger=[rows], **options)
    t.fit(game, datamodule=points())
    return game, rows, t


def scaler(scale=2.0**6, growth_interval=5):
    return MixedPrecision(
        "16-mixed",
        "cpu",
        torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=growth_interval),
    )


@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
@pytest.mark.parametrize("k", [1, 3])
def test_fp16_gradients_are_unscaled_for_both_players(updates, k):
    """The scale doubles every few steps; both players' norms must not follow it."""
    kwargs = {"updates": updates, "discriminator_steps": k}
    _, exact, _ = run("32-true", **kwargs)
    _, scaled, t = run(plugin=scaler(), **kwargs)
    assert t.precision_plugin.scaler.get_scale() >= 2.0**9
    for player, values in norms(scaled).items():
        assert values == pytest.approx(norms(exact)[player], rel=0.03), player


def test_fp16_overflow_skips_steps_and_recovers():
    game, _, t = run(plugin=scaler(scale=2.0**40), steps=40)
    assert t.global_step == 40
    assert t.precision_plugin.scaler.get_scale() < 2.0**40
    assert all(torch.isfinite(p).all() for p in game.parameters())


def test_schedules_wait_while_fp16_steps_are_skipped():
    def halve(optimizer):
        return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: 0.5**n)

    kwargs = {"generator_scheduler": halve, "discriminator_scheduler": halve}
    game, _, t = run(plugin=scaler(scale=2.0**40), steps=30, clip_generator=1.0, **kwargs)
    for optimizer in t.optimizers:
        steps = int(next(iter(optimizer.state.values()))["step"])
        assert 0 < steps < 30
        assert optimizer.param_groups[0]["lr"] == pytest.approx(2e-4 * 0.5**steps, rel=1e-9)
    assert all(torch.isfinite(p).all() for p in game.parameters())


def test_bf16_mixed_is_close_to_float32():
    _, exact, _ = run("32-true")
    _, half, _ = run("bf16-mixed")
    for player, values in norms(half).items():
        assert values == pytest.approx(norms(exact)[player], rel=0.05), player


def test_penalties_run_in_float32_under_autocast():
    """R1's value under bf16 autocast equals the float32 one far below bf16's resolution."""
    values = []
    for precision in ("32-true", "bf16-mixed"):
        _, rows, _ = run(precision, steps=1, regularizers=[R1(1.0)])
        values.append(rows.rows[0][1]["penalty/r1"])
    assert values[1] == pytest.approx(values[0], rel=1e-5)


def test_maximum_likelihood_cost_is_float32_under_autocast():
    game = mlp_game(MaximumLikelihoodGAN, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        d_fake = torch.full((4,), 12.3, dtype=torch.bfloat16)
        loss, _ = game.generator_cost(d_fake)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, -d_fake.float().exp().mean())


@pytest.mark.parametrize("clip", ["clip_generator", "clip_discriminator"])
def test_fused_optimizers_with_clipping_are_refused_under_fp16(clip):
    def fused(params):
        return GANAdam(params, fused=True)

    with pytest.raises(ValueError, match="need an optimizer with `fused=False` under 16-mixed"):
        run(
            plugin=scaler(), generator_optimizer=fused, discriminator_optimizer=fused, **{clip: 1.0}
        )


def test_fused_optimizers_log_unscaled_norms_under_fp16():
    def fused(params):
        return GANAdam(params, fused=True)

    kwargs = {"generator_optimizer": fused, "discriminator_optimizer": fused}
    _, exact, _ = run("32-true", **kwargs)
    _, scaled, _ = run(plugin=scaler(), **kwargs)
    for player, values in norms(scaled).items():
        assert values == pytest.approx(norms(exact)[player], rel=0.03), player


def test_float64_and_images_take_the_generators_dtype():
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(LATENT, 2)).double()
    game = NonSaturatingGAN(generator, nn.Sequential(nn.Linear(2, 1)).double(), LATENT)
    trainer(max_steps=2).fit(game, datamodule=points())
    assert game.sample(3, seed=0).dtype == torch.float64
    assert game.noise(2).dtype == torch.float64
