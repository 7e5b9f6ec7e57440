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
    Observer,
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
    monitors = FailureMonitors(monitors=given)
    assert monitors.monitors == given
    assert (given[0].bins, given[0].patience, given[1].memory) == (0.123, 2, 0.9)
    assert type(given[0].act) is Stop
    assert type(given[1].act) is Warn
    given.append(DivergenceMonitor())
    assert len(monitors.monitors) == 2


def test_what_given_monitors_would_not_use_is_refused():
    with pytest.raises(ValueError, match=r"`action` must not be given beside .*, got 'stop'"):
        FailureMonitors("stop", monitors=[DivergenceMonitor()])
    own = [DivergenceMonitor(), ModeCollapseMonitor(observer=Observer())]
    with pytest.raises(ValueError, match=r"`monitors` must have no obs.*, got .* ModeCollapseM"):
        FailureMonitors(monitors=own)


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
    """Nor an error; enough samples where there are labels for a spread within each class."""
    case = CASES[name]
    conditional = case.make().conditional
    number = 24 if conditional else 8
    monitors = FailureMonitors(every_n_steps=1, number=number)
    trainer(max_steps=3, callbacks=[monitors]).fit(case.make(), case.data(8, 11))
    history = monitors.driver.history
    assert history.steps == [1, 2, 3]
    assert monitors.verdicts == []
    assert ("class_pairwise" in history) == conditional
    assert "memory" not in history  # nobody has given held-out samples
    for signal in ("finite", "pairwise", "right", "weights_generator", "loss_discriminator"):
        assert math.isfinite(history.last(signal)), signal


# --- the documents --------------------------------------------------------------------------------


def percent(share):
    return f"{100 * share:.3g} %"


def told():
    """What docs/failures.md must say of the defaults."""
    collapse, winner, turning, explosion, memory = (cls() for cls in MONITORS)
    half = {0.5: "half"}.get(turning.moved, percent(turning.moved))
    return {
        "mode collapse": [
            f"pairwise distance under {collapse.alike:g} of real",
            f"under {collapse.pairwise:g} while D ranks under {percent(collapse.fooled)} of pairs",
            f"over {percent(collapse.duplicates)} near-duplicates in under "
            f"{percent(collapse.bins)} of the data's bins",
        ],
        "partial mode collapse": [
            f"bins with under {percent(collapse.bins)} of the data",
            f"precise (over {collapse.precision:g} of real)",
            f"under {percent(collapse.classes)} of the classes",
            f"has under {collapse.class_pairwise:g} of its pairwise distance",
        ],
        "discriminator wins": [
            f"energy distance over {winner.distance:g} of the data's spread",
            f"precision under {winner.precision:g} with coverage under {winner.few:g} of real",
            f"D ranks over {percent(winner.wins)} of pairs rightly",
        ],
        "generator wins": [f"D ranks under {percent(winner.loses)} rightly"],
        "no progress": [f"moved by under {winner.drift:g} of the data's spread"],
        "oscillation": [
            f"over {half} of the samples change bins between two looks",
            f"mean moves by over {turning.shift:g} of the data's spread",
            f"under {turning.turn:g} of a straight line",
            f"under {percent(turning.bins)} of the data and are over {turning.distance:g} of its",
        ],
        "divergence": [
            f"logits lie over {explosion.logit:,g}, gradients over {explosion.gradient:,g}, "
            f"samples over {explosion.extent:,g} times the largest real value",
            f"logits over {explosion.factor / 10:,g} times, gradients and weights over "
            f"{explosion.factor:,g} times their own early median",
        ],
        "overfitting": [f"held-out ones in over {percent(memory.memory)} of pairs"],
        "copying": [f"samples lie under {memory.nearest:g} as far from training samples"],
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
