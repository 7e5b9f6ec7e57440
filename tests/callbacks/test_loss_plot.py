import lightning
import numpy as np
import pytest
from lightning.pytorch.callbacks import Callback
from PIL import Image
from support import mlp_game, points, trainer

from gan_lightning.callbacks import LossPlot, RunRecorder, SampleDiversity
from gan_lightning.callbacks.plot import plot_metrics
from gan_lightning.families import NonSaturatingGAN
from gan_lightning.runs import MetricsFile, RunDirectory


def size(file):
    with Image.open(file) as picture:
        picture.load()
        return picture.size


def colours(file):
    with Image.open(file) as picture:
        return {
            tuple(pixel) for pixel in np.asarray(picture.convert("RGB")).reshape(-1, 3).tolist()
        }


BLUE, RED, GREEN = (0x2E, 0x6F, 0x9E), (0xD1, 0x49, 0x5B), (0x3A, 0x7D, 0x44)


def test_the_curves_of_a_fit(tmp_path):
    callbacks = [LossPlot(), RunRecorder(tmp_path), SampleDiversity(every_n_steps=2, number=4)]
    trainer(max_steps=6, callbacks=callbacks).fit(mlp_game(NonSaturatingGAN), points())
    assert {BLUE, RED, GREEN} <= colours(tmp_path / "losses.png")
    assert size(tmp_path / "losses.png") == (990, 825)  # three rows of panels


def test_a_failed_fit_is_drawn_as_well(tmp_path):
    class Fail(Callback):
        def on_train_batch_end(self, trainer, *args):
            if trainer.global_step == 3:
                raise RuntimeError("broken")

    fit = trainer(max_steps=6, callbacks=[LossPlot(), RunRecorder(tmp_path), Fail()])
    with pytest.raises(RuntimeError, match="broken"):
        fit.fit(mlp_game(NonSaturatingGAN), points())
    assert {BLUE, RED} <= colours(tmp_path / "losses.png")


def test_only_what_was_logged_is_drawn(tmp_path):
    run = RunDirectory(tmp_path)
    metrics = MetricsFile(run.metrics)
    for step in range(1, 50):
        metrics.append(step, {"diversity/pairwise": 1 / step, "mine": 3.0})
    plot_metrics(run)
    found = colours(run.losses_plot)
    assert GREEN in found
    assert not {BLUE, RED} & found


def test_values_that_are_not_finite_or_positive_can_be_drawn(tmp_path):
    run = RunDirectory(tmp_path)
    metrics = MetricsFile(run.metrics)
    for step, value in enumerate([1.0, 0.0, float("nan"), float("inf"), 2.0]):
        metrics.append(step, {"grad_norm/generator": value, "loss/generator": -value})
    plot_metrics(run)
    assert RED in colours(run.losses_plot)


def test_without_metrics_there_is_no_picture(tmp_path):
    plot_metrics(RunDirectory(tmp_path))
    MetricsFile(tmp_path / "metrics.csv").append(1, {"mine": 1.0})
    plot_metrics(RunDirectory(tmp_path))
    assert not (tmp_path / "losses.png").exists()


def test_a_corrupt_file_does_not_hide_the_exception(tmp_path):
    (tmp_path / "metrics.csv").write_text("step,a\n1,x\n2,3\n")
    fit = trainer(max_steps=1, default_root_dir=tmp_path)
    LossPlot().on_exception(fit, mlp_game(NonSaturatingGAN), RuntimeError("broken"))
    with pytest.raises(ValueError, match=r"metrics\.csv' must hold 2 numbers a line"):
        LossPlot().on_fit_end(fit, lightning.LightningModule())


def test_scores_have_panels_of_their_own(tmp_path):
    run = RunDirectory(tmp_path)
    metrics = MetricsFile(run.metrics)
    for step in (100, 200):
        metrics.append(step, {"FD-Digits": 9.0, "recall-Digits": 0.5, "coverage-Digits": 0.4})
    plot_metrics(run)
    assert {BLUE, RED, GREEN} <= colours(run.losses_plot)
    assert size(run.losses_plot) == (990, 297)  # one row: the distance, and the shares
