import itertools
import math

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from support import differences, load, mlp_game, points, state_of, trainer

from gan_lightning.callbacks.annealing import Beta2Annealing, GammaAnnealing
from gan_lightning.families import NonSaturatingGAN
from gan_lightning.optim import GANAdam
from gan_lightning.regularizers import R1
from gan_lightning.regularizers.r2 import R2


class Seen(Callback):
    """The numbers that each batch was trained with."""

    def __init__(self):
        self.gammas, self.betas, self.steps = [], [], []

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.steps.append(trainer.global_step)
        self.gammas.append([r.gamma for r in module.regularizers])
        self.betas.append([o.param_groups[0]["betas"] for o in trainer.optimizers])


def test_cosine():
    values = [GammaAnnealing(2.0, 0.2, 8).value(step) for step in range(11)]
    expected = [0.2 + 1.8 * math.cos(math.pi * s / 16) ** 2 for s in range(8)] + [0.2] * 3
    assert values == pytest.approx(expected, rel=1e-14)
    assert values[8:] == [0.2] * 3


def test_log_is_geometric():
    values = [GammaAnnealing(0.02, 0.002, 10, shape="log").value(step) for step in range(14)]
    ratios = [b / a for a, b in itertools.pairwise(values[:11])]
    assert values[0] == 0.02
    assert ratios == pytest.approx([10**-0.1] * 10, rel=1e-12)
    assert values[10:] == [0.002] * 4


def test_beta2_log_is_geometric_in_the_steps_averaged_over():
    windows = [1 / (1 - Beta2Annealing(0.9, 0.99, 10, shape="log").value(s)) for s in range(13)]
    assert windows[0] == pytest.approx(10)
    ratios = [b / a for a, b in itertools.pairwise(windows[:11])]
    assert ratios == pytest.approx([10**0.1] * 10, rel=1e-9)
    assert windows[10:] == pytest.approx([100] * 3)


def test_beta2_cosine():
    values = [Beta2Annealing(0.9, 0.99, 4).value(step) for step in range(6)]
    expected = [0.99 - 0.09 * math.cos(math.pi * s / 8) ** 2 for s in range(4)] + [0.99] * 2
    assert values == pytest.approx(expected, rel=1e-14)


def test_every_gamma_and_beta_follows_generator_updates():
    seen = Seen()
    gamma, beta2 = GammaAnnealing(2.0, 0.2, 3), Beta2Annealing(0.9, 0.99, 3)
    game = mlp_game(NonSaturatingGAN, regularizers=[R1(7.0), R2(7.0)], discriminator_steps=2)
    trainer(max_steps=5, callbacks=[gamma, beta2, seen]).fit(game, points())
    before = [step - (n % 2) for n, step in enumerate(seen.steps)]  # the step of each batch
    assert before == [n // 2 for n in range(10)]
    assert seen.gammas == [[gamma.value(s)] * 2 for s in before]
    assert seen.betas == [[(0.5, beta2.value(s))] * 2 for s in before]


def test_the_penalty_of_the_first_step_has_the_first_weight():
    x = points()
    results = []
    for callbacks, weight in ([GammaAnnealing(0.3, 0.1, 100)], 5.0), ([], 0.3):
        fit = trainer(max_steps=1, callbacks=callbacks)
        fit.fit(mlp_game(NonSaturatingGAN, regularizers=[R1(weight)]), x)
        results.append(fit.callback_metrics["penalty/r1"])
    assert torch.equal(*results)


@pytest.mark.parametrize("shape", ["cosine", "log"])
def test_a_resumed_run_equals_the_whole_one(tmp_path, shape):
    def run(steps, resume=None):
        game = mlp_game(NonSaturatingGAN, regularizers=[R1(5.0)])
        schedules = [
            GammaAnnealing(0.5, 0.01, 6, shape=shape),
            Beta2Annealing(0.5, 0.99, 6, shape=shape),
        ]
        fit = trainer(max_steps=steps, callbacks=schedules)
        fit.fit(game, points(), ckpt_path=resume)
        fit.save_checkpoint(tmp_path / f"{steps}.ckpt")
        return state_of(load(tmp_path / f"{steps}.ckpt"))

    whole = run(8)
    run(4)
    assert differences(run(8, tmp_path / "4.ckpt"), whole) == []


def test_a_module_without_gamma_is_refused():
    fit = trainer(max_steps=1, callbacks=[GammaAnnealing(1.0, 0.1, 5)])
    with pytest.raises(
        ValueError, match=r"needs a family with a regularizer .* NonSaturatingGAN w"
    ):
        fit.fit(mlp_game(NonSaturatingGAN), points())


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_an_optimizer_without_betas_is_refused(player):
    plain = {f"{player}_optimizer": lambda params: torch.optim.SGD(params, lr=0.1)}
    fit = trainer(max_steps=1, callbacks=[Beta2Annealing(0.9, 0.99, 5)])
    with pytest.raises(ValueError, match="needs optimizers with two betas, such as Adam, got SGD"):
        fit.fit(mlp_game(NonSaturatingGAN, **plain), points())


@pytest.mark.parametrize(
    ("schedule", "arguments", "message"),
    [
        (GammaAnnealing, (0.0, 1.0, 5), "`start` must be a positive number, got 0.0"),
        (GammaAnnealing, (1.0, math.inf, 5), "`stop` must be a positive number, got inf"),
        (GammaAnnealing, (1.0, 0.1, 0), "`steps` must be an integer of at least 1, got 0"),
        (GammaAnnealing, (1.0, 0.1, 5, "line"), "`shape` must be 'cosine' or 'log', got 'line'"),
        (Beta2Annealing, (1.0, 0.9, 5), r"`start` must be in \[0, 1\), got 1.0"),
        (Beta2Annealing, (0.9, -0.1, 5), r"`stop` must be in \[0, 1\), got -0.1"),
        (Beta2Annealing, (0.9, 0.99, 1.5), "`steps` must be an integer of at least 1, got 1.5"),
    ],
)
def test_refused_arguments(schedule, arguments, message):
    with pytest.raises(ValueError, match=message):
        schedule(*arguments)


def test_adams_own_beta2_counts_for_nothing():
    runs = []
    for beta2 in (0.5, 0.999):
        game = mlp_game(
            NonSaturatingGAN,
            generator_optimizer=lambda p, b=beta2: GANAdam(p, beta2=b),
            discriminator_optimizer=lambda p, b=beta2: GANAdam(p, beta2=b),
        )
        trainer(max_steps=3, callbacks=[Beta2Annealing(0.9, 0.99, 2)]).fit(game, points())
        runs.append(torch.cat([p.detach().flatten() for p in game.parameters()]))
    assert torch.equal(*runs)
