"""A small run that several tests of the command line look at."""

import sys
from pathlib import Path

import pytest

from gan_lightning.cli import main

SMALL = (
    "--trainer.accelerator=cpu",
    "--trainer.enable_model_summary=false",
    "--trainer.log_every_n_steps=2",
    "--data.samples=512",
    "--data.batch_size=32",
    "--model.generator.width=8",
    "--model.discriminator.width=8",
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than a few seconds")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands run in an empty folder, with nothing of the tester's environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["gan-lightning"])
    for name in ("WANDB_API_KEY", "WANDB_MODE", "GAN_LIGHTNING_DEBUG", "GAN_LIGHTNING_RUN_DIR"):
        monkeypatch.delenv(name, raising=False)
    # What the command sets, and an undone `delenv` would leave behind.
    monkeypatch.setenv("GAN_LIGHTNING_RUN_DIR", "")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 4 steps; not to be changed."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    argv, sys.argv = sys.argv, ["gan-lightning"]
    try:
        args = ["fit", "--config", "ring/non_saturating", "--run_dir", str(folder)]
        assert main([*args, "--trainer.max_steps=4", *SMALL]) == 0
    finally:
        sys.argv = argv
    return folder
