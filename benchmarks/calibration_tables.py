"""The tables and plots of `calibration.py`."""

from __future__ import annotations

from pathlib import Path
from statistics import mean, stdev

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Curves = dict[str, list[list[float]]]  # metric: seed: level


def falls(values: list[float]) -> list[int]:
    """Steps at which a curve does not rise."""
    return [i for i in range(len(values) - 1) if values[i + 1] <= values[i]]


def verdict(of_seeds: list[list[float]], levels: tuple[float, ...]) -> str:
    """Whether a metric rises at every step, with every seed, and if not, where."""
    average = falls([mean(column) for column in zip(*of_seeds, strict=True)])
    single = sorted({i for values in of_seeds for i in falls(values)} - set(average))

    def steps(found: list[int]) -> str:
        return ", ".join(f"{levels[i]:g} to {levels[i + 1]:g}" for i in found)

    if average:
        return f"no: not from {steps(average)}"
    return f"on average, not with every seed from {steps(single)}" if single else "yes"


def first_seen(of_seeds: list[list[float]], levels: tuple[float, ...]) -> str:
    """The first level from which on all seeds lie above all seeds at level 0."""
    floor = max(values[0] for values in of_seeds)
    above = [min(column) > floor for column in zip(*of_seeds, strict=True)]
    unseen = max(i for i, seen in enumerate(above) if not seen)
    return f"{levels[unseen + 1]:g}" if unseen + 1 < len(levels) else "never"


def fault_table(curves: Curves, levels: tuple[float, ...]) -> str:
    head = ["metric", *(f"{level:g}" for level in levels), "seen from", "rises at every step"]
    lines = [head, ["---"] * len(head)]
    for name, of_seeds in curves.items():
        means = [f"{mean(column):.4g}" for column in zip(*of_seeds, strict=True)]
        lines.append([name, *means, first_seen(of_seeds, levels), verdict(of_seeds, levels)])
    return markdown(lines)


def markdown(lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def plot(curves: Curves, levels: tuple[float, ...], label: str, file: Path) -> None:
    """A panel a metric; steps at which the mean does not rise are red."""
    figure = Figure(figsize=(14.4, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(3, 6).flat
    for axis, (name, of_seeds) in zip(axes, curves.items(), strict=False):
        for values in of_seeds:
            axis.plot(levels, values, color="#9db4c8", linewidth=0.8)
        average = [mean(column) for column in zip(*of_seeds, strict=True)]
        axis.plot(levels, average, color="#1f4e79", marker="o", markersize=3, linewidth=1.5)
        for i in falls(average):
            axis.plot(levels[i : i + 2], average[i : i + 2], color="#d1495b", linewidth=2.5)
        axis.set_title(name, fontsize=9)
        axis.set_ylim(bottom=min(0.0, *map(min, of_seeds)))
        axis.tick_params(labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in figure.axes[len(curves) :]:
        axis.set_axis_off()
    figure.supxlabel(label, fontsize=9)
    figure.savefig(file, dpi=100)


def spread(values: list[float], digits: int) -> str:
    """Mean, and range if there are several."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def with_error(values: list[float], digits: int) -> str:
    return f"{mean(values):.{digits}f} ± {stdev(values) / len(values) ** 0.5:.{digits}f}"
