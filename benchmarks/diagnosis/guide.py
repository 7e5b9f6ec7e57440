"""The pictures of docs/failures.md: one run of each kind of failure, and a healthy one.

python benchmarks/diagnosis/guide.py    # after corpus.py
"""

from __future__ import annotations

from pathlib import Path

from score import judge, monitors

# isort: split

import torch
from pictures import story
from replay import FOLDER, recorded

IMAGES = Path(__file__).parents[2] / "docs" / "images" / "failures"
SHOWN = {
    "healthy": "healthy-ring-lsgan-7-0",
    "mode_collapse": "mode_collapse-ring-lsgan-8-0",
    "discriminator_wins": "discriminator_wins-ring-lsgan-6-0",
    "generator_wins": "healthy-ring-nonsaturatinggan-4-0",  # z of 16 dimensions, no penalty
    "no_progress": "no_progress-ring-nonsaturatinggan-0-0",
    "oscillation": "oscillation-ring-wgan-3-0",  # no clipping, momentum 0.9
    "divergence": "divergence-ring-nonsaturatinggan-0-0",
    "overfitting": "overfitting-digits-nonsaturatinggan-0-0",
    "healthy_images": "healthy-digits-lsgan-3-0",
}


def main() -> None:
    """Draw them."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    panel = monitors()
    names = {run: picture for picture, run in SHOWN.items()}
    for run in recorded():
        if run.name in names:
            judged = judge(run, panel)
            said = ", ".join(f"{kind} at {(look + 1) / 50:.0%}" for kind, look in judged.said)
            title = f"{run.name}; the monitors say: {said or 'nothing'}"
            kept = torch.load(FOLDER / f"{run.name}.pt", weights_only=True)
            story(kept, judged, title, IMAGES / f"{names[run.name]}.png")


if __name__ == "__main__":
    main()
