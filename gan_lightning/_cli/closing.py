"""What a run says when it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gan_lightning.cli.errors import PROG
from gan_lightning.runs import RunDirectory

__all__ = ["after_interrupt", "meaning", "show", "table"]

_NOT_SCORES = ("loss/", "logits/", "sign/", "grad_norm/", "penalty/", "clamped", "lr/")

_MEANINGS = {
    "FID": "distance to the real images' Inception features; 0 is best",
    "FD": "distance to the real samples' features; 0 is best",
    "KID": "kernel distance to the real images; about 0 is best",
    "KD": "kernel distance to the real samples' features; about 0 is best",
    "IS": "sure and varied classes; higher is better",
    "CS": "sure and varied classes; higher is better",
    "sliced_W": "distance to the real points, in their unit; 0 is best",
    "precision": "share of samples that look real",
    "recall": "share of the real samples that the model reaches",
    "density": "samples near real ones, against real ones; about 1 is best",
    "coverage": "share of the real samples with a sample near",
    "NDB/K": "share of bins with too many or too few samples; 0.05 is chance",
    "JSD": "difference of the shares of the bins, nats; 0 is best",
    "classes": "classes with at least one sample",
    "class_KL": "class shares against those of the data, nats; 0 is best",
    "class_KL_uniform": "class shares against equal ones, nats; 0 is best",
    "class_JSD_uniform": "class shares against equal ones, nats; 0 is best",
    "modes": "modes with at least one good sample",
    "high_quality": "share within 3 standard deviations of a mode; 0.989 is best in the plane",
    "reverse_KL": "shares of the modes against equal ones, nats; 0 is best",
    "CMMD": "kernel distance to the real samples' features, times 1000; 0 is best",
    "mode_score": "sure classes in the shares of the data; higher is better",
    "AM": "unsure classes, or shares unlike the data's, nats; lower is better",
    "realism": "above 1 inside the real samples' neighbourhoods; higher is better",
    "1NN": "share of samples told from real ones; 0.5 is best, less is memorised",
    "1NN_real": "share of real samples told from generated ones; 0.5 is best",
    "1NN_fake": "share of generated samples told from real ones; 0.5 is best",
    "Vendi": "effective number of different samples; higher is better",
    "W": "exact distance to the real samples' features; 0 is best",
    "patch_SWD": "distance of patches to the real images', times 1000; 0 is best",
    "MS-SSIM": "similarity of pairs of samples; lower is more varied",
    "MS": "similarity of pairs of samples; lower is more varied",  # MS-SSIM-pixels to the first "-"
    "LPIPS_diversity": "perceptual distance of pairs of samples; higher is more varied",
    "PPL": "change of the images along paths in z; lower is smoother",
    "support": "estimated number of different samples; higher is better",
    "authenticity": "share of samples that copy no real one; higher is better",
    "C_T": "far below 0 copies the training samples; about 0 is best",
    "MiFID": "distance to the real images' features, more for copies; 0 is best",
    "parzen_LL": "log-likelihood of held-out samples, nats; higher is better",
    "density_ratio": "mean of the discriminator's ratio over samples; 1 is best",
    "calibration_error": "the discriminator's shares against what it says; 0 is best",
    "class_JSD": "class shares against those of the data, nats; 0 is best",
    "class_JS_distance": "root of class_JSD; 0 is best",
    "diversity/pairwise": "mean distance of samples over that of real ones; about 1 is best",
}


def meaning(name: str) -> str:
    """Say what a score means, in a few words.

    Args:
        name: As it is logged, such as ``FD-Digits``.

    Returns:
        The words; empty where there are none.
    """
    return _MEANINGS.get(name) or _MEANINGS.get(name.partition("-")[0], "")


def table(run: RunDirectory) -> Table:
    """Sum up a run.

    Args:
        run: a finished run's directory.

    Returns:
        Steps, images, time, the scores there are, and where to look.
    """
    facts = run.read_run() if run.run_json.is_file() else {}
    rows = Table(show_header=False, title=facts.get("family"), title_justify="left", min_width=40)
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column(no_wrap=True)
    for label, value in [*_progress(facts), *_scores(facts), *_files(run)]:
        rows.add_row(label, Text(value))
    return rows


def show(run: RunDirectory) -> None:
    """Print the table."""
    console = Console()
    rows = table(run)
    # Wider than the terminal if need be: a path that the table breaks in two cannot be copied.
    unbounded = console.options.update(max_width=10_000)
    console.width = max(console.width, console.measure(rows, options=unbounded).maximum)
    console.print(rows)


def after_interrupt(run: RunDirectory) -> str:
    """Say how to go on.

    Args:
        run: an interrupted run's directory.

    Returns:
        One line.
    """
    if not run.last_checkpoint.is_file():
        return f"Interrupted before the first checkpoint; '{run.path}' cannot be resumed."
    return (
        f"Interrupted; the last checkpoint is {run.last_checkpoint}. "
        f"Go on: {PROG} fit --resume {run.path}"
    )


def _progress(facts: dict[str, Any]) -> list[tuple[str, str]]:
    if "steps" not in facts:
        return []
    seconds, images = float(facts["seconds"]), int(facts["images_seen"])
    rows = [
        ("steps", f"{facts['steps']:,}"),
        ("images seen", f"{images:,}"),
        ("wall time", str(timedelta(seconds=round(seconds)))),
    ]
    return [*rows, ("images/s", f"{images / seconds:,.0f}")] if seconds > 0 else rows


def _scores(facts: dict[str, Any]) -> list[tuple[str, str]]:
    scores = facts.get("scores", {})
    best, last = scores.get("best", {}), scores.get("last", {})
    rows = []
    for name in [*best, *(name for name in last if name not in best)]:
        if name not in best and name.startswith(_NOT_SCORES):
            continue
        said = _number(last.get(name, best.get(name, {}).get("value")))
        if name in best and best[name]["value"] != last.get(name):
            said += f" (best {_number(best[name]['value'])}, step {best[name]['step']:,})"
        rows.append((name, f"{said}: {meaning(name)}" if meaning(name) else said))
    return rows


def _number(value: float | None) -> str:
    return "nan" if value is None else f"{value:.4g}"


def _files(run: RunDirectory) -> list[tuple[str, str]]:
    grids = sorted(run.samples.glob("step_*.png"), key=lambda file: (len(file.name), file.name))
    rows = [("samples", str(grids[-1]))] if grids else []
    if run.losses_plot.is_file():
        rows.append(("loss plot", str(run.losses_plot)))
    return [*rows, ("run directory", str(run.path))]
