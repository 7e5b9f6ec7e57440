"""Are runs saved by going back? Ten failing games with `rollback` and with nothing, equal compute.

Both arms play the same number of updates, those before a rollback counted. A rollback goes to the
last healthy checkpoint (the untrained players where there is none) and makes one change for each
monitor: slower rates of G, of D or of both. The rule of `truth.py`, without what it needs recorded
samples for, says how each run ends.

    python benchmarks/diagnosis/saved.py       # goes on where it stopped; writes the table

Single results are kept in runs/diagnosis-saved.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import gan_lightning  # noqa: F401  # before lightning

# isort: split

import logging
import warnings

import lightning
import torch
from configurations import FAST, FAST_G, HINGE, LS, MINIMAX, NS, STRONG_D, UNCLIPPED
from games import Game, data_of, module_of
from remedies import GOOD, Look
from truth import decide

from gan_lightning.callbacks import FailureMonitors, GANCheckpoint
from gan_lightning.callbacks.monitors import (
    ConvergenceMonitor,
    DivergenceMonitor,
    ModeCollapseMonitor,
    OscillationMonitor,
    Rollback,
    ScaleLearningRates,
)

sys.path.append(str(Path(__file__).parents[1]))
from machine import describe

FOLDER = Path("runs/diagnosis-saved")
RESULTS = Path(__file__).parents[1] / "results" / "diagnosis_saved.md"
SEEDS, TRIES = 2, 4

STEPS: dict[str, Any] = {"steps": 5000, "decay": False}
GAMES: dict[str, dict[str, Any]] = {
    "G's rate 10 times too high": NS | FAST_G | STEPS,
    "hinge, G's rate 10 times too high": HINGE | FAST_G | STEPS,
    "small D, G's rate 5 times too high": NS | {"width": (128, 8), "lr": (5e-3, 1e-3)} | STEPS,
    "LSGAN, G's rate 20 times too high": LS | FAST_G | {"lr": (2e-2, 1e-3)} | STEPS,
    "both rates 10 times too high, momentum 0.9": NS | FAST | STEPS,
    "hinge, both rates 10 times too high": HINGE | FAST | STEPS,
    "simultaneous minimax, momentum 0.9": MINIMAX
    | {"updates": "simultaneous", "beta1": 0.9, "lr": (3e-3, 3e-3)}
    | STEPS,
    "unclipped simultaneous WGAN": UNCLIPPED | {"updates": "simultaneous"} | STEPS,
    "LSGAN, both rates 1,000 times too high": LS | {"lr": (1.0, 1.0)} | STEPS,
    "minimax, strong D": MINIMAX | STRONG_D | {"decay": False, "steps": 2000},
}


def rescue(folder: str) -> list[Any]:
    """The monitors, each with its advice as a change, and the checkpoints to go back to."""
    slower_g = Rollback(TRIES, [ScaleLearningRates(generator=0.1, discriminator=0.5)])
    slower_d = Rollback(TRIES, [ScaleLearningRates(generator=1.0, discriminator=0.1)])
    slower = Rollback(TRIES, [ScaleLearningRates(generator=0.2, discriminator=0.2)])
    monitors = FailureMonitors(
        monitors=[
            DivergenceMonitor(slower),
            ModeCollapseMonitor(slower_g),
            ConvergenceMonitor(slower_d),
            OscillationMonitor(slower),
        ]
    )
    return [monitors, GANCheckpoint(folder, every_n_steps=200)]


def play(game: Game, seed: int, rescued: bool) -> dict[str, Any]:
    """Play a game: how it ended, and what the monitors did."""
    lightning.seed_everything(3000 + seed, verbose=False)
    look = Look(game)
    with tempfile.TemporaryDirectory() as folder:
        callbacks = rescue(folder) if rescued else []
        trainer = lightning.Trainer(
            max_steps=game.steps,
            max_epochs=-1,
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=rescued,
            callbacks=[*callbacks, look],
            log_every_n_steps=50,
            default_root_dir=folder,
        )
        trainer.fit(module_of(game), data_of(game)[0])
        verdicts = callbacks[0].verdicts if rescued else []
    state, onsets = decide(look.looks, points=True)
    last = look.looks[-1]
    return {
        "ends": ", ".join(onsets) if state == "failed" else state,
        "steps": trainer.global_step,
        "modes": last.get("modes", 0.0),
        "kl": last.get("kl", 99.0),
        "good": last.get("good", 0.0),
        "verdicts": [[v.step, v.kind, v.action] for v in verdicts if not v.recovered],
    }


def result(name: str, game: Game, seed: int, rescued: bool) -> dict[str, Any]:
    """Of one run, from the folder if it was played before."""
    stem = "".join(c if c.isalnum() else "_" for c in name)
    path = FOLDER / f"{stem}-{seed}-{'rollback' if rescued else 'nothing'}.json"
    if not path.exists():
        outcome = play(game, seed, rescued)
        print(f"{path.stem}: {outcome['ends']}", flush=True)
        path.write_text(json.dumps(outcome))
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def table() -> str:
    """Each game's ends, in Markdown."""
    lines = [
        "| game | end healthy with nothing | with rollback | rollbacks | ends with nothing | "
        "ends with rollback |",
        "|---|---|---|---|---|---|",
    ]
    totals = [0, 0]
    for name, arguments in GAMES.items():
        game = Game(**arguments)
        arms = [[result(name, game, s, rescued) for s in range(SEEDS)] for rescued in (False, True)]
        healthy = [sum(run["ends"] in GOOD for run in arm) for arm in arms]
        totals = [a + b for a, b in zip(totals, healthy, strict=True)]
        backs = [
            sum("rolled back" in action for _, _, action in run["verdicts"]) for run in arms[1]
        ]
        ends = [
            "; ".join(f"{r['ends']} ({r['modes'] * 8:.0f}, {r['good']:.0%})" for r in arm)
            for arm in arms
        ]
        lines.append(
            f"| {name} | {healthy[0]} of {SEEDS} | {healthy[1]} of {SEEDS} | "
            f"{', '.join(map(str, backs))} | {ends[0]} | {ends[1]} |"
        )
    n = SEEDS * len(GAMES)
    lines.append(f"| together | {totals[0]} of {n} | {totals[1]} of {n} | | | |")
    return "\n".join(lines)


def main() -> None:
    """Play what is missing and write the table."""
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    body = table()
    protocol = (
        f"{SEEDS} seeds each, on the ring of 8 modes, one thread; at most {TRIES} rollbacks for "
        "each advice; ends by the rule of `truth.py`, with modes of 8 and share of high quality"
    )
    RESULTS.write_text(f"{describe('Runs saved by going back', protocol)}\n\n{body}\n", "utf-8")


if __name__ == "__main__":
    main()
