import math

import pytest
import torch
from support import Repeated, Rows, mlp_game, points, trainer
from torch.nn.functional import softplus

from gan_lightning.callbacks import LabelSmoothing
from gan_lightning.families import AbstractAlternatingGAN, MinimaxGAN, NonSaturatingGAN, Objective


class HingeGame(AbstractAlternatingGAN):
    """A family without a target."""

    def discriminator_loss(self, x):
        x_fake = self.generator(self.noise(len(x)))
        d_real, d_fake = self.discriminator(x), self.discriminator(x_fake)
        loss = (1 - d_real).relu().mean() + (1 + d_fake).relu().mean()
        return Objective(loss, d_real, d_fake, x_fake)

    def generator_loss(self, x):
        d_fake = self.discriminator(self.generator(self.noise(len(x))))
        return Objective(-d_fake.mean(), d_fake=d_fake)


@pytest.mark.parametrize("target", [0.5, 1.01, 0.0, -1, math.nan])
def test_targets_out_of_range_are_refused(target):
    with pytest.raises(ValueError, match=r"`real_target` must lie in \(0.5, 1\], got "):
        LabelSmoothing(target)


def test_a_family_without_target_is_refused():
    fit = trainer(max_steps=1, callbacks=[LabelSmoothing()])
    with pytest.raises(ValueError, match=r"got HingeGame .* no probability target to soften"):
        fit.fit(mlp_game(HingeGame), points())


@pytest.mark.parametrize("family", [MinimaxGAN, NonSaturatingGAN])
def test_the_first_loss_is_the_smoothed_one(family):
    x = torch.randn(8, 2, dtype=torch.float64)
    rows = Rows()
    module = mlp_game(family)
    with torch.no_grad():
        d_real = module.discriminator(x)
    fit = trainer(max_steps=1, callbacks=[LabelSmoothing(0.8)], logger=rows)
    plain = Rows()
    trainer(max_steps=1, logger=plain).fit(mlp_game(family), Repeated(x, 1))
    fit.fit(module, Repeated(x, 1))
    # Cross-entropy with target t: t softplus(-l) + (1 - t) softplus(l) = softplus(-l) + (1 - t) l.
    expected = (0.8 * softplus(-d_real) + 0.2 * softplus(d_real) - softplus(-d_real)).mean()
    difference = rows.rows[0][1]["loss/discriminator"] - plain.rows[0][1]["loss/discriminator"]
    assert difference == pytest.approx(float(expected), abs=1e-12)


def test_the_target_stays_after_the_fit_and_is_set_again_on_a_resume(tmp_path):
    module = mlp_game(NonSaturatingGAN)
    fit = trainer(max_steps=1, callbacks=[LabelSmoothing(0.7)])
    fit.fit(module, points())
    assert module.real_target == 0.7
    fit.save_checkpoint(tmp_path / "a.ckpt")
    resumed = mlp_game(NonSaturatingGAN)
    trainer(max_steps=2, callbacks=[LabelSmoothing(0.7)]).fit(
        resumed, points(), ckpt_path=tmp_path / "a.ckpt"
    )
    assert resumed.real_target == 0.7
