"""Samples that move, come back, and are neither near the data nor over it."""

import math

import pytest
from histories import HEALTHY, check_timing, kinds, made, of, turned

from gan_lightning.callbacks.monitors.oscillation import OscillationMonitor

MONITOR = OscillationMonitor(
    patience=3, moved=0.5, shift=0.3, turn=0.7, bins=0.6, distance=0.1, rhythm=0.5
)
KIND = "oscillation"
BACK = {"turn": 0.699, "bins": 0.599, "distance": 0.101}
STILL = [{"turn": 0.701}, {"bins": 0.601}, {"distance": 0.099}]

CASES = [
    (BACK | {"moved": 0.501, "shift": 0.0}, [*STILL, {"moved": 0.499}]),
    (BACK | {"shift": 0.301, "moved": 0.0}, [*STILL, {"shift": 0.299}]),
]


@pytest.mark.parametrize(("bad", "saving"), CASES)
def test_just_beyond_the_thresholds_and_just_short_of_them(bad, saving):
    check_timing(MONITOR, KIND, bad)
    assert kinds(MONITOR, turned(bad, "1" * 12)) == [KIND]
    for one in saving:
        assert kinds(MONITOR, turned(bad | one, "1" * 12)) == [], one


@pytest.mark.parametrize(("bad", "saving"), CASES)
def test_the_signals_of_a_rule_are_enough_for_it(bad, saving):
    needed = {name: value for name, value in bad.items() if value}
    gone = dict.fromkeys(HEALTHY.keys() - needed.keys())
    (found,) = MONITOR.judge(turned(gone | needed, "1" * 5))
    assert (found.kind, found.note) == (KIND, "")
    for name in needed:
        assert kinds(MONITOR, turned(gone | needed | {name: None}, "1" * 5)) == [], name


def test_a_healthy_run_and_one_without_numbers():
    assert kinds(OscillationMonitor(), turned({}, "0" * 30)) == []
    assert kinds(MONITOR, made([{}] * 30)) == []
    assert kinds(MONITOR, made([])) == []


def test_a_rhythm_is_evidence_and_not_needed():
    bad = BACK | {"moved": 0.9, "shift": 0.9}
    names = ["moved", "shift", "turn", "bins"]
    for rhythm, shown in ((0.501, [*names[:3], "rhythm", "bins"]), (0.499, names)):
        (found,) = MONITOR.judge(turned(bad | {"rhythm": rhythm}, "111"))
        assert [e.signal for e in found.evidence] == shown
        assert [e.was for e in found.evidence] == [HEALTHY[name] for name in shown]
    assert kinds(MONITOR, turned({"rhythm": 1.0, "phase": 0.25}, "1" * 12)) == []


@pytest.mark.parametrize(("phase", "words"), [(0.25, "+0.25 turns"), (-0.1, "-0.10 turns")])
def test_the_note_has_the_phase(phase, words):
    (found,) = MONITOR.judge(turned(BACK | {"moved": 0.9, "phase": phase}, "111"))
    assert found.note == f"G's cost runs {words} behind D's"
    (found,) = MONITOR.judge(turned(BACK | {"moved": 0.9, "phase": math.nan}, "111"))
    assert found.note == ""


@pytest.mark.parametrize(
    ("rate", "better"), [(0.7 ** (0.9 / 3), False), (0.7 ** (1.1 / 3), True), (1.0, False)]
)
def test_samples_that_come_nearer_are_on_their_way(rate, better):
    """By three tenths in as many looks as the patience."""
    bad = {"moved": 0.9, "turn": 0.2, "bins": 0.1}
    history = of(
        distance=[99 * rate**i for i in range(18)], **{name: [v] * 18 for name, v in bad.items()}
    )
    assert history.last("distance") > MONITOR.distance
    assert kinds(MONITOR, history) == ([] if better else [KIND])
