"""Scores during training: what is computed, where it goes, and what it must not change."""

import json

import pytest
import torch
from families import cases
from support import LabelledPoints, Rows, mlp_game, points, state_of, trainer

from gan_lightning import metrics, networks
from gan_lightning.callbacks import EvaluationCallback, GANCheckpoint, RunRecorder
from gan_lightning.data import Digits
from gan_lightning.families import CGAN, NonSaturatingGAN
from gan_lightning.metrics import functional
from gan_lightning.metrics.extractors import PointExtractor
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

    for expected in (2 + 3 * 2, 2 + 3 * 2 + 3 * 2):  # reals, and fakes at three steps; then fakes
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
    with pytest.raises(ValueError, match="`mode` must be 'min' or 'max', got 'low'"):
        GANCheckpoint(mode="low")


def test_data_that_serve_no_real_samples_are_refused():
    from support import Repeated

    run = trainer(max_steps=1, callbacks=[EvaluationCallback()])
    with pytest.raises(ValueError, match="`data` must be a data module of this package"):
        run.fit(mlp_game(NonSaturatingGAN), Repeated(torch.randn(8, 2, dtype=torch.float64)))
