"""The tables of `mixtures.py`."""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

RESULTS = Path(__file__).parent / "results"
TOTAL = {"ring": 8, "grid": 25, "grid100": 100}
Results = list[dict[str, Any]]
Settings = dict[str, list[dict[str, Any]]]


def comparison(results: Results, settings: Settings) -> str:
    """Mean and standard deviation over the seeds, one table for each data set."""
    return "\n\n".join(
        f"## {data}\n\n" + _one_table([r for r in results if r["data"] == data], settings)
        for data in dict.fromkeys(r["data"] for r in results)
    )


def _one_table(results: Results, settings: Settings) -> str:
    runs = defaultdict(list)
    for result in results:
        runs[result["method"]].append(result)
    lines = [
        "| method | runs (failed) | modes | high quality (%) | reverse KL (nats) | spread per mode "
        "| seeds with all modes | steps | seconds | settings |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, all_runs in runs.items():
        good = [r for r in all_runs if "error" not in r]
        cells = [name, f"{len(all_runs)} ({len(all_runs) - len(good)})"]
        cells += [_spread(good, "modes", 1), _spread(good, "high_quality", 1, 100)]
        cells += [_spread(good, "reverse_kl", 4), _spread(good, "spread", 2)]
        whole = sum(r["modes"] == TOTAL[r["data"]] for r in good)
        cells += [f"{whole} of {len(all_runs)}", _spread(good, "steps", 0)]
        cells += [_spread(good, "seconds", 0)]
        cells += [_written(settings[name][all_runs[0]["setting"]])]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def tuning(results: Results, settings: Settings) -> str:
    """Every setting that was tried, one seed each; the best by reverse KL is marked."""
    lines = [
        "| data | method | settings | modes | high quality (%) | reverse KL (nats) | chosen |",
        "|---|---|---|---|---|---|---|",
    ]
    groups = defaultdict(list)
    for result in results:
        groups[result["data"], result["method"]].append(result)
    for (data, name), tried in groups.items():
        best = min(tried, key=merit)
        for r in tried:
            cells = [data, name, _written(settings[name][r["setting"]])]
            if "error" in r:
                cells += ["failed", "", ""]
            else:
                cells += [
                    str(r["modes"]),
                    f"{100 * r['high_quality']:.1f}",
                    f"{r['reverse_kl']:.4f}",
                ]
            lines.append("| " + " | ".join([*cells, "x" if r is best else ""]) + " |")
    return "\n".join(lines)


def merit(result: dict[str, Any]) -> float:
    """What tuning makes small: the divergence and the missing quality, weighed alike."""
    if "error" in result:
        return float("inf")
    return float(result["reverse_kl"] + max(0.0, 0.989 - result["high_quality"]))


def _spread(runs: Results, name: str, digits: int, factor: float = 1.0) -> str:
    values = [factor * r[name] for r in runs]
    if not values:
        return "-"
    if not all(math.isfinite(value) for value in values):  # a run without one good sample
        return ", ".join(f"{value:.{digits}f}" for value in values)
    sd = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{sd}"


def _written(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in settings.items())
