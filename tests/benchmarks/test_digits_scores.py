import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import linalg, stats

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


# --- codes and classes ------------------------------------------------------------------------


def test_a_code_stands_for_the_class_most_frequent_in_it():
    from digits_scores import best_class_error, one_to_one_error

    #                     code 0: 2, 2, 1    code 1: 2, 2, 0    code 2: 1
    codes = torch.tensor([0, 0, 0, 1, 1, 1, 2])
    labels = torch.tensor([2, 2, 1, 2, 2, 0, 1])
    assert best_class_error(codes, labels, 3) == pytest.approx(2 / 7)  # two codes for class 2
    # One to one: class 2 for one of the two codes, 0 or 1 elsewhere: 2 + 1 + 1 are right.
    assert one_to_one_error(codes, labels, 3) == pytest.approx(3 / 7)


def test_the_names_of_codes_do_not_matter():
    from digits_scores import best_class_error, one_to_one_error

    labels = torch.arange(50) % 10
    codes = (labels * 3 + 4) % 10
    assert best_class_error(codes, labels) == one_to_one_error(codes, labels) == 0.0
    assert best_class_error(torch.zeros_like(labels), labels) == pytest.approx(0.9)
    assert one_to_one_error(torch.zeros_like(labels), labels) == pytest.approx(0.9)


def test_more_codes_than_classes():
    from digits_scores import best_class_error, one_to_one_error

    codes, labels = torch.arange(12), torch.arange(12) % 4
    assert best_class_error(codes, labels, 4) == 0.0
    assert one_to_one_error(codes, labels, 4) == pytest.approx(8 / 12)


def test_agreement_and_divergence():
    from digits_scores import agreement, divergence

    asked = torch.tensor([0, 1, 2, 3])
    assert agreement(torch.tensor([0, 1, 2, 0]), asked) == 0.75
    classes, labels = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 1, 2, 2])
    truth = stats.entropy([0.75, 0.25, 0], [0.25, 0.25, 0.5])
    assert divergence(classes, labels, 3) == pytest.approx(truth, abs=1e-12)


def test_k_means_on_clusters_far_apart_makes_no_errors():
    from digits_scores import Real, k_means

    labels = torch.arange(60) % 10
    x = 100.0 * labels.double()[:, None, None, None] + torch.rand(60, 1, 2, 2).double()
    errors = {"best_class": 0.0, "one_to_one": 0.0}
    assert k_means(Real(x, labels, None, 0.0), seeds=2) == [errors, errors]


# --- pictures and tables ----------------------------------------------------------------------


class FakeModel:
    """Its samples are as bright as their labels, or as their row."""

    def __init__(self, conditional):
        self.conditional = conditional

    def sample(self, n, labels=None, seed=None):
        values = torch.arange(n) // 8 if labels is None else labels
        return (values / 10)[:, None, None, None].expand(n, 1, 48, 48)


@pytest.mark.parametrize(("conditional", "rows"), [(False, 8), (True, 10)])
def test_a_picture_has_one_class_a_row(conditional, rows, monkeypatch, tmp_path):
    import digits_scores

    monkeypatch.setattr(digits_scores.gan_lightning, "load", lambda _: FakeModel(conditional))
    digits_scores.picture(tmp_path, tmp_path / "picture.png")
    pixels = np.array(Image.open(tmp_path / "picture.png"))
    assert pixels.shape == (rows * 50 + 2, 8 * 50 + 2)
    for row in range(rows):
        cells = pixels[50 * row + 20, 20::50][:8]
        assert set(cells.tolist()) == {round((row / 10 + 1) * 127.5)}


