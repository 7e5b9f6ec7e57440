"""A discriminator that knows its training samples, and a generator that copies them."""

import pytest
from histories import HEALTHY, check_timing, kinds, made, turned

from gan_lightning.callbacks.monitors.overfitting import OverfittingMonitor

MONITOR = OverfittingMonitor(patience=3, memory=0.65, nearest=0.4)
CASES = [
    ("overfitting", {"memory": 0.651}, [{"memory": 0.649}, {"memory": None}]),
    (
        "copying",
        {"nearest": 0.399, "precision": 0.501},
        [{"nearest": 0.401}, {"precision": 0.499}, {"nearest": None}, {"precision": None}],
    ),
]


@pytest.mark.parametrize(("kind", "bad", "saving"), CASES)
def test_just_beyond_the_thresholds_and_just_short_of_them(kind, bad, saving):
    check_timing(MONITOR, kind, bad)
    assert kinds(MONITOR, turned(bad, "1" * 12)) == [kind]
    for one in saving:
        assert kinds(MONITOR, turned(bad | one, "1" * 12)) == [], one
    gone = dict.fromkeys(HEALTHY.keys() - bad.keys())
    assert kinds(MONITOR, turned(gone | bad, "1" * 5)) == [kind]


def test_a_healthy_run_and_one_without_numbers():
    assert kinds(OverfittingMonitor(), turned({}, "0" * 30)) == []
    assert kinds(MONITOR, made([{}] * 30)) == []
    assert kinds(MONITOR, made([])) == []


def test_without_heldout_samples_nothing_is_named():
    """`overfit_t` and `authentic` are there even so, and alone tell nothing."""
    gone = {"memory": None, "overfit_v": None, "nearest": None}
    bad = gone | {"overfit_t": 1.0, "right": 1.0, "authentic": 0.0}
    assert kinds(MONITOR, turned(bad, "1" * 12)) == []


def test_both_at_once_with_their_evidence():
    bad = {"memory": 0.9, "overfit_v": 0.8, "overfit_t": 0.9, "nearest": 0.1, "authentic": 0.1}
    memory, copies = MONITOR.judge(turned(bad, "111"))
    assert (memory.kind, copies.kind) == ("overfitting", "copying")
    assert [e.signal for e in memory.evidence] == ["memory", "overfit_v", "overfit_t"]
    assert [e.signal for e in copies.evidence] == ["nearest", "authentic"]
    for e in (*memory.evidence, *copies.evidence):
        assert (e.value, e.was) == (bad[e.signal], HEALTHY[e.signal])
