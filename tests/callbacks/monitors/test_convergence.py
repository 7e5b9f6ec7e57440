"""Who has won, or that nobody learns; all need samples that stay bad."""

import pytest
from histories import GOOD, HEALTHY, STEPS, check_timing, kinds, made, of, turned

from gan_lightning.callbacks.monitors.convergence import ConvergenceMonitor

MONITOR = ConvergenceMonitor(
    patience=3, distance=0.2, precision=0.1, few=0.3, wins=0.9, loses=0.6, drift=0.1
)
D, G, NEITHER = "discriminator wins", "generator wins", "no progress"
FAR = {"distance": 0.201}
POOR = {"precision": 0.099, "coverage": 0.299}  # near the data, but hardly any sample on it
CLOSE = [{"precision": 0.101}, {"coverage": 0.301}]

CASES = [
    (D, FAR | {"right": 0.901}, [{"distance": 0.199}, {"right": 0.899}]),
    (G, FAR | {"right": 0.599}, [{"distance": 0.199}, {"right": 0.601}]),
    (NEITHER, FAR | {"drift": 0.099}, [{"distance": 0.199}, {"drift": 0.101}]),
    (D, POOR | {"right": 0.901}, [*CLOSE, {"right": 0.899}]),
    (G, POOR | {"right": 0.599}, [*CLOSE, {"right": 0.601}]),
    (NEITHER, POOR | {"drift": 0.099}, [*CLOSE, {"drift": 0.101}]),
]


@pytest.mark.parametrize(("kind", "bad", "saving"), CASES)
def test_just_beyond_the_thresholds_and_just_short_of_them(kind, bad, saving):
    check_timing(MONITOR, kind, bad)
    assert kinds(MONITOR, turned(bad, "1" * 12)) == [kind]
    for one in saving:
        assert kinds(MONITOR, turned(bad | one, "1" * 12)) == [], one


@pytest.mark.parametrize(("kind", "bad", "saving"), CASES)
def test_the_signals_of_a_rule_are_enough_for_it(kind, bad, saving):
    gone = dict.fromkeys(HEALTHY.keys() - bad.keys())
    assert kinds(MONITOR, turned(gone | bad, "1" * 5)) == [kind]
    for one in saving:
        for name in one:
            assert kinds(MONITOR, turned(bad | {name: None}, "1" * 5)) == [], name


def test_a_healthy_run_and_one_without_numbers():
    assert kinds(ConvergenceMonitor(), turned({}, "0" * 30)) == []
    assert kinds(MONITOR, made([{}] * 30)) == []
    assert kinds(MONITOR, made([])) == []


def test_a_discriminator_that_sees_through_good_samples_has_not_won():
    for right in (0.99, 0.3):
        assert kinds(MONITOR, turned({"right": right}, "1" * 12)) == []


def test_samples_that_stand_still_and_a_winner_are_two_findings():
    for right, winner in ((1.0, D), (0.0, G)):
        bad = FAR | {"right": right, "drift": 0.0}
        assert kinds(MONITOR, turned(bad, "1" * 5)) == [NEITHER, winner]


# --- still getting better -------------------------------------------------------------------------


def curves(looks=30, **signals):
    """What D wins by far, but for some signals."""
    bad = {"distance": 2.0, "precision": 0.05, "coverage": 0.0, "right": 1.0, "drift": 1.0}
    return of(**{name: [value] * looks for name, value in bad.items()} | signals)


@pytest.mark.parametrize(
    ("rate", "better"),
    [(0.8 ** (0.9 / 4), False), (0.8 ** (1.1 / 4), True), (1.0, False), (1.05, False)],
)
def test_a_distance_that_falls_by_a_fifth_in_four_looks_is_progress(rate, better):
    history = curves(distance=[9 * rate**i for i in range(30)])
    assert kinds(MONITOR, history) == ([] if better else [D])


@pytest.mark.parametrize(
    ("rate", "better"), [(1.25 ** (0.9 / 4), False), (1.25 ** (1.1 / 4), True), (0.95, False)]
)
def test_a_precision_that_rises_by_a_quarter_in_four_looks_is_progress(rate, better):
    history = curves(precision=[0.005 * rate**i for i in range(30)])
    assert kinds(MONITOR, history) == ([] if better else [D])


def test_progress_that_stops_is_named_when_it_has_stopped():
    history = curves(distance=[0.5**i * 100 for i in range(8)] + [0.78] * 22)
    named = [bool(kinds(MONITOR, history.until(looks))) for looks in range(31)]
    first = named.index(True)
    assert 10 <= first <= 16
    assert all(named[first:])


# --- evidence -------------------------------------------------------------------------------------


def test_a_gradient_that_has_vanished_is_evidence():
    bad = FAR | {"right": 1.0, "saturated": 1.0}
    for gradient, shown in ((0.099, True), (0.101, False)):  # of 1 in the young run
        (found,) = MONITOR.judge(turned(bad | {"gradient": gradient}, "111"))
        names = [e.signal for e in found.evidence]
        assert names == ["right", "saturated", *["gradient"] * shown, "distance"]
        assert [e.was for e in found.evidence] == [HEALTHY[name] for name in names]
    # It is compared with the largest of the young run, not with what came later.
    history = turned(bad | {"gradient": 0.5}, "1" * 12)
    history._values["gradient"][2] = 9.0
    (found,) = MONITOR.judge(history)
    assert found.evidence[2].threshold == pytest.approx(0.9)
    history._values["gradient"][2] = 1.0
    history._values["gradient"][8] = 9.0
    assert "gradient" not in [e.signal for e in MONITOR.judge(history)[0].evidence]


def test_a_gradient_alone_names_nothing():
    assert kinds(MONITOR, turned({"gradient": 1e-6, "saturated": 1.0}, "1" * 12)) == []


def test_who_wins_may_change():
    looks = [HEALTHY] * GOOD
    looks += [HEALTHY | FAR | {"right": 1.0}] * 4 + [HEALTHY | FAR | {"right": 0.1}] * 4
    history = made(looks)
    assert kinds(MONITOR, history.until(GOOD + 4)) == [D]
    (found,) = MONITOR.judge(history)
    assert (found.kind, found.since) == (G, STEPS * (GOOD + 5))