def test_the_table_counts_failures_and_leaves_out_what_was_not_measured():
    from digits_scores import clustering_table, table

    run = {"classes": 10.0, "kl": 0.5, "diversity": 1.0, "seconds": 7.0}
    told = [run | {"agreement": a} for a in (0.8, 0.9)]
    lines = table({"a": [run, None], "b": told, "c": [None]}, 0.951).splitlines()
    assert lines[2].startswith("| digits/a | 2 (1) | 10.0 (10 to 10) | 0.500 (0.500 to 0.500) |")
    assert lines[2].endswith("| - | 7 (7 to 7) |")
    assert "| 0.850 (0.800 to 0.900) |" in lines[3]
    assert lines[4] == "| digits/c | 1 (1) | - | - | - | - | - |"
    for error, verdict in ((0.15, "met"), (0.16, "not met")):
        coded = [{"best_class": error, "one_to_one": 0.3}]
        means = [{"best_class": 0.2, "one_to_one": 0.2}]
        assert f"**{verdict}**" in clustering_table(coded, means)
    assert "**not met**" in clustering_table(coded, [{"best_class": 0.1, "one_to_one": 0.1}])


# --- runs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["finished", "failed: ValueError", "interrupted"])
def test_only_runs_without_an_end_are_trained_again(outcome, monkeypatch, tmp_path):
    import trained

    commands = []

    def run(command, **kwargs):
        commands.append(command)
        folder = Path(command[command.index("--run_dir") + 1])
        folder.mkdir(parents=True)
        done = "finished" if len(commands) > 1 else outcome
        (folder / "run.json").write_text(json.dumps({"outcome": done}))
        return type("Done", (), {"returncode": int(done != "finished"), "stderr": "broken"})

    monkeypatch.setattr(trained.subprocess, "run", run)

    seen = []
    for _ in range(2):
        try:
            found = trained.train(tmp_path, "digits/cgan", 1, ["--trainer.max_steps=3"])
            seen.append(found.name.split("-")[::3])  # digits, and the seed
        except trained.Failed as error:
            seen.append(str(error))
    good = ["digits", "1"]
    wanted = {"finished": [good, good], "interrupted": ["broken", good]}
    assert seen == wanted.get(outcome, [outcome, outcome])
    assert len(commands) == (2 if outcome == "interrupted" else 1)
    assert commands[0][0] == sys.executable
    assert "--trainer.max_steps=3" in commands[0]


def test_other_arguments_are_another_run():
    from trained import _digest

    assert _digest("digits/cgan", []) == _digest("digits/cgan", ())
    assert _digest("digits/cgan", []) != _digest("digits/cgan", ["--trainer.max_steps=3"])
    assert _digest("digits/cgan", []) != _digest("digits/acgan", [])


def test_every_recipe_of_the_digits_has_a_line():
    from digits import runs

    from gan_lightning.cli.recipes import recipes

    found = runs()
    assert {r for r, _ in found.values()} == {r for r in recipes() if r.startswith("digits/")}
    assert [name for name, (_, a) in found.items() if a] == ["maximum_likelihood_without_R1"]


# --- statistics -------------------------------------------------------------------------------


def test_intervals_are_those_of_scipy():
    from statistics_of_runs import difference, interval

    a, b = [1.0, 2.5, 2.0, 4.0], [0.5, 0.7, 1.1]
    middle, half = interval(a)
    low, high = stats.t.interval(0.95, 3, np.mean(a), stats.sem(a))
    assert (middle - half, middle + half) == pytest.approx((low, high), abs=1e-12)
    middle, half = difference(a, b)
    found = stats.ttest_ind(a, b, equal_var=False).confidence_interval()
    assert (middle - half, middle + half) == pytest.approx((found.low, found.high), abs=1e-12)
    assert math.isnan(interval([1.0])[1])
    assert difference([1.0, 1.0], [2.0, 2.0]) == (-1.0, 0.0)


def test_the_baseline_is_favoured():
    from semi_supervised_tables import baselines, fewer, table

    errors = [{"5": 0.30, "10": 0.20, "200": 0.25}, {"5": 0.12, "10": 0.20, "200": 0.31}]
    results = [
        {"game": g, "baseline": b, "svm": 0.1, "labels": 100, "held_out": 359}
        for g, b in zip((0.1, 0.2), errors, strict=True)
    ]
    last, best, every, _ = baselines(results).values()
    assert last == [0.25, 0.31]
    assert best == [0.20, 0.20]
    assert every == [0.20, 0.12]
    assert fewer([0.1, 0.2], [0.2, 0.4]) == 0.5
    text = table([*results, {"failed": "broken"}])
    assert "| 28.00 ± 4.24 | 13.00 (-12.41 to 38.41) | 46 | met |" in text
    assert "| 16.00 ± 5.66 |" in text
    assert "| 6 | not met |" in text
    assert "3 draws, 1 failed" in text


