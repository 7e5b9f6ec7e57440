"""When few kinds of good samples are named a collapse, and when not."""

import pytest
from histories import GOOD, HEALTHY, STEPS, check_timing, kinds, made, of, turned

from gan_lightning.callbacks.monitors.mode_collapse import ModeCollapseMonitor

MONITOR = ModeCollapseMonitor(
    patience=3,
    alike=0.1,
    pairwise=0.4,
    fooled=0.9,
    duplicates=0.7,
    bins=0.5,
    classes=0.6,
    class_pairwise=0.2,
    precision=0.3,
)
WHOLE, PART = "mode collapse", "partial mode collapse"

# Kind, signals just beyond the thresholds, and what each saves it alone.
CASES = [
    (WHOLE, {"pairwise": 0.099, "right": 1.0}, [{"pairwise": 0.101}]),
    (WHOLE, {"pairwise": 0.399, "right": 0.899}, [{"pairwise": 0.401}, {"right": 0.901}]),
    (
        WHOLE,
        {"duplicates": 0.701, "bins": 0.499, "precision": 0.1},
        [{"duplicates": 0.699}, {"bins": 0.501}],
    ),
    (PART, {"bins": 0.499, "precision": 0.301}, [{"bins": 0.501}, {"precision": 0.299}]),
    (PART, {"classes": 0.599}, [{"classes": 0.601}]),
    (PART, {"class_pairwise": 0.199}, [{"class_pairwise": 0.201}]),
]


@pytest.mark.parametrize(("kind", "bad", "saving"), CASES)
def test_just_beyond_the_thresholds_and_just_short_of_them(kind, bad, saving):
    check_timing(MONITOR, kind, bad)
    assert kinds(MONITOR, turned(bad, "1" * 9)) == [kind]
    for one in saving:
        assert kinds(MONITOR, turned(bad | one, "1" * 9)) == [], one


@pytest.mark.parametrize(("kind", "bad", "saving"), CASES)
def test_the_signals_of_a_rule_are_enough_for_it(kind, bad, saving):
    """No classifier, no labels, no held-out samples."""
    needed = {name: bad[name] for one in saving for name in one}
    gone = dict.fromkeys(HEALTHY.keys() - needed.keys())
    assert kinds(MONITOR, turned(gone | needed, "1" * 5)) == [kind]
    for name in needed:
        assert kinds(MONITOR, turned(bad | {name: None}, "1" * 5)) == [], name


def test_a_healthy_run_and_one_without_numbers():
    assert kinds(ModeCollapseMonitor(), turned({}, "0" * 30)) == []
    assert kinds(MONITOR, made([{}] * 30)) == []
    assert kinds(MONITOR, made([])) == []


def test_a_whole_collapse_is_not_called_a_partial_one_too():
    bad = {"pairwise": 0.05, "bins": 0.03, "duplicates": 1.0, "classes": 0.1}
    (found,) = MONITOR.judge(turned(bad, "111"))
    assert found.kind == WHOLE
    assert [(e.signal, e.value, e.was) for e in found.evidence] == [
        (name, bad[name], HEALTHY[name]) for name in ("pairwise", "bins", "duplicates", "classes")
    ]


def test_the_evidence_of_a_partial_one():
    bad = {"bins": 0.4, "classes": 0.4, "class_pairwise": 0.1, "pairwise": 0.8}
    (found,) = MONITOR.judge(turned(bad, "111"))
    assert [e.signal for e in found.evidence] == ["bins", "classes", "class_pairwise"]


def test_a_partial_one_that_becomes_whole_keeps_its_own_beginning():
    looks = [HEALTHY] * GOOD + [HEALTHY | {"bins": 0.3}] * 4
    looks += [HEALTHY | {"bins": 0.3, "pairwise": 0.05}] * 3
    history = made(looks)
    (before,) = MONITOR.judge(history.until(GOOD + 4))
    (after,) = MONITOR.judge(history)
    assert (before.kind, before.since) == (PART, STEPS * (GOOD + 1))
    assert (after.kind, after.since) == (WHOLE, STEPS * (GOOD + 5))


def test_a_run_that_reaches_more_and_more_bins_has_not_collapsed():
    """By medians of four looks, one look more than the patience."""
    looks = 30
    slow = [0.1 * 1.02**i for i in range(looks)]  # 8 % in four looks
    fast = [0.1 * 1.03**i for i in range(looks)]  # 13 %
    good = {"precision": [0.9] * looks, "pairwise": [0.9] * looks}
    assert kinds(MONITOR, of(bins=slow, **good)) == [PART]
    assert kinds(MONITOR, of(bins=fast, **good)) == []
    assert kinds(MONITOR, of(bins=[0.1] * looks, **good)) == [PART]
    # Samples that are all alike are no stage on the way.
    alike = {"pairwise": [0.05] * looks, "precision": [0.9] * looks}
    assert kinds(MONITOR, of(bins=fast, **alike)) == [WHOLE]


def test_bad_samples_reach_few_bins_anyway():
    assert kinds(MONITOR, turned({"bins": 0.1, "precision": 0.0}, "1" * 9)) == []
