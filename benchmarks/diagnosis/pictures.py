"""Pictures of recorded runs: samples at four moments above the curves that tell what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from score import LOOKS, Judged
from torch import Tensor

mpl.use("Agg")
import matplotlib.pyplot as plt

MOMENTS = (4, 14, 29, 49)  # looks
PANELS = (
    ("pairwise", "bins", "precision"),
    ("right", "memory"),
    ("distance", "drift"),
    ("loss_discriminator", "loss_generator"),
)


def miss(run: Mapping[str, Any], judged: Judged, path: Path) -> None:
    """A run of which something wrong was said.

    Args:
        run: As `corpus.py` keeps it.
        judged: What was said.
        path: Of the picture.
    """
    truth = ", ".join(f"{k} from {o / LOOKS:.0%}" for k, o in judged.run.onsets.items())
    said = ", ".join(f"{k} at {look / LOOKS:.0%}" for k, look in judged.said) or "nothing"
    title = f"{judged.run.name}\ntrue: {truth or judged.run.state};  said: {said}"
    story(run, judged, title, path)


def story(run: Mapping[str, Any], judged: Judged, title: str, path: Path) -> None:
    """Samples at four moments, and four panels of signals."""
    figure, axes = plt.subplots(2, 4, figsize=(12, 5.6), height_ratios=(3, 2))
    real = run["real"][0].float()
    looks = run["observations"]
    for axis, look in zip(axes[0], MOMENTS, strict=True):
        look = min(look, len(looks) - 1)
        draw(axis, looks[look]["samples"].float(), real)
        axis.set_title(f"step {looks[look]['step']:,}", fontsize=9)
    history = judged.run.history
    for axis, names in zip(axes[1], PANELS, strict=True):
        for name in names:
            if name in history:
                axis.plot(history.steps, np.clip(history[name], -1e3, 1e3), label=name, lw=1.2)
        for _, onset in judged.run.onsets.items():
            axis.axvline(history.steps[onset], color="#888888", lw=0.8, ls=":")
        for _, look in judged.said:
            axis.axvline(history.steps[look], color="#d1495b", lw=0.8)
        axis.legend(fontsize=7, frameon=False)
        axis.tick_params(labelsize=7)
        axis.set_xlabel("generator updates", fontsize=8)
    figure.suptitle(title, fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


def draw(axis: Any, samples: Tensor, real: Tensor) -> None:
    """Points over real ones, or 36 images."""
    axis.set_xticks([])
    axis.set_yticks([])
    if samples.ndim == 2:
        reach = 1.4 * float(real.abs().max())
        axis.scatter(*real[:512].T, s=3, color="#c8c8c8")
        shown = samples[torch.isfinite(samples).all(1)].clamp(-reach, reach)
        axis.scatter(*shown.T, s=4, color="#d1495b")
        axis.set_xlim(-reach, reach)
        axis.set_ylim(-reach, reach)
        axis.set_aspect("equal")
        return
    x = samples[:36, 0].nan_to_num().clamp(-1, 1)
    side = x.shape[-1]
    grid = x.reshape(6, 6, side, side).permute(0, 2, 1, 3).reshape(6 * side, 6 * side)
    axis.imshow(grid, cmap="gray", vmin=-1, vmax=1, interpolation="nearest")


def delays(every: Sequence[Judged], path: Path) -> None:
    """For each kind, the share of failures named within so much of the run after the onset."""
    figure, axis = plt.subplots(figsize=(6.4, 3.8))
    for kind in sorted({kind for j in every for kind in j.run.onsets}):
        runs = [j for j in every if kind in j.run.onsets]
        late = sorted(
            max(0, dict(j.said)[kind] - j.run.onsets[kind]) / LOOKS
            for j in runs
            if kind in dict(j.said)
        )
        shares = [(i + 1) / len(runs) for i in range(len(late))]
        axis.step(
            [0, *late, 1],
            [0, *shares, shares[-1] if shares else 0],
            where="post",
            label=f"{kind} ({len(runs)})",
        )
    axis.axvline(0.1, color="#888888", ls=":", lw=1)
    axis.set_xlim(0, 0.6)
    axis.set_ylim(0, 1.02)
    axis.set_xlabel("delay after the true onset, share of the planned run")
    axis.set_ylabel("share of failures named by then")
    axis.legend(fontsize=8, frameon=False, loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)
