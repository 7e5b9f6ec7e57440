import pytest
import torch
from support import Repeated, Rows, mlp_game, trainer

from gan_lightning.callbacks import SampleDiversity
from gan_lightning.families import NonSaturatingGAN


def pairwise(x):
    return torch.pdist(x.flatten(1).double()).mean().item()


@pytest.mark.parametrize(("number", "n"), [(5, 5), (64, 8)])
def test_the_ratio_of_the_distances(number, n):
    x = torch.randn(8, 2, dtype=torch.float64)
    module, rows = mlp_game(NonSaturatingGAN, discriminator_steps=2), Rows()
    diversity = SampleDiversity(every_n_steps=3, number=number, seed=5)
    fit = trainer(max_steps=3, callbacks=[diversity], logger=rows, log_every_n_steps=100)
    fit.fit(module, Repeated(x))
    assert [step for step, _ in rows.rows] == [3]
    expected = pairwise(module.sample(n, seed=5)) / pairwise(x[:n])
    assert rows.rows[0][1]["diversity/pairwise"] == pytest.approx(expected, rel=1e-12)
    assert float(fit.callback_metrics["diversity/pairwise"]) == pytest.approx(expected, rel=1e-6)


def test_a_collapsed_generator_has_none():
    module, rows = mlp_game(NonSaturatingGAN, ema_halflife=None), Rows()
    module.generator_optimizer = lambda params: torch.optim.SGD(params, lr=0.0)
    with torch.no_grad():
        for parameter in module.generator.parameters():
            parameter.zero_()
    fit = trainer(max_steps=1, callbacks=[SampleDiversity(every_n_steps=1, number=8)], logger=rows)
    fit.fit(module, Repeated(torch.randn(8, 2, dtype=torch.float64)))
    assert rows.rows[-1][1]["diversity/pairwise"] == 0.0


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="`number` must be an integer of at least 2, got 1"):
        SampleDiversity(number=1)
    with pytest.raises(ValueError, match="`every_n_steps` must be an integer of at least 1, got 0"):
        SampleDiversity(every_n_steps=0)


def test_a_batch_of_one_is_refused():
    fit = trainer(max_steps=1, callbacks=[SampleDiversity(every_n_steps=1)])
    with pytest.raises(ValueError, match="`SampleDiversity` needs batches of at least 2 samples"):
        fit.fit(mlp_game(NonSaturatingGAN), Repeated(torch.randn(1, 2, dtype=torch.float64)))
