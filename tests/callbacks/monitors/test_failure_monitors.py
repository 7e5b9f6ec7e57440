"""The whole set: who is in it, what it shares, and that no family is too odd for it."""

import math
import re
from inspect import signature
from pathlib import Path

import pytest
from families.cases import CASES
from support import mlp_game, points, trainer

from gan_lightning.callbacks.monitors import (
    ConvergenceMonitor,
    DivergenceMonitor,
    FailureMonitors,
    ModeCollapseMonitor,
    OscillationMonitor,
    OverfittingMonitor,
    Rollback,
    Stop,
    Warn,
)
from gan_lightning.families import NonSaturatingGAN

MONITORS = [
    ModeCollapseMonitor,
    ConvergenceMonitor,
    OscillationMonitor,
    DivergenceMonitor,
    OverfittingMonitor,
]
PAGE = Path(__file__).parents[3] / "docs" / "failures.md"

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*number of training batches"),
]


def test_all_five_by_default():
    assert {type(monitor) for monitor in FailureMonitors().monitors} == set(MONITORS)
    assert len(FailureMonitors().monitors) == 5


@pytest.mark.parametrize(
    ("monitors", "got"),
    [
        ([], r"\[\]"),
        ([ModeCollapseMonitor(), ModeCollapseMonitor("stop")], r"\['ModeColl.*', 'ModeColl.*'\]"),
        ([DivergenceMonitor(), Warn, DivergenceMonitor()], "'DivergenceMonitor'"),
    ],
)
def test_none_and_two_of_a_class_are_refused(monitors, got):
    with pytest.raises(ValueError, match=f"`monitors` must be one or more of .*, got .*{got}"):
        FailureMonitors(monitors=monitors)


@pytest.mark.parametrize(
    "arguments", [{"every_n_steps": 0}, {"number": 7}, {"action": "sing"}, {"action": 3}]
)
def test_arguments_out_of_range(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=f"`{name}` must be .*, got {arguments[name]!r}"):
        FailureMonitors(**arguments)


@pytest.mark.parametrize("action", ["warn", "stop", "rollback", Rollback(tries=1), print])
def test_one_action_is_shared(action):
    """So that all ways back count together."""
    acts = {id(monitor.act) for monitor in FailureMonitors(action).monitors}
    assert len(acts) == 1
    one = FailureMonitors(action).monitors[0].act
    assert one is action or not isinstance(action, Rollback)


def test_given_monitors_keep_their_thresholds_and_actions():
    given = [ModeCollapseMonitor("stop", bins=0.123, patience=2), OverfittingMonitor(memory=0.9)]
    monitors = FailureMonitors("rollback", monitors=given)
    assert monitors.monitors == given
    assert (given[0].bins, given[0].patience, given[1].memory) == (0.123, 2, 0.9)
    assert type(given[0].act) is Stop
    assert type(given[1].act) is Warn
    given.append(DivergenceMonitor())
    assert len(monitors.monitors) == 2


@pytest.mark.parametrize("cls", MONITORS)
def test_every_threshold_is_an_argument_that_is_kept(cls):
    names = [n for n, p in signature(cls.__init__).parameters.items() if p.kind == p.KEYWORD_ONLY]
    assert names
    for name in names:
        monitor = cls(**{name: 0.4321})
        assert getattr(monitor, name) == 0.4321
        others = set(names) - {name}
        assert all(getattr(monitor, other) == getattr(cls(), other) for other in others)


def test_verdicts_are_a_list_of_ones_own():
    """Everything is a collapse: no sample is four times as far from the others as real ones are."""
    collapse = ModeCollapseMonitor(patience=1, alike=4.0, pairwise=4.0)
    monitors = FailureMonitors(every_n_steps=1, number=8, monitors=[collapse])
    assert monitors.verdicts == []
    trainer(max_steps=8, callbacks=[monitors]).fit(mlp_game(NonSaturatingGAN), points())
    (verdict,) = monitors.verdicts
    assert (verdict.kind, verdict.step, verdict.since) == ("mode collapse", 6, 6)
    assert verdict.monitor == "ModeCollapseMonitor"
    assert len(verdict.advice) > 1
    monitors.verdicts.clear()
    assert len(monitors.verdicts) == 1


@pytest.mark.parametrize("name", CASES)
def test_a_few_steps_of_any_family_are_no_failure(name):
    """Nor an error; with held-out samples where there are labels, else without."""
    case = CASES[name]
    conditional = case.make().conditional
    heldout = case.data(8, 11) if conditional else None
    number = 24 if conditional else 8
    monitors = FailureMonitors(every_n_steps=1, number=number, heldout=heldout)
    trainer(max_steps=3, callbacks=[monitors]).fit(case.make(), case.data(8, 11))
    history = monitors.driver.history
    assert history.steps == [1, 2, 3]
    assert monitors.verdicts == []
    assert ("class_pairwise" in history) == conditional
    assert ("memory" in history) == conditional
    for signal in ("finite", "pairwise", "right", "weights_generator", "loss_discriminator"):
        assert math.isfinite(history.last(signal)), signal


# --- the documents --------------------------------------------------------------------------------


def percent(share):
    return f"{100 * share:.3g} %"


def in_words(share):
    """A half is written out."""
    return {0.5: "half", 0.25: "a quarter"}.get(share, percent(share))


def told():
    """What docs/failures.md must say of the defaults."""
    collapse, winner, turning, explosion, memory = (cls() for cls in MONITORS)
    return {
        "mode collapse": [
            f"pairwise distance under {collapse.alike:g} of real",
            f"under {collapse.pairwise:g} while D ranks under {percent(collapse.fooled)} of pairs",
        ],
        "partial mode collapse": [
            f"bins with under {in_words(collapse.bins)} of the data",
            f"under {percent(collapse.classes)} of the classes",
            f"has under {in_words(collapse.class_pairwise)} of its pairwise distance",
        ],
        "discriminator wins": [
            f"energy distance over {winner.distance:g} of the data's spread",
            f"D ranks over {percent(winner.wins)} of pairs rightly",
        ],
        "generator wins": [f"D ranks under {percent(winner.loses)} rightly"],
        "no progress": [f"moved by under {percent(winner.drift)} of the data's spread"],
        "oscillation": [
            f"{in_words(turning.moved)} of the samples change bins between two looks",
            f"mean moves by {percent(turning.shift)} of the data's spread",
        ],
        "overfitting": [f"held-out ones in over {percent(memory.memory)} of pairs"],
        "copying": [f"samples lie {in_words(memory.nearest)} as far from training samples"],
        "": [
            f"at `patience` of the newest looks ({collapse.patience}; {explosion.patience} for "
            "explosions, 1 for NaN)"
        ],
    }


def row(text, kind):
    """The table's row of a kind of failure; the prose above it for none."""
    if not kind:
        return " ".join(text.partition("| Monitor |")[0].split())
    (found,) = re.findall(rf"^\|[^|]*\| {kind} \| (.*) \|$", text, re.MULTILINE)
    return found


@pytest.mark.parametrize("kind", told())
def test_the_failure_page_has_the_defaults(kind):
    found = row(PAGE.read_text(encoding="utf-8"), kind)
    for words in told()[kind]:
        assert words in found


def test_all_monitors_have_the_patience_that_the_page_tells():
    patience = {cls: cls().patience for cls in MONITORS if cls is not DivergenceMonitor}
    assert len(set(patience.values())) == 1
