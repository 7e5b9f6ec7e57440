"""Two processes with batches of B equal one process with batches of 2 B."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import lightning
import pytest
import torch
from cases import CASES as FAMILIES
from ddp_run import CASES, GLOBAL_BATCH, STEPS, several_processes
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy
from support import load, mlp_game, points

from gan_lightning.families import NonSaturatingGAN

SCRIPT = str(Path(__file__).with_name("ddp_run.py"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """All cases once on two processes by torchrun, once on one."""
    folder = tmp_path_factory.mktemp("ddp")
    tests = Path(__file__).parents[1]
    path = os.pathsep.join([str(tests.parent), str(tests)])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    for launcher in (torchrun, []):
        subprocess.run(
            [sys.executable, *launcher, SCRIPT, str(folder), *CASES, "families", "evaluation"],
            check=True,
            capture_output=True,
            # Each launch has a cache of its own: the second fit is the one that finds it filled.
            env=environment | {"GAN_LIGHTNING_CACHE": str(folder / f"cache{len(launcher)}")},
            timeout=300,
        )
    return folder


@pytest.mark.parametrize("case", CASES)
def test_two_processes_equal_one(runs, case):
    one = load(runs / f"{case}-0-of-1.pt")
    two = [load(runs / f"{case}-{rank}-of-2.pt") for rank in (0, 1)]
    atol = 1e-6 if CASES[case].get("dtype") is torch.float32 else 1e-12
    assert one["step"] == two[0]["step"] == STEPS
    assert (
        one["images"]
        == two[0]["images"]
        == STEPS * GLOBAL_BATCH * CASES[case].get("discriminator_steps", 1)
    )
    for name, value in one["state"].items():
        torch.testing.assert_close(two[0]["state"][name], value, rtol=0, atol=atol, msg=name)
        torch.testing.assert_close(two[0]["state"][name], two[1]["state"][name], rtol=0, atol=0)


@pytest.mark.parametrize("name", several_processes())
def test_two_processes_equal_one_for_every_family(runs, name):
    one = load(runs / "families-0-of-1.pt")[name]
    two = [load(runs / f"families-{rank}-of-2.pt")[name] for rank in (0, 1)]
    for key, value in one["state"].items():
        torch.testing.assert_close(two[0]["state"][key], value, rtol=0, atol=1e-9, msg=key)
        torch.testing.assert_close(two[0]["state"][key], two[1]["state"][key], rtol=0, atol=0)
    ((_, one_row),), ((_, two_row),) = one["rows"], two[0]["rows"]
    assert two_row == pytest.approx(one_row, abs=1e-6)


def test_scores_of_two_processes_are_those_of_one(runs):
    """Exactly as many samples, the classes of the real ones, with and without the cache."""
    one = load(runs / "evaluation-0-of-1.pt")
    two = [load(runs / f"evaluation-{rank}-of-2.pt") for rank in (0, 1)]
    assert two[0] == two[1]
    assert "70 real, 70 fake" in one["protocol"]
    assert "70 real, 70 fake" in two[0]["protocol"]
    for found in (one, two[0]):
        assert found["scores"][0] == pytest.approx(found["scores"][1], rel=1e-12)
    assert two[0]["scores"][0] == pytest.approx(one["scores"][0], rel=1e-6)


def test_what_cannot_equal_one_process_is_refused():
    game = FAMILIES["unrolled"].make()
    game.trainer = lightning.Trainer(
        accelerator="cpu",
        devices=2,
        strategy="ddp_find_unused_parameters_true",
        logger=False,
        max_steps=1,
        max_epochs=-1,
    )
    with pytest.raises(ValueError, match="UnrolledGAN"):
        game.setup("fit")


@pytest.mark.parametrize("case", CASES)
def test_noise_differs_between_ranks_and_is_that_of_one_process(runs, case):
    one = load(runs / f"{case}-0-of-1.pt")["z"]
    two = [load(runs / f"{case}-{rank}-of-2.pt")["z"] for rank in (0, 1)]
    assert len(one) == 2 * len(two[0])
    assert not torch.equal(*two)
    distinct = torch.unique(torch.cat(two), dim=0)
    torch.testing.assert_close(distinct, torch.unique(one, dim=0), rtol=0, atol=0)


@pytest.mark.parametrize("case", CASES)
def test_the_log_is_a_mean_over_ranks(runs, case):
    ((_, one),) = load(runs / f"{case}-0-of-1.pt")["rows"]
    ((_, two),) = load(runs / f"{case}-0-of-2.pt")["rows"]
    atol = 1e-6 if CASES[case].get("dtype") is torch.float32 else 1e-12
    assert set(one) == set(two)
    for name in one:
        assert two[name] == pytest.approx(one[name], abs=atol), name


def test_sigterm_to_one_process_stops_both_after_the_same_update(tmp_path):
    tests = Path(__file__).parents[1]
    path = os.pathsep.join([str(tests.parent), str(tests)])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    with subprocess.Popen(
        [sys.executable, SCRIPT, str(tmp_path), "--stop"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        for line in process.stdout:
            if line.strip() == "update 5":
                process.send_signal(signal.SIGTERM)
                break
        process.communicate(timeout=120)
    assert process.returncode == 1
    saved = load(tmp_path / "last.ckpt")["gan_lightning"]
    assert saved["discriminator_updates"] == 20  # where the processes agree


@pytest.mark.parametrize(
    ("strategy", "match"),
    [
        ("ddp_spawn_find_unused_parameters_true", "must not be one that spawns or forks.*'spawn'"),
        (
            DDPStrategy(find_unused_parameters=True, static_graph=True),
            "`static_graph` must be False for a GAN",
        ),
    ],
)
def test_what_ddp_cannot_do_is_refused(strategy, match):
    trainer = lightning.Trainer(
        accelerator="cpu", devices=2, strategy=strategy, logger=False, max_steps=1, max_epochs=-1
    )
    game = mlp_game(NonSaturatingGAN)
    game.trainer = trainer
    with pytest.raises(ValueError, match=match):
        game.setup("fit")


def test_plain_ddp_is_refused():
    trainer = lightning.Trainer(
        accelerator="cpu", devices=2, strategy="ddp", logger=False, max_steps=1, max_epochs=-1
    )
    game = mlp_game(NonSaturatingGAN)
    game.trainer = trainer
    match = "`strategy` must be 'ddp_find_unused_parameters_true' .* plain 'ddp'"
    with pytest.raises(ValueError, match=match):
        game.setup("fit")


def test_strategies_for_one_optimizer_are_refused(monkeypatch):
    trainer = lightning.Trainer(
        accelerator="cpu", devices=1, logger=False, max_steps=1, max_epochs=-1
    )
    monkeypatch.setattr(
        type(trainer), "strategy", property(lambda self: FSDPStrategy.__new__(FSDPStrategy))
    )
    game = mlp_game(NonSaturatingGAN)
    game.trainer = trainer
    with pytest.raises(ValueError, match=r"`strategy` must be 'auto'.* but got FSDPStrategy"):
        game.setup("fit")


def test_a_batch_that_is_too_large_for_the_data_is_refused():
    data = points(batch_size=8, batches=1)
    data.batch_size = 100
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        logger=False,
        max_steps=1,
        max_epochs=-1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with pytest.raises(
        ValueError, match="`batch_size` times the number of processes must be at most"
    ):
        trainer.fit(mlp_game(NonSaturatingGAN), datamodule=data)
