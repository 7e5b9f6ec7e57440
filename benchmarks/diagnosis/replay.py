"""From recorded observations to signals, once for each run, and back from the cache in seconds.

    python benchmarks/diagnosis/replay.py        # measures what is new in runs/diagnosis

The cache, one .signals file beside each run, holds every signal at every look and what the witness
measured, so that thresholds can be tried without playing or measuring anything again. Delete it
after a change of the signals or of the witness.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gan_lightning  # noqa: F401  # before lightning

# isort: split

import torch
from configurations import Configuration, configurations
from games import Game
from truth import decide
from witness import add_later

from gan_lightning.callbacks.monitors.history import History
from gan_lightning.callbacks.monitors.observation import Observation
from gan_lightning.callbacks.monitors.signals import Signals
from gan_lightning.metrics.extractors.random_conv import RandomConvExtractor

FOLDER = Path("runs/diagnosis")


@dataclass(frozen=True)
class Recorded:
    """A run that was played.

    Attributes:
        configuration: What was played.
        seed: Of the run.
        history: The monitors' signals.
        looks: The witness's.
        state: "healthy", "recovered", "failed" or "undecided".
        onsets: By kind, the look at which each true failure began.
    """

    configuration: Configuration
    seed: int
    history: History
    looks: list[Mapping[str, float]]
    state: str
    onsets: Mapping[str, int]

    @property
    def name(self) -> str:
        """Of the run."""
        return f"{self.configuration.name}-{self.seed}"

    @property
    def points(self) -> bool:
        """Whether the data are points."""
        return self.configuration.game.data in ("ring", "grid")


def recorded(folder: Path = FOLDER) -> Iterator[Recorded]:
    """All runs that were played so far."""
    for configuration in configurations():
        for seed in configuration.seeds:
            path = folder / f"{configuration.name}-{seed}.pt"
            cache = folder / f"{configuration.name}-{seed}.signals"
            if not path.exists():
                continue
            if not cache.exists() or cache.stat().st_mtime < path.stat().st_mtime:
                torch.save(measured(path, configuration.game), cache)
            found = torch.load(cache, weights_only=True)
            steps = configuration.game.steps
            history = History(steps // 50, steps)
            for step, signals in zip(found["steps"], found["signals"], strict=True):
                history.add(step, signals)
            state, onsets = decide(found["looks"], configuration.game.data in ("ring", "grid"))
            yield Recorded(configuration, seed, history, found["looks"], state, onsets)


def measured(path: Path, game: Game) -> dict[str, Any]:
    """The signals of one run's observations."""
    run = torch.load(path, weights_only=True)
    x, labels = run["real"]
    extractor = RandomConvExtractor() if x.ndim == 4 else None
    signals = Signals(x, labels, None if run["heldout"] is None else run["heldout"][0], extractor)
    found = []
    for content in run["observations"]:
        content["samples"] = content["samples"].float()
        found.append(signals.measure(Observation(**content)))
    add_later(run["looks"], [content["samples"] for content in run["observations"]], x, game)
    return {
        "steps": [content["step"] for content in run["observations"]],
        "signals": found,
        "looks": run["looks"],
    }


if __name__ == "__main__":
    states: dict[str, int] = {}
    for run in recorded():
        states[run.state] = states.get(run.state, 0) + 1
    print(states)
