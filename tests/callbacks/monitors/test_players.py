"""Signals of the players' costs, logits, gradients and weights, against naive loops."""

import cmath
import math

import numpy as np
import pytest
import torch
from looks import ring, seen

from gan_lightning.callbacks.monitors.observation import Observation
from gan_lightning.callbacks.monitors.players import above, of_players, phase, rhythm, rotation

TURN = 2 * math.pi


def wave(n, period, behind=0.0):
    """A sinusoid of such a period that runs behind by part of a turn."""
    return torch.sin(TURN * (torch.arange(n, dtype=torch.float64) / period - behind))


def noise(n, seed=0):
    return torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- rhythm ---------------------------------------------------------------------------------------


def naive_rhythm(curve):
    """The definition by two loops: the largest autocorrelation past its first negative value."""
    x = np.asarray(curve, dtype=np.float64)
    x = x - x.mean()
    n, power = len(x), float((x * x).sum())
    if power == 0.0:
        return 0.0
    correlation = []
    for lag in range(n // 2):
        correlation.append(sum(float(x[i] * x[i + lag]) for i in range(n - lag)) / power)
    for lag, value in enumerate(correlation):
        if value < 0:
            return max(correlation[lag:])
    return 0.0


@pytest.mark.parametrize("n", [2, 3, 16, 61, 128])
def test_rhythm_is_the_autocorrelation_of_two_loops(n):
    walk = noise(n, 3).cumsum(0)
    for curve in (noise(n), walk, wave(n, 7.3), wave(n, 9) + noise(n, 1), 1e6 + noise(n, 2)):
        # Of a curve far from zero the mean takes digits.
        assert rhythm(curve) == pytest.approx(naive_rhythm(curve), abs=1e-10)


@pytest.mark.parametrize(("period", "n"), [(16, 512), (32, 512), (8, 64), (21.7, 400)])
def test_a_sinusoid_is_periodic_but_for_what_a_turn_loses(period, n):
    for behind in (0.0, 0.3):
        found = rhythm(5 + 0.01 * wave(n, period, behind))
        assert found == pytest.approx(1 - period / n, abs=0.02)


def test_noise_is_not_periodic():
    # The largest of 2,000 correlations, each with a standard error of 1 / 64.
    assert 0 < rhythm(noise(4096)) < 0.1
    assert rhythm(wave(4096, 50) + 0.5 * noise(4096)) > 0.6


def test_what_never_comes_back_has_no_rhythm():
    for value in (0.0, 0.1, -3.0):
        assert rhythm(torch.full((100,), value)) == 0.0
    for slope in (1.0, -0.1):
        assert rhythm(slope * torch.arange(1000.0)) == pytest.approx(0.0, abs=0.01)
    assert rhythm(torch.arange(1000.0).exp2().clamp(max=1.0)) == 0.0


# --- phase ----------------------------------------------------------------------------------------


def naive_phase(a, b):
    """At the largest product of the two spectra, each summed term by term."""
    n, best = len(a), 0j
    for k in range(1, n // 2 + 1):
        turns = [cmath.exp(-1j * TURN * k * t / n) for t in range(n)]
        fa = sum(x * e for x, e in zip(a.tolist(), turns, strict=True))
        fb = sum(x * e for x, e in zip(b.tolist(), turns, strict=True))
        best = max(best, fa.conjugate() * fb, key=abs)
    return cmath.phase(best) / TURN


@pytest.mark.parametrize("behind", [-0.4, -0.25, -0.1, 0.0, 0.1, 0.25, 0.4])
def test_phase_is_the_part_of_a_turn_by_which_one_runs_behind(behind):
    """Positive where `a` comes after `b`."""
    a, b = wave(120, 10, 0.15 + behind), wave(120, 10, 0.15)
    assert phase(a, b) == pytest.approx(behind, abs=1e-9)
    assert phase(b, a) == pytest.approx(-behind, abs=1e-9)
    # Height and size do not matter, and little noise little.
    assert phase(3 + 5 * a, 0.1 * b - 7) == pytest.approx(behind, abs=1e-9)
    near = phase(a + 0.1 * noise(120), b + 0.1 * noise(120, 1))
    assert near == pytest.approx(behind, abs=0.03)


def test_opposite_curves_are_half_a_turn_apart():
    assert abs(phase(wave(64, 8), -wave(64, 8))) == pytest.approx(0.5)


@pytest.mark.parametrize("n", [16, 33, 60])
def test_phase_is_that_of_a_direct_transform(n):
    for seed in range(4):
        a, b = noise(n, seed), noise(n, seed + 10)
        assert phase(a, b) == pytest.approx(naive_phase(a, b), abs=1e-9)


def test_the_frequency_of_both_decides():
    """Each has a stronger wave of its own."""
    a = 2 * wave(120, 30) + wave(120, 12, 0.2)
    b = 2 * wave(120, 8) + wave(120, 12)
    assert phase(a, b) == pytest.approx(0.2, abs=1e-9)
    assert phase(torch.ones(20), torch.ones(20)) == 0.0


# --- rotation -------------------------------------------------------------------------------------


def look(generator, discriminator):
    return {"generator": generator, "discriminator": discriminator}


def test_rotation_joins_looks_in_their_order():
    g, d = wave(100, 20, 0.25), wave(100, 20)
    looks = [look(g[i : i + 25].float(), d[i : i + 25].float()) for i in range(0, 100, 25)]
    found = rotation(iter(looks))
    assert found["rhythm"] == pytest.approx(rhythm(g), abs=1e-6)
    assert found["phase"] == pytest.approx(0.25, abs=1e-6)


def test_curves_of_unequal_length_span_the_same_time():
    """Two updates of D for each of G."""
    found = rotation([look(wave(100, 20, 0.25), wave(200, 40))])
    assert found["rhythm"] == pytest.approx(rhythm(wave(100, 20, 0.25)))
    # A mean of two lies half an update of D later, an eightieth of a turn.
    assert found["phase"] == pytest.approx(0.25 + 1 / 80, abs=1e-9)


def test_long_curves_are_averaged_to_at_most_256_values():
    g, d = wave(1030, 100, 0.25), wave(1030, 100)
    found = rotation([look(g, d)])
    means = [float(part.mean()) for part in np.array_split(g.numpy(), 256)]
    assert found["rhythm"] == pytest.approx(rhythm(torch.tensor(means)), abs=1e-9)
    assert found["phase"] == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize(
    "looks",
    [
        [],
        [{}],
        [look(wave(31, 5), wave(31, 5))],
        [look(wave(40, 5), wave(31, 5))],
        [{"generator": wave(40, 5)}],
        [look(wave(40, 5), torch.cat([wave(39, 5), torch.tensor([math.nan])]))],
        [look(wave(40, 5), wave(40, 5)), look(torch.tensor([math.inf]), wave(1, 5))],
    ],
)
def test_short_missing_and_broken_curves_have_none(looks):
    assert rotation(looks) == {}


def test_thirty_two_costs_are_enough():
    found = rotation([look(wave(16, 8), wave(16, 8))] * 2)
    assert found["phase"] == pytest.approx(0.0, abs=1e-9)


# --- an observation -------------------------------------------------------------------------------


def costs(step, generator, **more):
    """An observation of G's costs."""
    losses = {"generator": torch.tensor(generator)} | more
    return Observation(step=step, samples=ring(4), losses=losses)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_the_last_good_step_is_the_one_before_the_first_bad_cost(value):
    """Updates 41 to 50 since a look at step 40; that of step 47 is broken."""
    curve = [1.0] * 10
    assert "last_good" not in of_players(costs(50, curve))
    curve[6] = value
    assert of_players(costs(50, curve))["last_good"] == 46.0
    curve[8] = math.nan
    assert of_players(costs(50, curve))["last_good"] == 46.0


def test_nobody_knows_what_was_before_the_costs_that_are_kept():
    assert "last_good" not in of_players(costs(50, [math.nan] * 10))
    assert of_players(costs(10, [math.nan] * 10))["last_good"] == 0.0  # the untrained players


def test_costs_of_the_discriminator_have_other_steps():
    broken = torch.tensor([1.0, math.nan])
    found = of_players(costs(50, [1.0, 2.0], discriminator=broken))
    assert "last_good" not in found
    assert math.isnan(found["loss_discriminator"])


def test_costs_gradients_and_weights_are_means_and_largest():
    found = of_players(
        Observation(
            step=9,
            samples=ring(4),
            losses={"generator": torch.tensor([1.0, 2.0, 6.0]), "discriminator": torch.ones(6)},
            rows=[
                {"grad_norm/generator": 1.0, "loss/generator": 9.0},
                {"grad_norm/generator": 4.0, "grad_norm/discriminator": 2.0},
            ],
            weights={"generator": 3.0, "discriminator": math.inf},
        )
    )
    assert found == {
        "loss_generator": 3.0,
        "loss_discriminator": 1.0,
        "gradient": 2.5,
        "discriminator_gradient": 2.0,
        "weights_generator": 3.0,
        "weights_discriminator": math.inf,
    }
    assert of_players(seen(ring(4))) == {}


def test_saturated_logits_are_those_beyond_five():
    logits = {"real": torch.tensor([5.0, 5.1, -7.0, 0.0]), "fake": torch.tensor([-5.1, 4.9])}
    found = of_players(seen(ring(4), logits=logits))
    assert found["saturated"] == pytest.approx(3 / 6)
    assert found["logit"] == 5.0  # from their median, 0, as torch takes the lower of two
    shifted = {name: x + 100 for name, x in logits.items()}
    assert of_players(seen(ring(4), logits=shifted))["logit"] == pytest.approx(5.0, abs=1e-4)
    assert found["overfit_t"] == pytest.approx((1 + 1 - 1 + 0) / 4)
    assert found["right"] == above(logits["real"], logits["fake"]) == 5 / 8
    assert not {"memory", "overfit_v"} & found.keys()


def test_the_share_of_right_pairs_is_the_same_on_any_scale():
    """A critic's logits have no zero and no unit."""
    real, fake = noise(40), noise(30, 1) - 0.5
    for scale, shift in ((1e-3, 0.0), (1.0, 100.0), (1e3, -5.0)):
        logits = {"real": scale * real + shift, "fake": scale * fake + shift}
        found = of_players(seen(ring(4), logits=logits))["right"]
        assert found == pytest.approx(above(real, fake), abs=1e-3)


def test_adas_ratio_needs_reals_and_fakes_that_differ():
    logits = {name: torch.zeros(4) for name in ("real", "fake", "heldout")}
    found = of_players(seen(ring(4), logits=logits))
    assert "overfit_v" not in found
    assert (found["right"], found["memory"]) == (0.5, 0.5)
