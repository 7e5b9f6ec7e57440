"""Scores during training: what is computed, where it goes, and what it must not change."""

import json

import lightning
import pytest
import torch
from families import cases
from lightning.pytorch.callbacks import Callback
from support import LabelledPoints, Rows, mlp_game, points, state_of, trainer

from gan_lightning import metrics, networks
from gan_lightning.callbacks import (
    EvaluationCallback,
    GANCheckpoint,
    GANProgressBar,
    RunRecorder,
    evaluation,
)
from gan_lightning.data import Digits
from gan_lightning.families import CGAN, NonSaturatingGAN
from gan_lightning.metrics import functional
from gan_lightning.metrics.extractors import DigitsClassifier, PointExtractor
from gan_lightning.metrics.suite import MetricSuite


def a_suite() -> MetricSuite:
    return MetricSuite(PointExtractor(), [metrics.FrechetDistance(), metrics.PrecisionRecall()])


def fit(callback, *, steps=6, family=NonSaturatingGAN, data=None, **kwargs):
    module, rows = mlp_game(family, **kwargs), Rows()
    run = trainer(max_steps=steps, callbacks=[callback], logger=rows)
    run.fit(module, datamodule=data or points())
    return module, evaluations(rows), run


def evaluations(rows):
    """The rows with scores in them."""
    return [(step, row) for step, row in rows.rows if "FD-points" in row]


def test_scores_are_those_of_exactly_so_many_samples():
    callback = EvaluationCallback(every_n_steps=4, number=70, suite=a_suite(), chunk=32, seed=3)
    module, rows, run = fit(callback)
    assert [step for step, _ in rows] == [4, 6]
    real = torch.cat(list(points().real_chunks(70, 32)))
    starts = {0: 32, 32: 32, 64: 6}
    fake = torch.cat([module.sample(n, seed=3_000_009 + s) for s, n in starts.items()]).float()
    expected = float(functional.frechet_distance(real, fake))
    assert rows[-1][1]["FD-points"] == pytest.approx(expected, rel=1e-9)
    assert float(run.callback_metrics["FD-points"]) == rows[-1][1]["FD-points"]
    assert "70 real, 70 fake" in callback.scores["FD-points"].protocol


def test_training_is_not_touched_and_the_module_keeps_nothing_of_it(tmp_path):
    files = []
    for name, more in (
        ("with", [EvaluationCallback(every_n_steps=1, suite=a_suite())]),
        ("without", []),
    ):
        module = mlp_game(NonSaturatingGAN)
        run = trainer(max_steps=3, callbacks=[*more, GANCheckpoint(tmp_path / name)])
        run.fit(module, datamodule=points())
        files.append(torch.load(tmp_path / name / "last.ckpt", weights_only=True))
    one, other = (state_of(file) for file in files)
    assert one["state_dict"].keys() == other["state_dict"].keys()
    assert all(torch.equal(v, other["state_dict"][k]) for k, v in one["state_dict"].items())


def test_real_samples_pass_the_extractor_once_in_all_runs():
    class Counted(PointExtractor):
        passes = 0

        def forward(self, images):
            Counted.passes += 1
            return super().forward(images)

    # Each fit tries the generator's samples and a few reals; then all reals, and fakes at three
    # steps; in the second fit only the fakes.
    for expected in (2 + 2 + 3 * 2, 2 + 2 + 3 * 2 + 2 + 3 * 2):
        suite = MetricSuite(Counted(), [metrics.VendiScore(), metrics.KernelDistance()])
        fit(EvaluationCallback(every_n_steps=1, number=40, suite=suite, chunk=20), steps=3)
        assert Counted.passes == expected


def test_conditional_families_are_asked_for_the_classes_of_the_reals(monkeypatch):
    asked = []
    sample = CGAN.sample

    def spy(self, n, labels=None, **kwargs):
        if labels is not None:
            asked.append(labels)
        return sample(self, n, labels, **kwargs)

    monkeypatch.setattr(CGAN, "sample", spy)
    case = cases.CASES["cgan"]
    module, data = case.make(), case.data(8, 11)
    run = trainer(max_steps=1, callbacks=[EvaluationCallback(number=20, suite=a_suite(), chunk=8)])
    run.fit(module, datamodule=data)
    labels = [y for _, y in data.real_chunks(20, 8)]
    assert [t.tolist() for t in asked] == [t.tolist() for t in labels]


