"""Runs of packaged recipes for the benchmarks: trained by the command line, kept between calls."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gan_lightning.cli.recipes import find_config
from gan_lightning.runs import RunDirectory

QUICK = ("--trainer.max_steps=20",)


class Failed(RuntimeError):
    """A training that ended with an error: a result, which no other run replaces."""


def train(folder: Path, recipe: str, seed: int, arguments: Sequence[str] = ()) -> Path:
    """Train a recipe in a process of its own, on one thread, unless that run is there already.

    The folder's name has a digest of the recipe and of the arguments, so that a run of an older
    recipe is not taken for one of the present recipe.

    Args:
        folder: Where the runs are kept.
        recipe: Name of a packaged recipe.
        seed: For `--seed_everything`.
        arguments: What the command line is given beside it.

    Returns:
        The run directory.

    Raises:
        Failed: If the training has failed, now or when it was run before.
    """
    run_dir = folder / f"{recipe.replace('/', '-')}-{_digest(recipe, arguments)}-{seed}"
    outcome = _outcome(run_dir)
    if not outcome.startswith(("finished", "failed")):
        shutil.rmtree(run_dir, ignore_errors=True)
        outcome = _fit(run_dir, recipe, seed, arguments)
    if outcome != "finished":
        raise Failed(outcome)
    return run_dir


def _fit(run_dir: Path, recipe: str, seed: int, arguments: Sequence[str]) -> str:
    """Train, and say how it ended."""
    command = [sys.executable, "-m", "gan_lightning", "fit", "--run_dir", str(run_dir)]
    command += ["--config", recipe, "--seed_everything", str(seed), *arguments]
    command += ["--trainer.enable_progress_bar", "false"]
    alone = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "WANDB_MODE": "disabled"}
    environment = os.environ | alone
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    outcome = _outcome(run_dir)
    if done.returncode and not outcome.startswith("failed"):
        raise Failed(" ".join(done.stderr.split())[-300:])
    return outcome


def _outcome(run_dir: Path) -> str:
    """What the run says of its end; nothing if there is no run."""
    if not (run_dir / "run.json").exists():
        return ""
    return str(RunDirectory(run_dir).read_run()["outcome"])


def _digest(recipe: str, arguments: Sequence[str]) -> str:
    words = "\n".join([find_config(recipe).read_text(encoding="utf-8"), *arguments])
    return hashlib.sha256(words.encode()).hexdigest()[:8]
