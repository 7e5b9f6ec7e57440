"""What all rules are made of, against loops and regular expressions over every short history."""

import itertools
import math
import re

import numpy as np
import pytest
from histories import STEPS, made, of

from gan_lightning.callbacks.monitors import rules
from gan_lightning.callbacks.monitors.history import History
from gan_lightning.callbacks.monitors.signals import MEANINGS
from gan_lightning.callbacks.monitors.verdict import Evidence

NAN = math.nan


def specified(marks, patience):
    """(first look, share of looks since then) of a failure; None where there is none.

    It holds at the newest look and at `patience` of the newest `patience + 1` ones. It began at the
    first of the looks from which on no two neighbours miss.
    """
    if not marks.endswith("1") or marks[-(patience + 1) :].count("1") < patience:
        return None
    since = re.search("1(0?1)*$", marks).group()
    return len(marks) - len(since), since.count("1") / len(since)


@pytest.mark.parametrize("patience", [1, 2, 3, 4])
def test_every_short_history_is_judged_as_specified(patience):
    judged = set()
    for length in range(11):
        history = of(pairwise=[1.0] * length)
        for marks in map("".join, itertools.product("01", repeat=length)):
            holds = np.array([mark == "1" for mark in marks], dtype=bool)
            found = rules.finding(history, "odd", holds, patience, [])
            expected = specified(marks, patience)
            judged.add(expected is None)
            if expected is None:
                assert found == [], marks
            else:
                (one,) = found
                assert one.since == STEPS * (expected[0] + 1), marks
                assert one.confidence == pytest.approx(expected[1]), marks
                assert (one.kind, one.evidence, one.note) == ("odd", (), "")
    assert judged == {True, False}


def test_the_specification_by_hand():
    assert specified("0111", 3) == (1, 1.0)
    assert specified("1101", 3) == (0, 0.75)
    assert specified("11001", 3) is None
    assert specified("1110", 3) is None
    assert specified("100101", 2) == (3, 2 / 3)
    assert specified("1", 2) is None


# --- thresholds -----------------------------------------------------------------------------------


def test_a_threshold_itself_is_neither_above_nor_below():
    history = of(pairwise=[0.0, 1.0, 2.0, NAN, math.inf, -math.inf])
    assert rules.above(history, "pairwise", 1.0).tolist() == [
        False,
        False,
        True,
        False,
        True,
        False,
    ]
    assert rules.below(history, "pairwise", 1.0).tolist() == [
        True,
        False,
        False,
        False,
        False,
        True,
    ]


def test_what_is_missing_never_holds():
    history = of(pairwise=[NAN, 1.0, NAN], bins=[NAN] * 3)
    for name in ("bins", "unheard of"):
        for side in (rules.above, rules.below):
            assert side(history, name, 0.5).tolist() == [False] * 3
    assert rules.above(history, "pairwise", 0.5).tolist() == [False, True, False]
    assert rules.below(history, "pairwise", 1.5).tolist() == [False, True, False]
    assert rules.above(History(), "pairwise", 0.5).tolist() == []


@pytest.mark.parametrize(("planned", "young"), [(None, 5), (STEPS * 30, 5), (STEPS * 80, 8)])
def test_a_run_is_grown_after_its_young_looks(planned, young):
    for looks in (0, 3, 12):
        grown = rules.grown(of(planned, pairwise=[1.0] * looks))
        assert grown.tolist() == [i >= young for i in range(looks)]


# --- trends ---------------------------------------------------------------------------------------


def ratio(curve, looks):
    """Of the medians of the newest looks and those before, numbers alone; NaN if it has none."""
    if len(curve) < 2 * looks:
        return NAN
    new = [x for x in curve[len(curve) - looks :] if x == x]
    old = [x for x in curve[len(curve) - 2 * looks : len(curve) - looks] if x == x]
    return float(np.median(new) / np.median(old)) if new and old else NAN


def test_a_trend_is_one_of_two_medians():
    random = np.random.default_rng(0)
    trends = set()
    for length, looks in itertools.product((2, 5, 6, 9), (1, 2, 3)):
        for _ in range(30):
            curve = random.uniform(0.5, 2, length)
            curve[random.uniform(size=length) < 0.3] = NAN
            history, found = of(bins=curve), ratio(curve, looks)
            for by in (0.7, 1.0, 1.3):
                assert rules.rising(history, "bins", looks, by) == (found > by)
                assert rules.falling(history, "bins", looks, by) == (found < by)
                trends.add((found > by, found < by))
    assert len(trends) == 3


