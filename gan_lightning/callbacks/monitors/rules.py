"""What the rules of all monitors are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gan_lightning.callbacks.monitors.history import History
from gan_lightning.callbacks.monitors.signals import MEANINGS
from gan_lightning.callbacks.monitors.verdict import Evidence, Finding

__all__ = ["above", "below", "evidence", "falling", "finding", "grown", "rising", "threshold"]

Holds = NDArray[np.bool_]


def threshold(name: str, value: float, least: float = 0.0, most: float = math.inf) -> float:
    """Return a threshold that is a finite number in a range.

    Args:
        name: The argument's name, for the sentence.
        value: What was given.
        least: Its lowest value.
        most: Its highest one.

    Raises:
        ValueError: If it is not.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not least <= value <= most or math.isinf(value):
        bound = f"of at least {least:g}" if math.isinf(most) else f"from {least:g} to {most:g}"
        raise ValueError(f"`{name}` must be a finite number {bound}, got {value!r}.")
    return float(value)


def below(history: History, name: str, threshold: float) -> Holds:
    """At which looks a signal lies below a threshold; never where it is missing."""
    with np.errstate(invalid="ignore"):
        return np.asarray(history[name] < threshold)


def above(history: History, name: str, threshold: float) -> Holds:
    """At which looks a signal lies above a threshold; never where it is missing."""
    with np.errstate(invalid="ignore"):
        return np.asarray(history[name] > threshold)


def grown(history: History) -> Holds:
    """At which looks the run is not young any more: early on noise is no failure."""
    return np.arange(len(history)) >= history.young


def rising(history: History, name: str, looks: int, by: float) -> bool:
    """Whether the median of a signal over so many looks is by a factor above that of those before.

    A run that is still getting better has not failed yet.
    """
    values = history[name]
    if len(values) < 2 * looks:
        return False
    new, old = values[-looks:], values[-2 * looks : -looks]
    if not (np.isfinite(new).any() and np.isfinite(old).any()):
        return False
    return bool(np.nanmedian(new) > by * np.nanmedian(old))


def falling(history: History, name: str, looks: int, to: float) -> bool:
    """Whether the median of a signal over so many looks is under a share of that before."""
    values = history[name]
    if len(values) < 2 * looks:
        return False
    new, old = values[-looks:], values[-2 * looks : -looks]
    if not (np.isfinite(new).any() and np.isfinite(old).any()):
        return False
    return bool(np.nanmedian(new) < to * np.nanmedian(old))


def finding(
    history: History, kind: str, holds: Holds, patience: int, proof: Sequence[Evidence]
) -> list[Finding]:
    """A finding, if a rule holds now and has held at `patience` of the last looks.

    One look of `patience + 1` may be missing, as at a turning point.

    Args:
        history: Of the run.
        kind: Of failure.
        holds: At which looks the rule holds, `(looks,)`.
        patience: Looks at which it must.
        proof: The signals behind it.
    """
    if not len(holds) or not holds[-1] or holds[-patience - 1 :].sum() < patience:
        return []
    start = len(holds) - 1
    while start > 0 and (holds[start - 1] or (start > 1 and holds[start - 2])):
        start -= 1
    confidence = float(holds[start:].mean())
    bad = [e for e in proof if _beyond(e, e.value) or not math.isfinite(e.value)]
    known = tuple(replace(e, was=_before(history, e, start)) for e in bad)
    return [Finding(kind, history.steps[start], known, confidence)]


def _before(history: History, proof: Evidence, start: int) -> float | None:
    """The median of a signal before a failure began, if it was good then."""
    values = history[proof.signal][:start]
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return None
    was = float(np.median(values))
    return None if _beyond(proof, was) else was


def _beyond(proof: Evidence, value: float) -> bool:
    """Whether a value is on the bad side; the threshold itself is not."""
    return value > proof.threshold if proof.above else value < proof.threshold


def evidence(history: History, name: str, threshold: float, above: bool) -> list[Evidence]:
    """A signal with its threshold; nothing where it is missing."""
    value = history.last(name)
    if math.isnan(value):
        return []
    return [Evidence(name, value, threshold, above, words=MEANINGS[name])]
