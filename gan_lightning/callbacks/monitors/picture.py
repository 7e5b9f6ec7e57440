"""What a verdict looks like: the samples of that moment beside the signals that led to it."""

from __future__ import annotations

import math
import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from PIL import Image
from torch import Tensor

from gan_lightning.callbacks._grid import make_grid, to_image
from gan_lightning.callbacks._scatter import half_width, scatter
from gan_lightning.callbacks.monitors.history import History
from gan_lightning.callbacks.monitors.signals import MEANINGS
from gan_lightning.callbacks.monitors.verdict import Evidence, Verdict, number

__all__ = ["draw_verdict"]

_ALWAYS = ("distance", "coverage", "right", "gradient")  # beside the evidence, where measured
_LOG_SCALED = {"gradient", "discriminator_gradient"}
_MOST = 6  # panels
_IMAGES = 64
_PANEL = 2.1  # inches: height of a row of panels
_LEFT, _RIGHT = 4.6, 7.4  # width of the samples and of the signals
_CURVE, _BAD, _SINCE = "#2e6f9e", "#d1495b", "#f6dfe2"


def draw_verdict(
    verdict: Verdict, history: History, samples: Tensor, real: Tensor | None = None
) -> Image.Image:
    """Draw a verdict.

    On the left up to 64 images as a grid, or points over real ones; samples of another shape are
    left out. On the right one panel a signal: those of the evidence with their thresholds, then
    what shows the state of every game. The span since the failure began is shaded.

    Args:
        verdict: What was found.
        history: The signals so far.
        samples: Of that moment, images `(n, C, H, W)` or points `(n, 2)` on the CPU.
        real: Real samples of the same shape.

    Returns:
        An RGB picture.
    """
    panels = _panels(verdict, history)
    left = _samples(samples, real)
    rows = math.ceil(len(panels) / 2)
    widths = [_LEFT] * (left is not None) + [_RIGHT] * (rows > 0)
    height = max(rows * _PANEL, _LEFT * (left is not None)) + 0.6
    figure = Figure(figsize=(sum(widths) or _LEFT, height), dpi=100, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)  # draws without pyplot and without a display
    figure.suptitle(f"step {verdict.step:,}: {verdict.headline}", fontsize=12)
    sides = iter(
        figure.subfigures(1, max(1, len(widths)), squeeze=False, width_ratios=widths or [1])[0]
    )
    if left is not None:
        _draw_samples(next(sides), left, _outside(samples, real))
    if rows > 0:
        right = next(sides)
        for position, signal in enumerate(panels, start=1):
            _draw_signal(right.add_subplot(rows, 2, position), signal, verdict, history)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def _panels(verdict: Verdict, history: History) -> list[str]:
    """Signals to draw, the evidence first."""
    wanted = dict.fromkeys([*(e.signal for e in verdict.evidence), *_ALWAYS])
    return [name for name in wanted if np.isfinite(history[name]).any()][:_MOST]


def _samples(samples: Tensor, real: Tensor | None) -> Image.Image | None:
    """The picture of the samples, or None if they cannot be drawn."""
    if len(samples) == 0:
        return None
    if samples.ndim == 4 and samples.shape[1] in (1, 3, 4):
        shown = samples[:_IMAGES]
        return to_image(make_grid(shown, math.ceil(math.sqrt(len(shown)))))
    if samples.shape[1:] == (2,):
        known = samples[:0] if real is None else real
        return scatter(samples, known, _limit(samples, real))
    return None


def _limit(samples: Tensor, real: Tensor | None) -> float:
    return half_width(samples.nan_to_num(0.0, 0.0, 0.0) if real is None else real)


def _outside(samples: Tensor, real: Tensor | None) -> int:
    """Points that the axes, which are those of the data, do not show; NaN is nowhere."""
    if samples.ndim != 2:
        return 0
    inside = (samples.abs() <= _limit(samples, real)).all(1)
    return int((~inside).sum())


def _draw_samples(figure: SubFigure, picture: Image.Image, outside: int) -> None:
    axes = figure.add_subplot()
    axes.imshow(
        np.asarray(picture.convert("RGB")), interpolation="nearest" if picture.width < 300 else None
    )
    axes.set_axis_off()
    note = f" ({outside} outside of the picture)" if outside else ""
    axes.set_title(f"Samples of the generator{note}", fontsize=10)


def _draw_signal(axes: Axes, signal: str, verdict: Verdict, history: History) -> None:
    values = np.where(np.isfinite(history[signal]), history[signal], np.nan)
    steps = np.array(history.steps)
    axes.axvspan(verdict.since, max(verdict.step, verdict.since), color=_SINCE, linewidth=0)
    marker = "o" if len(steps) < 60 else None
    axes.plot(steps, values, color=_CURVE, linewidth=1.3, marker=marker, ms=2.5)
    evidence = next((e for e in verdict.evidence if e.signal == signal), None)
    if evidence is not None:
        _draw_threshold(axes, evidence)
    if signal in _LOG_SCALED and np.nanmin(values) > 0:
        axes.set_yscale("log")
    title = (evidence.words if evidence is not None else "") or MEANINGS.get(signal, signal)
    axes.set_title(textwrap.fill(title, 48), fontsize=9, loc="left")
    axes.set_xlabel("generator updates", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_threshold(axes: Axes, evidence: Evidence) -> None:
    """A dashed line, and on which side of it is bad."""
    if not math.isfinite(evidence.threshold):
        return
    axes.axhline(evidence.threshold, color=_BAD, linewidth=1.0, linestyle=(0, (4, 3)))
    axes.margins(y=0.15)  # room for the words
    side, sign = ("above", -1) if evidence.above else ("below", 1)
    # On the good side and to the right: there the curve has left for the bad one.
    axes.annotate(
        f"bad {side} {number(evidence.threshold)}",
        (0.99, evidence.threshold),
        xycoords=("axes fraction", "data"),
        xytext=(0, 2 * sign),
        textcoords="offset points",
        ha="right",
        va="top" if evidence.above else "bottom",
        fontsize=7.5,
        color=_BAD,
    )
