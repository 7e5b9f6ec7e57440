"""Means of a few runs, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import mean, stdev, variance

from scipy.stats import t


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half-width of Student's 95 % interval of it."""
    n = len(values)
    if n < 2:
        return mean(values), float("nan")
    return mean(values), float(t.ppf(0.975, n - 1)) * stdev(values) / sqrt(n)


def difference(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Mean of a minus mean of b, unpaired, and half-width of Welch's 95 % interval of it."""
    middle = mean(a) - mean(b)
    if min(len(a), len(b)) < 2:
        return middle, float("nan")
    parts = [variance(values) / len(values) for values in (a, b)]
    squares = sum(part**2 / (len(values) - 1) for part, values in zip(parts, (a, b), strict=True))
    if squares == 0:
        return middle, 0.0
    return middle, float(t.ppf(0.975, sum(parts) ** 2 / squares)) * sqrt(sum(parts))


def with_spread(values: Sequence[float], digits: int) -> str:
    """Mean and standard deviation."""
    if not values:
        return "-"
    spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{spread}"


def with_interval(found: tuple[float, float], digits: int) -> str:
    """Middle and bounds of an interval."""
    middle, half = found
    return f"{middle:.{digits}f} ({middle - half:.{digits}f} to {middle + half:.{digits}f})"