def test_best_value_its_step_and_protocol_are_in_run_json(tmp_path):
    recorder = RunRecorder(tmp_path / "run")
    callback = EvaluationCallback(every_n_steps=1, number=40, suite=a_suite())
    rows = Rows()
    run = trainer(max_steps=4, callbacks=[recorder, callback], logger=rows)
    run.fit(mlp_game(NonSaturatingGAN), datamodule=points())
    best = json.loads((tmp_path / "run" / "run.json").read_text())["scores"]["best"]
    values = {step: row["FD-points"] for step, row in evaluations(rows)}
    step = min(values, key=values.get)
    assert best["FD-points"]["value"] == pytest.approx(values[step])
    assert best["FD-points"]["step"] == step
    assert "40 fake" in best["FD-points"]["protocol"]


def test_checkpoints_follow_a_score(tmp_path):
    checkpoint = GANCheckpoint(tmp_path, monitor="FD-points", every_n_steps=100)
    callback, rows = EvaluationCallback(every_n_steps=1, number=40, suite=a_suite()), Rows()
    run = trainer(max_steps=5, callbacks=[callback, checkpoint], logger=rows)
    run.fit(mlp_game(NonSaturatingGAN), datamodule=points())
    values = {step: row["FD-points"] for step, row in evaluations(rows)}
    best = torch.load(tmp_path / "best.ckpt", weights_only=True)
    assert best["global_step"] == min(values, key=values.get)
    assert checkpoint.best == min(values.values())


@pytest.mark.parametrize(("mode", "value"), [("max", 1.0), ("min", -1.0)])
def test_a_score_that_is_not_better_replaces_nothing(tmp_path, mode, value):
    checkpoint = GANCheckpoint(tmp_path, monitor="score", mode=mode)
    run = trainer(max_steps=1, callbacks=[checkpoint])
    assert checkpoint._is_better(run) is False  # there is no value yet
    for score, better in (
        (0.0, True),
        (0.0, False),
        (-value, False),
        (float("nan"), False),
        (value, True),
    ):
        run.callback_metrics["score"] = torch.tensor(score)
        assert checkpoint._is_better(run) is better


def test_default_suite_of_digits_names_what_the_issue_names():
    torch.manual_seed(0)
    generator, discriminator = networks.dcgan((1, 8, 8), 4, 4)
    callback = EvaluationCallback(number=60)
    run = trainer(max_steps=1, callbacks=[callback])
    run.fit(NonSaturatingGAN(generator, discriminator, 4), datamodule=Digits(8, batch_size=16))
    wanted = {"FD", "precision", "recall", "coverage", "NDB/K", "JSD", "classes", "class_KL"}
    assert wanted <= {name.removesuffix("-Digits") for name in callback.scores}


def test_default_suite_of_a_mixture_counts_its_modes():
    callback = EvaluationCallback(number=200)
    fit(callback, steps=1, data=points(batches=40))
    assert {"modes-points", "high_quality-points", "reverse_KL-points"} <= set(callback.scores)


def test_a_test_split_can_be_compared_with():
    other = LabelledPoints(batch_size=8)
    callback = EvaluationCallback(number=30, suite=a_suite(), data=other, cache=False)
    module, rows, _ = fit(callback, steps=1)
    real = torch.cat([x for x, _ in other.real_chunks(30)])
    fake = module.sample(30, seed=0).float()
    expected = float(functional.frechet_distance(real, fake))
    assert rows[-1][1]["FD-points"] == pytest.approx(expected, rel=1e-9)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="`number` must be an integer of at least 2, got 1"):
        EvaluationCallback(number=1)
    with pytest.raises(
        ValueError, match="`number` must be at most the 91 real samples there are, got 92"
    ):
        fit(EvaluationCallback(number=92), steps=1)
    with pytest.raises(ValueError, match="`mode` must be 'min', 'max' or None, got 'low'"):
        GANCheckpoint(mode="low")


def test_data_that_serve_no_real_samples_are_refused():
    from support import Repeated

    run = trainer(max_steps=1, callbacks=[EvaluationCallback()])
    with pytest.raises(ValueError, match="`data` must be a data module of this package"):
        run.fit(mlp_game(NonSaturatingGAN), Repeated(torch.randn(8, 2, dtype=torch.float64)))


# --- what a cache must not mistake for the same --------------------------------------------------


class Shifted(LabelledPoints):
    """Other samples of the same description."""

    def read(self):
        samples = super().read()
        samples.x += 1.0
        return samples


Shifted.__name__ = "LabelledPoints"


class Squared(PointExtractor):
    """Another network of the same name without weights."""

    def forward(self, images):
        return {"features": images.square()}


