"""Plays the corpus and keeps what was seen, so that monitors can be tried on it in seconds.

    python benchmarks/diagnosis/corpus.py --part 0/2 &   # two processes, each half of the runs
    python benchmarks/diagnosis/corpus.py --part 1/2

Each run is kept in runs/diagnosis/<configuration>-<seed>.pt as soon as it is finished; started
again, the command goes on with what is missing. `report.py` makes the tables.
"""

from __future__ import annotations

import argparse
import os
import time
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
from configurations import Configuration, configurations
from games import data_of, module_of
from lightning.pytorch.callbacks import Callback
from witness import Witness

from gan_lightning.callbacks.monitors.observer import Observer

FOLDER = Path("runs/diagnosis")
LOOKS = 50


class Recorder(Callback):
    """Keeps what monitors would see, and what the witness says of it."""

    def __init__(self, observer: Observer, witness: Witness) -> None:
        super().__init__()
        self.observer, self.witness = observer, witness
        self.observations: list[Any] = []
        self.looks: list[dict[str, float]] = []

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin."""
        self.observer.start(trainer, pl_module)
        if not self.witness.points:
            self.witness.look(pl_module)  # of the untrained generator

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *unused: Any) -> None:
        """Look when it is time."""
        self.observer.watch(trainer, pl_module, unused[1])
        if self.observer.due(trainer, pl_module):
            self.observations.append(self.observer.look(pl_module))
            self.looks.append(self.witness.look(pl_module))


def play(configuration: Configuration, seed: int) -> dict[str, Any]:
    """One run: what was seen, as plain tensors and numbers."""
    game = configuration.game
    lightning.seed_everything(1000 + seed, verbose=False)
    data, heldout = data_of(game)
    module = module_of(game)
    every = game.steps // LOOKS
    recorder = Recorder(Observer(every, heldout=heldout), Witness(game))
    trainer = lightning.Trainer(
        max_steps=game.steps,
        max_epochs=-1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[recorder],
        log_every_n_steps=max(1, every // 3),
    )
    began = time.process_time()
    trainer.fit(module, data)
    small = torch.float32 if recorder.witness.points else torch.float16
    observer = recorder.observer
    return {
        "seconds": time.process_time() - began,
        "real": observer.real,
        "heldout": observer.unseen,
        "looks": recorder.looks,
        "observations": [
            {
                "step": o.step,
                "samples": o.samples.to(small),
                "labels": o.labels,
                "logits": dict(o.logits),
                "losses": dict(o.losses),
                "rows": [dict(row) for row in o.rows],
                "weights": dict(o.weights),
            }
            for o in recorder.observations
        ],
    }


def main() -> None:
    """Play what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", default="0/1", help="Which part of how many, such as 0/2.")
    parser.add_argument("--only", default="", help="Only configurations with this in their name.")
    arguments = parser.parse_args()
    part, parts = map(int, arguments.part.split("/"))
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    runs = [(c, seed) for seed in range(3) for c in configurations() if seed in c.seeds]
    refused: list[str] = []
    for configuration, seed in runs[part::parts]:
        path = FOLDER / f"{configuration.name}-{seed}.pt"
        if path.exists() or arguments.only not in configuration.name:
            continue
        try:
            result = play(configuration, seed)
        except Exception as error:  # one game must not cost the others; told again at the end
            print(f"{path.stem}: {type(error).__name__}: {error}", flush=True)
            refused.append(path.stem)
            continue
        torch.save(result, path.with_suffix(".tmp"))
        os.replace(path.with_suffix(".tmp"), path)
        print(f"{path.stem}: {result['seconds']:.1f} s", flush=True)
    if refused:
        raise SystemExit(f"{len(refused)} runs ended with an exception: {', '.join(refused)}.")


if __name__ == "__main__":
    main()
