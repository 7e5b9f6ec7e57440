import math

import numpy as np
import pytest
import torch

from gan_lightning.callbacks.monitors import picture as pictures
from gan_lightning.callbacks.monitors.history import History
from gan_lightning.callbacks.monitors.picture import draw_verdict
from gan_lightning.callbacks.monitors.verdict import Evidence, Verdict

CURVE, BAD, SINCE = (0x2E, 0x6F, 0x9E), (0xD1, 0x49, 0x5B), (0xF6, 0xDF, 0xE2)
BOTH, SIGNALS, SAMPLES = 1200, 740, 460  # width in pixels


def history(*names, looks=20, value=0.5):
    seen = History(10, 1000)
    for look in range(1, looks + 1):
        seen.add(10 * look, dict.fromkeys(names, value))
    return seen


def verdict(*signals, since=100, threshold=0.6):
    evidence = tuple(Evidence(name, 0.5, threshold, False, 0.9) for name in signals)
    return Verdict("mode collapse", since, evidence, 1.0, step=200)


def colours(picture):
    return {tuple(pixel) for pixel in np.asarray(picture).reshape(-1, 3).tolist()}


def points(n=50):
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("samples", "names", "width"),
    [
        (torch.zeros(80, 1, 16, 16), ["coverage"], BOTH),
        (torch.zeros(5, 3, 32, 32), [], SAMPLES),
        (torch.zeros(5, 4, 8, 8), [], SAMPLES),
        (torch.zeros(5, 3), ["coverage"], SIGNALS),
        (torch.zeros(5, 2, 8, 8), ["coverage"], SIGNALS),
        (points(), ["coverage"], BOTH),
        (torch.zeros(5, 3), [], SAMPLES),
    ],
)
def test_what_can_be_drawn_is(samples, names, width):
    drawn = draw_verdict(verdict(*names), history(*names), samples)
    assert (drawn.mode, drawn.width) == ("RGB", width)
    assert (CURVE in colours(drawn)) == bool(names)


def test_the_evidence_has_its_threshold_and_the_span_is_shaded():
    nothing = torch.zeros(0)
    with_threshold = colours(draw_verdict(verdict("coverage"), history("coverage"), nothing))
    without = colours(draw_verdict(verdict(), history("coverage"), nothing))
    assert {CURVE, BAD, SINCE} <= with_threshold
    assert {CURVE, SINCE} <= without
    assert BAD not in without


def test_the_shade_is_as_wide_as_the_span():
    def width(since):
        drawn = draw_verdict(verdict(since=since), history("coverage"), torch.zeros(0))
        return int((np.asarray(drawn) == SINCE).all(2).any(0).sum())

    assert width(150) / width(100) == pytest.approx(0.5, abs=0.05)


def test_the_panels_are_the_evidence_and_the_state_of_the_game():
    seen = history("distance", "moved", "coverage", "right", "gradient", "bins", "extent")
    panels = pictures._panels
    assert panels(verdict("bins"), seen) == ["bins", "distance", "coverage", "right", "gradient"]
    assert panels(verdict("right", "lost"), seen) == ["right", "distance", "coverage", "gradient"]
    assert len(panels(verdict("bins", "moved", "extent", "right"), seen)) == 6
    seen.add(999, {"never": math.nan, "exploded": math.inf})
    assert panels(verdict("never", "exploded"), history("right")) == ["right"]


@pytest.mark.parametrize("value", [math.nan, -math.inf, 0.0, 1e30])
def test_any_value_can_be_drawn(value):
    seen = history("gradient")
    seen.add(500, {"gradient": value})
    drawn = draw_verdict(verdict("gradient", threshold=value), seen, torch.zeros(0))
    assert CURVE in colours(drawn)


@pytest.mark.parametrize("shape", [(8, 2), (8, 1, 8, 8)])
def test_samples_that_are_not_finite_can_be_drawn(shape):
    lost = torch.full(shape, math.nan)
    assert draw_verdict(verdict(), history(), lost).width == SAMPLES


def test_points_outside_of_the_picture_are_counted():
    real = torch.tensor([[1.0, 0.0], [0.0, -1.0]])  # axes from -1.5 to 1.5
    fake = torch.tensor([[1.4, 0.0], [1.6, 0.0], [0.0, -9.0], [math.nan, 0.0]])
    assert pictures._outside(fake, real) == 3
    assert pictures._outside(fake[:1], real) == 0
    assert pictures._outside(torch.full((4, 1, 8, 8), 9.0), None) == 0


def test_the_samples_of_that_moment_are_shown():
    black, white = (
        draw_verdict(verdict(), history(), torch.full((4, 1, 16, 16), x)) for x in (-1.0, 1.0)
    )
    dark = [(np.asarray(drawn) < 10).all(2).mean() for drawn in (black, white)]
    assert dark[0] > 0.4
    assert dark[1] < 0.1
