"""Which advice helps against which failure? Failing games of the corpus, played again with it.

For each kind, games that fail in that way are played once as they are and once with each remedy
alone, from the start, for the same number of G's updates; counted are the runs that end healthy by
the rule of `truth.py`, without what it needs recorded samples for (turn, drift, far, near).

    python benchmarks/diagnosis/remedies.py       # goes on where it stopped; writes the table
    python benchmarks/diagnosis/remedies.py --only oscillation   # plays this kind, no table

Single results are kept in runs/diagnosis-remedies.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import gan_lightning  # noqa: F401  # before lightning

# isort: split

import logging
import sys
import warnings

import lightning
import torch
from configurations import FAST, FAST_G, HINGE, MINIMAX, NS, STRONG_D, UNCLIPPED
from games import Game, data_of, module_of
from lightning.pytorch.callbacks import Callback
from truth import decide
from witness import Witness

sys.path.append(str(Path(__file__).parents[1]))
from machine import describe

FOLDER = Path("runs/diagnosis-remedies")
RESULTS = Path(__file__).parents[1] / "results" / "diagnosis_remedies.md"
SEEDS, LOOKS = 2, 25
GOOD = ("healthy", "recovered")  # how a run ends

GAMES: dict[str, dict[str, dict[str, Any]]] = {
    "mode collapse": {
        "G's rate 10 times too high": NS | FAST_G,
        "hinge, G's rate 10 times too high": HINGE | FAST_G,
        "small D, G's rate 5 times too high": NS
        | {"width": (128, 8), "lr": (5e-3, 1e-3), "decay": False},
    },
    "discriminator wins": {
        "minimax, strong D": MINIMAX | STRONG_D,
        "D's rate 1,000 times G's": NS | {"lr": (1e-5, 1e-2), "decay": False},
        "hinge, strong D": HINGE | STRONG_D,
    },
    "generator wins": {
        "D's rate 1,000 times too low": NS | {"lr": (1e-3, 1e-6), "decay": False},
        "D of width 2": NS | {"width": (64, 2)},
    },
    "oscillation": {
        "both rates 10 times too high": NS | FAST,
        "simultaneous minimax, momentum 0.9": MINIMAX
        | {"updates": "simultaneous", "beta1": 0.9, "lr": (3e-3, 3e-3), "decay": False},
        "unclipped WGAN": UNCLIPPED | {"updates": "simultaneous", "decay": False},
    },
}
RATES = {
    "both rates / 10": lambda g: {"lr": (g.lr[0] / 10, g.lr[1] / 10)},
    "G's rate / 10": lambda g: {"lr": (g.lr[0] / 10, g.lr[1])},
    "D's rate / 10": lambda g: {"lr": (g.lr[0], g.lr[1] / 10)},
}
SHARED = {
    "latent dimension 32": lambda g: {"latent": 32},
    "R1, gamma 0.1": lambda g: {"gamma": 0.1},
    "WGAN-GP": lambda g: {"family": "WGANGP", "k": 3, "own": {"penalty_weight": 0.1}},
}
REMEDIES: dict[str, dict[str, Any]] = {
    "mode collapse": {
        **{name: RATES[name] for name in ("both rates / 10", "G's rate / 10")},
        **SHARED,
        "PacGAN, 2 together": lambda g: {"family": "PacGAN", "pack": 2, "batch": 256},
        "five D steps": lambda g: {"k": 5},
    },
    "discriminator wins": {
        **{name: RATES[name] for name in ("both rates / 10", "D's rate / 10")},
        **SHARED,
        "non-saturating cost": lambda g: {"family": "NonSaturatingGAN"},
        "one D step": lambda g: {"k": 1},
        "equal rates of 1e-3": lambda g: {"lr": (1e-3, 1e-3)},
    },
    "generator wins": {
        "both rates / 10": RATES["both rates / 10"],
        **SHARED,
        "equal rates of 1e-3": lambda g: {"lr": (1e-3, 1e-3)},
        "D four times as wide as G": lambda g: {"width": (g.width[0], 4 * g.width[0])},
        "five D steps": lambda g: {"k": 5},
    },
    "oscillation": {
        "both rates / 10": RATES["both rates / 10"],
        **SHARED,
        "alternating": lambda g: {"updates": "alternating"},
        "beta1 = 0": lambda g: {"beta1": 0.0},
        "falling rates": lambda g: {"decay": True},
    },
}


class Look(Callback):
    """Lets the witness look so many times."""

    def __init__(self, game: Game) -> None:
        super().__init__()
        self.witness, self.every = Witness(game), game.steps // LOOKS
        self.looks: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *unused: Any) -> None:
        """Look when it is time."""
        if pl_module.generator_stepped and trainer.global_step % self.every == 0:
            self.looks.append(self.witness.look(pl_module))


def play(game: Game, seed: int, callbacks: list[Any] | None = None) -> str:
    """Play a game: "healthy", "undecided", or the kinds in which it failed."""
    lightning.seed_everything(2000 + seed, verbose=False)
    look = Look(game)
    trainer = lightning.Trainer(
        max_steps=game.steps,
        max_epochs=-1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[*(callbacks or []), look],
        log_every_n_steps=50,
    )
    trainer.fit(module_of(game), data_of(game)[0])
    state, onsets = decide(look.looks, points=True)
    return ", ".join(onsets) if state == "failed" else state


def cases() -> Iterator[tuple[str, str, str, Game]]:
    """Kind, game, remedy ("as it is" first) and what is played."""
    for kind, games in GAMES.items():
        for name, arguments in games.items():
            game = Game(**arguments)
            if game.k > 1:  # D's updates cost too
                game = replace(game, steps=1500)
            yield kind, name, "as it is", game
            for remedy, change in REMEDIES[kind].items():
                changed = replace(game, **change(game))
                if changed != game and not (changed.pack > 1 and game.family != "NonSaturatingGAN"):
                    yield kind, name, remedy, changed


def result(kind: str, name: str, remedy: str, game: Game, seed: int) -> str:
    """Of one run, from the folder if it was played before."""
    stem = "".join(c if c.isalnum() else "_" for c in f"{kind}-{name}-{remedy}-{seed}")
    path = FOLDER / f"{stem}.json"
    if not path.exists():
        outcome = play(game, seed)
        print(f"{kind} | {name} | {remedy} | {seed}: {outcome}", flush=True)
        path.write_text(json.dumps(outcome))
    return str(json.loads(path.read_text()))


def table() -> str:
    """Healthy runs of each game with each remedy, in Markdown."""
    healthy: dict[str, dict[str, dict[str, int]]] = {}
    for kind, name, remedy, game in cases():
        outcomes = [result(kind, name, remedy, game, seed) for seed in range(SEEDS)]
        row = healthy.setdefault(kind, {}).setdefault(remedy, {})
        row[name] = sum(outcome in GOOD for outcome in outcomes)
    lines = []
    for kind, rows in healthy.items():
        names = list(GAMES[kind])
        lines += [f"\n## {kind}\n", "| | " + " | ".join(names) + " | together |"]
        lines.append("|---" * (len(names) + 2) + "|")
        order = sorted(rows, key=lambda r: (r != "as it is", -_share(rows[r])))
        for remedy in order:
            cells = [f"{rows[remedy][n]} of {SEEDS}" if n in rows[remedy] else "" for n in names]
            total = f"{sum(rows[remedy].values())} of {SEEDS * len(rows[remedy])}"
            lines.append(f"| {remedy} | " + " | ".join(cells) + f" | {total} |")
    return "\n".join(lines)


def _share(row: dict[str, int]) -> float:
    return sum(row.values()) / len(row)


def main() -> None:
    """Play what is missing and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[*GAMES], help="Play this kind alone.")
    only = parser.parse_args().only
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    if only is not None:
        for kind, name, remedy, game in cases():
            if kind == only:
                [result(kind, name, remedy, game, seed) for seed in range(SEEDS)]
        return
    body = table()
    protocol = (
        f"{SEEDS} seeds each, on the ring of 8 modes, one thread; runs that end healthy by the "
        "rule of `truth.py`. So few runs tell none of six from six of six, not three from five"
    )
    head = describe("Which advice helps against which failure", protocol)
    RESULTS.write_text(f"{head}\n{body}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