@pytest.mark.parametrize(
    ("data", "extractor"), [(Shifted, PointExtractor), (LabelledPoints, Squared)]
)
def test_the_cache_knows_other_samples_and_other_networks(data, extractor):
    def scores(data, extractor, cache):
        suite = MetricSuite(extractor(), [metrics.FrechetDistance()])
        callback = EvaluationCallback(number=40, suite=suite, data=data(), cache=cache)
        fit(callback, steps=1)
        return callback.scores

    scores(LabelledPoints, PointExtractor, cache=True)
    with_cache = scores(data, extractor, cache=True)
    assert with_cache == scores(data, extractor, cache=False)


# --- refused at the start, or survived -----------------------------------------------------------


def test_a_suite_that_needs_held_out_samples_is_refused_before_training():
    suite = MetricSuite(PointExtractor(), [metrics.DataCopying()])
    with pytest.raises(ValueError, match="`suite` must need real and fake samples alone"):
        fit(EvaluationCallback(suite=suite), steps=1)


def test_a_generator_that_the_extractor_does_not_take_is_refused_before_training():
    suite = MetricSuite(DigitsClassifier(), [metrics.FrechetDistance()])
    module = mlp_game(NonSaturatingGAN)
    run = trainer(max_steps=1, callbacks=[EvaluationCallback(suite=suite)])
    with pytest.raises(ValueError, match=r"`images` must be \(N, C, H, W\), got shape \(1, 2\)"):
        run.fit(module, datamodule=points())
    assert module.discriminator_updates == 0


def test_samples_that_are_not_finite_have_no_score_and_end_no_run():
    class Breaks(Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            if trainer.global_step == 1:
                with torch.no_grad():
                    next(module.generator_ema.parameters()).fill_(float("nan"))

    rows, callback = Rows(), EvaluationCallback(every_n_steps=1, suite=a_suite(), number=30)
    run = trainer(max_steps=2, callbacks=[Breaks(), callback], logger=rows)
    with pytest.warns(UserWarning, match="Samples of step 2 are not finite"):
        run.fit(mlp_game(NonSaturatingGAN), datamodule=points())
    first, second = (row["FD-points"] for _, row in evaluations(rows))
    assert first > 0
    assert second != second


def test_a_trial_run_evaluates_nothing():
    callback = EvaluationCallback(every_n_steps=1, suite=a_suite())
    run = trainer(fast_dev_run=2, callbacks=[callback], max_epochs=None)
    run.fit(mlp_game(NonSaturatingGAN), datamodule=points())
    assert callback.scores == {}


# --- which way is better -------------------------------------------------------------------------


def follow(tmp_path, **kwargs):
    callback = EvaluationCallback(every_n_steps=1, number=40, suite=a_suite())
    checkpoint = GANCheckpoint(tmp_path, **kwargs)
    run = trainer(max_steps=3, callbacks=[callback, checkpoint])
    run.fit(mlp_game(NonSaturatingGAN), datamodule=points())


def test_a_mode_that_contradicts_the_score_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`mode` must be 'max' for `monitor='precision-points'`"):
        follow(tmp_path, monitor="precision-points", mode="min")


def test_a_mode_that_nobody_knows_is_asked_for(tmp_path):
    with pytest.raises(ValueError, match="`mode` must be 'min' or 'max' for `monitor='loss/gen"):
        follow(tmp_path, monitor="loss/generator")


def test_a_monitor_that_never_has_a_value_is_told(tmp_path):
    with pytest.warns(UserWarning, match="`monitor='FD-pionts'` never had a value, among FD-"):
        follow(tmp_path, monitor="FD-pionts")


def test_the_score_itself_says_which_way_is_better(tmp_path):
    follow(tmp_path, monitor="precision-points")
    assert (tmp_path / "best.ckpt").is_file()


@pytest.mark.parametrize("quiet", [0.0, 1000.0])
def test_a_bar_appears_only_where_an_evaluation_takes_long(monkeypatch, capsys, quiet):
    monkeypatch.setattr(evaluation, "_QUIET", quiet)
    callback = EvaluationCallback(number=40, suite=a_suite(), chunk=10, cache=False)
    run = lightning.Trainer(
        accelerator="cpu",
        max_steps=1,
        max_epochs=-1,
        logger=False,
        log_every_n_steps=1,
        callbacks=[GANProgressBar(), callback],
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    run.fit(mlp_game(NonSaturatingGAN), datamodule=points())
    said = capsys.readouterr().err
    assert ("Evaluation" in said) is (quiet == 0)
    assert ("Real samples" in said) is (quiet == 0)