# --- codes and features -----------------------------------------------------------------------


def test_the_nearest_neighbour_is_another_sample():
    from bigan import neighbour_accuracy, squared_error, standardised

    codes = torch.tensor([[0.0], [0.1], [0.15], [5.0], [5.1]])
    labels = torch.tensor([0, 0, 1, 1, 1])
    assert neighbour_accuracy(codes, labels) == pytest.approx(3 / 5)  # 0.1 and 0.15 are wrong
    assert squared_error(torch.zeros(2, 1), torch.tensor([[1.0], [3.0]])) == 5.0
    z = standardised(torch.tensor([[1.0, 2.0], [3.0, 2.0]]))
    torch.testing.assert_close(z, torch.tensor([[-1.0, 0.0], [1.0, 0.0]]))


def test_the_frechet_distance_is_that_of_normal_distributions():
    from frechet import distance

    torch.manual_seed(0)
    a = torch.randn(300, 5).double() @ torch.randn(5, 5).double()
    b = torch.randn(400, 5).double() @ torch.randn(5, 5).double() + 1
    c_a, c_b = (np.cov(x.numpy(), rowvar=False) for x in (a, b))
    truth = float((a.mean(0) - b.mean(0)).square().sum())
    truth += np.trace(c_a + c_b - 2 * linalg.sqrtm(c_a @ c_b).real)
    assert distance(a, b) == pytest.approx(truth, rel=1e-10)
    assert distance(b, a) == pytest.approx(truth, rel=1e-10)
    assert distance(a, a) == pytest.approx(0, abs=1e-10)
    assert distance(a, a + 2) == pytest.approx(4 * 5, rel=1e-10)
    assert distance(a, 3 * a - 2 * a.mean(0)) == pytest.approx(4 * np.trace(c_a), rel=1e-10)


def test_a_feature_that_never_varies_does_no_harm():
    from frechet import distance

    a = torch.randn(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    a[:, 1] = 0.0
    assert distance(a, a) == pytest.approx(0, abs=1e-12)


def test_the_classifier_is_trained_once(tmp_path):
    from frechet import FEATURES, cached, look

    torch.manual_seed(0)
    labels = torch.arange(512) % 2
    x = (2.0 * labels - 1)[:, None, None, None] * torch.rand(512, 1, 16, 16)
    network = cached(tmp_path / "classifier.pt", x, labels, epochs=2)
    seen = look(network, x)
    assert (seen.classes == labels).double().mean() > 0.99
    assert seen.features.shape == (512, FEATURES)
    again = look(cached(tmp_path / "classifier.pt", x, labels, epochs=0), x)
    torch.testing.assert_close(again.features, seen.features, rtol=0, atol=0)


def test_supervision_is_compared_with_its_control():
    from supervision_tables import table

    run = {"resampled": 0.01, "kl": 0.0, "seconds": 9.0}
    results = {
        "NonSaturatingGAN": [run | {"distance": d} for d in (1.0, 1.2)],
        "CGAN": [run | {"distance": d, "agreement": 0.9} for d in (0.5, 0.7)] + [None],
    }
    text = table(results, {"accuracy": 0.9, "floor 0": 0.1, "floor 1": 0.2}, 6000)
    found = stats.ttest_ind([0.5, 0.7], [1.0, 1.2], equal_var=False).confidence_interval()
    assert f"-0.500 ({found.low:.3f} to {found.high:.3f}), to NonSaturatingGAN" in text
    assert "| CGAN | 3 (1) | 0.600 ± 0.141 |" in text
    assert "0.150 ± 0.071" in text
