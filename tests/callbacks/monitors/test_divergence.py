"""NaN and infinity at the first look, explosions against the run's own past."""

import math

import pytest
import torch
from histories import GOOD, HEALTHY, STEPS, check_timing, kinds, made, turned
from support import mlp_game

from gan_lightning.callbacks.monitors.divergence import DivergenceMonitor
from gan_lightning.callbacks.monitors.verdict import Finding
from gan_lightning.families import NonSaturatingGAN

MONITOR = DivergenceMonitor(patience=2, logit=100.0, gradient=20.0, factor=50.0, extent=10.0)
KIND = "divergence"
NUMBERS = ("loss_generator", "loss_discriminator", "weights_generator", "weights_discriminator")
BROKEN = [{"finite": 255 / 256}] + [
    {name: value} for name in NUMBERS for value in (math.nan, math.inf, -math.inf)
]
# In the young run weights are half, gradients and logits one.
CASES = [
    ({"logit": 100.1}, {"logit": 99.9}),
    ({"extent": 10.1}, {"extent": 9.9}),
    ({"gradient": 50.1}, {"gradient": 49.9}),
    ({"discriminator_gradient": 50.1}, {"discriminator_gradient": 49.9}),
    ({"weights_generator": 25.1}, {"weights_generator": 24.9}),
    ({"weights_discriminator": 25.1}, {"weights_discriminator": 24.9}),
]


@pytest.mark.parametrize("bad", BROKEN)
@pytest.mark.parametrize("good", [1, GOOD])
def test_what_is_not_finite_is_named_at_the_first_look(bad, good):
    """In a young run as well."""
    history = turned(bad, "1", good)
    (found,) = MONITOR.judge(history)
    assert (found.kind, found.since, found.confidence) == (KIND, STEPS * (good + 1), 1.0)
    assert kinds(MONITOR, history.until(good)) == []
    assert kinds(MONITOR, turned(bad, "10", good)) == []


def test_what_is_not_finite_from_the_very_beginning():
    assert kinds(MONITOR, turned({"finite": 0.0}, "1", good=0)) == [KIND]
    assert kinds(MONITOR, turned({"weights_generator": math.inf}, "1", good=0)) == [KIND]
    # Nothing is measured of samples that are not finite.
    assert kinds(MONITOR, made([{"finite": 0.0, "loss_generator": math.nan}])) == [KIND]


def test_the_share_of_finite_numbers_is_evidence_where_some_are_not():
    (found,) = MONITOR.judge(turned({"finite": 0.5}, "1"))
    (e,) = found.evidence
    assert (e.signal, e.value, e.threshold, e.above, e.was) == ("finite", 0.5, 1.0, False, 1.0)
    (found,) = MONITOR.judge(turned({"loss_generator": math.nan}, "1"))
    assert found.evidence == ()


@pytest.mark.parametrize(("bad", "short"), CASES)
def test_explosions_just_beyond_the_thresholds_and_just_short_of_them(bad, short):
    if "extent" in bad:  # the others have to have been smaller once
        check_timing(MONITOR, KIND, bad)
    assert kinds(MONITOR, turned(bad, "1")) == []
    (found,) = MONITOR.judge(turned(bad, "11"))
    assert (found.kind, found.since) == (KIND, STEPS * (GOOD + 1))
    assert [(e.signal, e.was) for e in found.evidence] == [
        (name, pytest.approx(HEALTHY[name])) for name in bad
    ]
    assert kinds(MONITOR, turned(short, "1" * 12)) == []


@pytest.mark.parametrize("name", ["weights_generator", "weights_discriminator"])
def test_weights_are_compared_with_the_young_runs_own(name):
    for size in (1e-3, 1.0, 1e3):
        usual = {"finite": 1.0, name: size}
        for factor, named in ((49, []), (51, [KIND])):
            looks = [usual] * GOOD + [usual | {name: factor * size}] * 2
            assert kinds(MONITOR, made(looks)) == named
    # However long they have been large since.
    late = [{"finite": 1.0, name: 1.0}] * 6 + [{"finite": 1.0, name: 51.0}] * 30
    assert kinds(MONITOR, made(late)) == [KIND]
    # Whatever they are from the beginning is no explosion.
    assert kinds(MONITOR, turned({name: 1e9}, "1" * 30, good=0)) == []


@pytest.mark.parametrize(
    ("name", "floor", "factor"),
    [("logit", 100, 5), ("gradient", 20, 50), ("discriminator_gradient", 20, 50)],
)
def test_logits_and_gradients_have_a_floor_and_a_past(name, floor, factor):
    """Logits may grow by a tenth of what weights may."""
    for early in (0.01, 1000.0):
        limit = max(floor, factor * early)
        for value, named in ((0.999 * limit, []), (1.001 * limit, [KIND])):
            looks = [{"finite": 1.0, name: early}] * GOOD + [{"finite": 1.0, name: value}] * 2
            assert kinds(MONITOR, made(looks)) == named


def test_missing_signals_do_no_harm():
    """A player without weights, a look without costs."""
    assert kinds(MONITOR, made([{}] * 30)) == []
    assert kinds(MONITOR, made([{"finite": 1.0}] * 30)) == []
    assert kinds(MONITOR, made([])) == []
    gone = dict.fromkeys(NUMBERS)
    assert kinds(MONITOR, turned(gone, "0" * 12)) == []
    assert kinds(MONITOR, turned(gone | {"logit": 1e4}, "11")) == [KIND]
    for name in NUMBERS:
        assert kinds(MONITOR, turned({name: None}, "1" * 9)) == []


def test_a_healthy_run():
    assert kinds(DivergenceMonitor(), turned({}, "0" * 30)) == []


def test_a_large_cost_is_no_divergence():
    """Critics' costs have no scale."""
    for value in (1e6, -1e6):
        bad = {"loss_generator": value, "loss_discriminator": -value}
        assert kinds(MONITOR, turned(bad, "1" * 9)) == []


# --- the note -------------------------------------------------------------------------------------


def note(module, **signals):
    finding = Finding(KIND, 10, (), 1.0)
    return MONITOR.note(finding, module, made([{"finite": 1.0} | signals]))


def test_the_note_names_the_last_good_step_and_the_first_bad_tensor():
    module = mlp_game(NonSaturatingGAN)
    assert note(module) == ""
    assert note(module, last_good=1234.0) == "Last step with a finite cost: 1,234"
    names = [name for name, x in module.state_dict().items() if x.is_floating_point()]
    for value, bad in ((math.nan, names[-1]), (math.inf, names[1])):
        with torch.no_grad():
            module.state_dict()[bad].view(-1)[-1] = value
        first = f"First tensor that is not finite: `{bad}`"
        assert note(module) == first
        assert note(module, last_good=7.0) == f"Last step with a finite cost: 7. {first}"