def test_a_trend_by_hand():
    history = of(bins=[9.0, 1.0, 1.0, 1.0, 2.0, 2.0, 0.0])  # from 1 to 2, outliers or not
    assert rules.rising(history, "bins", 3, 1.9)
    assert not rules.rising(history, "bins", 3, 2.0)
    assert not rules.rising(history, "bins", 4, 0.1)  # too short
    assert not rules.falling(history, "bins", 3, 2.0)
    assert rules.falling(history, "bins", 3, 2.1)
    assert not rules.falling(history, "bins", 4, 99.0)


@pytest.mark.parametrize("curve", [[], [NAN] * 8, [1.0] * 4 + [NAN] * 4, [NAN] * 4 + [1.0] * 4])
def test_no_trend_without_numbers_on_both_sides(curve):
    history = of(bins=curve)
    assert not rules.rising(history, "bins", 4, 0.0)
    assert not rules.falling(history, "bins", 4, 99.0)
    assert not rules.rising(history, "unheard of", 4, 0.0)
    assert not rules.falling(history, "unheard of", 4, 99.0)


# --- evidence -------------------------------------------------------------------------------------


def test_evidence_is_the_newest_value_with_its_words():
    history = of(pairwise=[1.0, 0.25], bins=[0.5, NAN])
    (found,) = rules.evidence(history, "pairwise", 0.5, above=False)
    assert found == Evidence("pairwise", 0.25, 0.5, False, words=MEANINGS["pairwise"])
    assert rules.evidence(history, "bins", 0.5, above=False) == []
    assert rules.evidence(history, "recall", 0.5, above=True) == []


def shown(curve, threshold, above, since):
    """The evidence of a failure that began at a look."""
    history = of(logit=curve)
    holds = np.arange(len(curve)) >= since
    proof = rules.evidence(history, "logit", threshold, above)
    (found,) = rules.finding(history, "odd", holds, 1, proof)
    return found.evidence


@pytest.mark.parametrize("above", [True, False])
def test_only_what_is_beyond_its_threshold_is_shown(above):
    beyond, short = (2.1, 1.9) if above else (1.9, 2.1)
    (found,) = shown([short, short, beyond], 2.0, above, 2)
    assert (found.value, found.threshold, found.above) == (beyond, 2.0, above)
    assert shown([short] * 3, 2.0, above, 2) == ()
    assert shown([2.0] * 3, 2.0, above, 2) == ()  # the threshold itself
    assert len(shown([short, short, math.inf], 2.0, above, 2)) == 1
    assert len(shown([short, short, -math.inf], 2.0, above, 2)) == 1


@pytest.mark.parametrize(
    ("past", "was"),
    [
        ([0.5, 1.0, 0.9], 0.9),
        ([0.5, 1.0], 0.75),
        ([NAN, 0.5, 1.0, math.inf, NAN], 0.75),
        ([2.0, 2.0], 2.0),  # the threshold is still good
        ([3.0, 4.0, 1.0], None),  # bad before as well
        ([1.0], None),  # one look is no past
        ([1.0, NAN], None),
        ([], None),
    ],
)
def test_what_was_is_the_median_of_a_healthy_past(past, was):
    (found,) = shown([*past, 5.0, 7.0], 2.0, True, len(past))
    assert (found.value, found.was) == (7.0, was)
    mirrored = [-x for x in (*past, 5.0, 7.0)]
    (found,) = shown(mirrored, -2.0, False, len(past))
    assert (found.value, found.was) == (-7.0, None if was is None else -was)


def test_every_signal_has_a_past_of_its_own():
    history = made([{"bins": 1.0, "logit": 9.0}] * 4 + [{"bins": 0.1, "logit": 9.0}] * 2)
    proof = [
        *rules.evidence(history, "logit", 5.0, above=True),
        *rules.evidence(history, "bins", 0.5, above=False),
    ]
    (found,) = rules.finding(history, "odd", rules.below(history, "bins", 0.5), 2, proof)
    assert [(e.signal, e.value, e.was) for e in found.evidence] == [
        ("logit", 9.0, None),
        ("bins", 0.1, 1.0),
    ]
    assert found.since == 5 * STEPS
