"""The signals of a run, look by look."""

import math

import numpy as np
import pytest
import torch

from gan_lightning.callbacks.monitors.history import History


def a_history():
    history = History(10, 100)
    history.add(10, {"a": 1.0, "nothing": math.nan})
    history.add(20, {"a": 2.0, "b": 5.0})
    history.add(30, {"b": 6.0})
    return history


def same(found, expected):
    np.testing.assert_array_equal(found, np.array(expected, dtype=np.float64))
    assert found.dtype == np.float64


def test_what_is_missing_is_nan():
    history = a_history()
    assert len(history) == 3
    assert history.steps == [10, 20, 30]
    same(history["a"], [1, 2, math.nan])
    same(history["b"], [math.nan, 5, 6])
    same(history["never"], [math.nan] * 3)
    same(history["nothing"], [math.nan] * 3)
    assert history.last("b") == 6.0
    assert math.isnan(history.last("a"))
    assert math.isnan(history.last("never"))


def test_a_signal_is_there_once_it_had_a_number():
    history = a_history()
    assert history.names == ["a", "b"]
    assert "a" in history
    assert "nothing" not in history
    history.add(40, {"nothing": 0.0})
    assert "nothing" in history
    same(history["nothing"], [math.nan] * 3 + [0.0])


def test_an_empty_history():
    history = History()
    assert len(history) == 0
    assert history.names == []
    assert history["a"].shape == (0,)
    assert math.isnan(history.last("a"))


@pytest.mark.parametrize(
    ("interval", "planned", "young"),
    [(10, None, 5), (10, 100, 5), (10, 1000, 10), (10, 1009, 10), (40, 2000, 5), (1, 2000, 200)],
)
def test_a_tenth_of_the_run_and_at_least_five_looks_are_young(interval, planned, young):
    assert History(interval, planned).young == young


@pytest.mark.parametrize("looks", range(4))
def test_until_is_what_it_was_then(looks):
    history = a_history()
    then = History(10, 100)
    for i in range(looks):
        values = {name: history[name][i] for name in ("a", "b")}
        then.add(history.steps[i], {n: float(v) for n, v in values.items()})
    found = history.until(looks)
    assert found.names == then.names
    assert found.steps == then.steps
    assert (found.interval, found.planned) == (10, 100)
    for name in ("a", "b"):
        same(found[name], then[name])
    found.add(99, {"a": 0.0})
    assert len(history) == 3  # a copy
    assert len(history["a"]) == 3


@pytest.mark.parametrize(("step", "left"), [(9, 0), (10, 1), (29, 2), (30, 3), (99, 3)])
def test_cut_forgets_the_looks_after_a_step(step, left):
    history, expected = a_history(), a_history().until(left)
    history.cut(step)
    assert history.state_dict() == expected.state_dict()
    history.add(step + 1, {"a": 7.0})
    assert history.last("a") == 7.0
    assert len(history["b"]) == left + 1


def test_state_is_plain_and_makes_an_equal_history(tmp_path):
    history = a_history()
    torch.save(history.state_dict(), tmp_path / "state.pt")
    again = History(10, 100)
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert again.steps == history.steps
    assert again.names == history.names
    for name in history.names:
        same(again[name], history[name])
    history.add(40, {"a": 0.0})
    assert len(again) == 3


def test_numpy_numbers_become_plain_ones(tmp_path):
    history = History()
    history.add(1, {"a": np.float64(2.0), "b": np.float32(0.5)})
    torch.save(history.state_dict(), tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state["values"] == {"a": [2.0], "b": [0.5]}
