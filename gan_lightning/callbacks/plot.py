"""The curves of a run as one picture."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any, final

import lightning
from lightning.pytorch.callbacks import Callback
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gan_lightning.callbacks._run_directory import run_directory
from gan_lightning.runs import RunDirectory, write_atomically

__all__ = ["LossPlot", "plot_metrics"]

# Title, then (column, label, colour); discriminator and real samples blue, generator and fakes red.
_BLUE, _RED, _GREEN = "#2e6f9e", "#d1495b", "#3a7d44"
_Curve = tuple[str, str, str]
_PANELS: tuple[tuple[str, tuple[_Curve, ...]], ...] = (
    ("Losses", (
        ("loss/discriminator", "discriminator", _BLUE), ("loss/generator", "generator", _RED),
    )),
    ("Mean logits", (("logits/real", "real", _BLUE), ("logits/fake", "fake", _RED))),
    ("Mean sign of the logits", (("sign/real", "real", _BLUE), ("sign/fake", "fake", _RED))),
    ("Gradient norms", (
        ("grad_norm/discriminator", "discriminator", _BLUE),
        ("grad_norm/generator", "generator", _RED),
    )),
    ("Diversity (samples / real)", (("diversity/pairwise", "pairwise distance", _GREEN),)),
)  # fmt: skip
_SHARES = (("precision", _BLUE), ("recall", _RED), ("coverage", _GREEN))
_LOG_SCALED = {"Gradient norms"}
_REFERENCE = {"Mean logits": 0.0, "Mean sign of the logits": 0.0, "Diversity (samples / real)": 1.0}


@final
class LossPlot(Callback):
    """Draw losses.png from metrics.csv when a fit ends, in whichever way.

    Panels: losses, mean logits, mean signs of the logits (1 and -1: the discriminator tells all
    samples apart), gradient norms, and, if they were logged, the diversity of samples, Fréchet
    distances, and precision, recall and coverage. The first process draws.
    """

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Draw."""
        if trainer.is_global_zero:
            plot_metrics(run_directory(trainer))

    def on_exception(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        """Draw what there is, without standing in the way of the exception."""
        if trainer.is_global_zero:
            with contextlib.suppress(OSError, ValueError):
                plot_metrics(run_directory(trainer))


def plot_metrics(run: RunDirectory) -> None:
    """Draw losses.png of a run.

    Args:
        run: a run directory; without metrics in it nothing is drawn.

    Raises:
        ValueError: if metrics.csv is corrupt.
    """
    if not run.metrics.is_file():
        return
    rows = run.read_metrics()
    columns = {name for row in rows for name in row}
    panels = [
        (title, there)
        for title, curves in (*_PANELS, *_score_panels(columns))
        if (there := [curve for curve in curves if curve[0] in columns])
    ]
    if not panels:
        return
    figure = Figure(
        figsize=(9, 2.4 * ((len(panels) + 1) // 2) + 0.3), dpi=110, layout="constrained"
    )
    FigureCanvasAgg(figure)
    for position, (title, curves) in enumerate(panels, start=1):
        axes = figure.add_subplot((len(panels) + 1) // 2, 2, position)
        _draw_panel(axes, title, curves, rows)
    data = io.BytesIO()
    figure.savefig(data, format="png")
    write_atomically(run.losses_plot, data.getvalue())


def _score_panels(columns: set[str]) -> list[tuple[str, tuple[_Curve, ...]]]:
    """Fréchet distances, each with its extractor's name, and shares between 0 and 1."""
    distances = sorted(name for name in columns if name.startswith(("FD-", "FID")))
    shares = tuple(
        (name, name, colour)
        for kind, colour in _SHARES
        for name in sorted(columns)
        if name.startswith(f"{kind}-")
    )
    return [*((name, ((name, name, _BLUE),)) for name in distances), ("Shares", shares)]


def _draw_panel(
    axes: Axes, title: str, curves: Sequence[_Curve], rows: list[dict[str, float]]
) -> None:
    style: dict[str, Any] = {"linewidth": 1.3}
    if title in _REFERENCE:
        axes.axhline(_REFERENCE[title], color="#909090", linewidth=0.8, linestyle=(0, (4, 3)))
    for name, label, colour in curves:
        points = [(row["step"], row[name]) for row in rows if name in row]
        marker = "o" if len(points) < 30 else None
        axes.plot(
            *zip(*points, strict=True), color=colour, label=label, marker=marker, ms=3, **style
        )
    positive = all(row.get(name, 1.0) > 0 for row in rows for name, _, _ in curves)
    if title in _LOG_SCALED and positive:
        axes.set_yscale("log")
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel("generator updates", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if len(curves) > 1:
        axes.legend(fontsize=8, frameon=False)
