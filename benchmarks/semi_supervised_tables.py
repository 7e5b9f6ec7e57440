"""The table of `semi_supervised.py`."""

from __future__ import annotations

from statistics import mean
from typing import Any

from statistics_of_runs import interval, with_interval, with_spread

TARGET = 0.25  # of the baseline's errors


def baselines(results: list[dict[str, Any]]) -> dict[str, list[float]]:
    """The baseline's errors, draw by draw: trained as long as the game's D, and at its best.

    Args:
        results: What `semi_supervised.run` returns, without failures.
    """
    numbers = sorted(results[0]["baseline"], key=int)
    each = {number: [r["baseline"][number] for r in results] for number in numbers}
    best = min(numbers, key=lambda number: mean(each[number]))
    every = [min(r["baseline"].values()) for r in results]
    return {
        f"the same discriminator on the labels alone, {numbers[-1]} updates": each[numbers[-1]],
        f"the same, {best} updates, the best mean of the grid": each[best],
        "the same, the best of the grid in every single draw": every,
        "a support vector machine on the pixels of the labelled digits": [
            r["svm"] for r in results
        ],
    }


def fewer(game: list[float], other: list[float]) -> float:
    """Which share of the other's errors the game does not make, in the means over the draws."""
    return 1 - mean(game) / mean(other)


def table(results: list[dict[str, Any]]) -> str:
    """Errors, paired differences with intervals, and whether the target is met."""
    good = [r for r in results if "failed" not in r]
    if not good:
        return f"All of {len(results)} runs failed."
    game = [r["game"] for r in good]
    lines = [
        "| classifier | error (%), mean ± sd over the draws | more errors than the game's, in "
        "points: paired difference with 95 % interval | the game makes so much fewer (%) "
        f"| target: {100 * TARGET:.0f} % fewer |",
        "|---|---|---|---|---|",
        f"| SemiSupervisedGAN's discriminator | {with_spread([100 * e for e in game], 2)} | | | |",
    ]
    for name, errors in baselines(good).items():
        pairs = [100 * (b - a) for a, b in zip(game, errors, strict=True)]
        share = fewer(game, errors)
        verdict = "-" if "vector" in name else "met" if share >= TARGET else "not met"
        cells = [name, with_spread([100 * e for e in errors], 2), with_interval(interval(pairs), 2)]
        lines.append("| " + " | ".join([*cells, f"{100 * share:.0f}", verdict]) + " |")
    return "\n".join([*lines, "", _notes(results, good)])


def _notes(results: list[dict[str, Any]], good: list[dict[str, Any]]) -> str:
    grid = {
        number: f"{number}: {100 * mean(r['baseline'][number] for r in good):.2f}"
        for number in sorted(good[0]["baseline"], key=int)
    }
    return (
        f"{len(results)} draws, {len(results) - len(good)} failed. {good[0]['labels']} labelled "
        f"and {good[0]['held_out']} held-out digits, the same held-out ones in all draws: the "
        "intervals (Student's, over the draws) are of labels and seeds, not of other digits. The "
        "baseline's mean error (%) by number of updates: " + ", ".join(grid.values()) + ". "
        "Its number of updates is chosen on the digits that judge both, which favours it."
    )
