"""`gan-lightning fit`: run directory, resume, defaults, what is said at the end."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar

from gan_lightning._cli import closing, run_dir
from gan_lightning._cli.defaults import default_callbacks, several_processes
from gan_lightning.callbacks import (
    GANCheckpoint,
    GANProgressBar,
    LossPlot,
    RunRecorder,
    SampleDiversity,
    SampleLogger,
)
from gan_lightning.cli import main
from gan_lightning.runs import RunDirectory

RING = (
    "fit",
    "--config",
    "ring/non_saturating",
    "--trainer.accelerator=cpu",
    "--trainer.enable_model_summary=false",
    "--data.samples=512",
    "--data.batch_size=32",
    "--model.generator.width=8",
    "--model.discriminator.width=8",
)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return checkpoint["state_dict"]


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.splitlines()[-1]


def test_default_run_directory_holds_the_run(capsys):
    assert main([*RING, "--trainer.max_steps=3", "--trainer.log_every_n_steps=1"]) == 0
    (folder,) = Path("runs/ring-non_saturating").iterdir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", folder.name)
    run = RunDirectory(folder)
    assert run.read_run()["steps"] == 3
    assert [row["step"] for row in run.read_metrics()] == [1, 2, 3]
    assert run.last_checkpoint.is_file()
    assert run.losses_plot.is_file()
    printed = capsys.readouterr().out
    for path in (run.samples / "step_000003.png", run.losses_plot, folder):
        assert str(path) in printed  # in one piece, however narrow the terminal


def test_config_is_whole_and_runs_again_elsewhere(finished):
    config = yaml.safe_load((finished / "config.yaml").read_text())
    assert config["seed_everything"] == 0
    assert config["trainer"]["max_steps"] == 4
    assert config["model"]["init_args"]["generator"]["init_args"] == {"width": 8, "depth": 3}
    assert not {"run_dir", "resume"} & set(config)
    assert main(["fit", "--config", str(finished / "config.yaml")]) == 0
    (again,) = Path("runs/run").iterdir()
    assert yaml.safe_load((again / "config.yaml").read_text()) == config
    for name, value in weights(finished).items():
        assert torch.equal(value, weights(again)[name]), name


def test_resume_goes_on_in_the_same_folder(finished, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    config = (folder / "config.yaml").read_bytes()
    assert main(["fit", "--resume", str(folder)]) == 1
    assert "must be more than the 4 steps" in complaint(capsys)
    assert main(["fit", "--resume", str(folder), "--trainer.max_steps=6"]) == 0
    assert (folder / "config.yaml").read_bytes() == config
    assert [row["step"] for row in RunDirectory(folder).read_metrics()] == [2, 4, 6]
    assert main([*RING, "--trainer.max_steps=6", "--run_dir=straight"]) == 0
    for name, value in weights(Path("straight")).items():
        assert torch.equal(value, weights(folder)[name]), name


def test_a_folder_with_a_run_is_refused(finished, capsys):
    assert main([*RING, "--run_dir", str(finished)]) == 1
    assert f"gan-lightning fit --resume {finished}" in complaint(capsys)
    Path("file").touch()
    assert main([*RING, "--run_dir=file"]) == 1
    assert "must be a folder, got the file 'file'" in complaint(capsys)


def test_resume_and_another_folder_are_refused(finished, capsys):
    args = ["fit", "--resume", str(finished), "--trainer.max_steps=6", "--run_dir=other"]
    assert main(args) == 1
    assert "must be left out with `--resume`" in complaint(capsys)


def test_trial_run_leaves_nothing_behind():
    before = set(Path().iterdir())
    assert main([*RING, "--trainer.fast_dev_run=true"]) == 0
    assert set(Path().iterdir()) == before


def test_seed_decides_the_run(finished):
    args = ("--trainer.max_steps=4", "--trainer.log_every_n_steps=2")
    assert main([*RING, *args, "--seed_everything=1", "--run_dir=other"]) == 0
    assert json.loads(Path("other/run.json").read_text())["seed"] == 1
    assert json.loads((finished / "run.json").read_text())["seed"] == 0
    same = [torch.equal(v, weights(Path("other"))[n]) for n, v in weights(finished).items()]
    assert not all(same)


def test_what_the_networks_are_told_is_not_repeated_by_recipes():
    args = ("--trainer.max_steps=1", "--model.latent_dim=3", "--run_dir=wide")
    assert main([*RING, *args]) == 0
    assert weights(Path("wide"))["generator.body.0.weight"].shape == (8, 3)


# --- defaults ------------------------------------------------------------------------------------


def kinds(given, **trainer) -> list[type]:
    return [type(c) for c in default_callbacks(RunDirectory("run"), given, trainer)]


def test_default_callbacks_give_way_to_one_of_their_type():
    everything = [
        GANProgressBar,
        GANCheckpoint,
        RunRecorder,
        SampleDiversity,
        SampleLogger,
        LossPlot,
    ]
    assert kinds([]) == everything
    assert kinds([SampleLogger(number=8)]) == [k for k in everything if k is not SampleLogger]
    assert kinds([TQDMProgressBar()]) == everything[1:]
    assert kinds([ModelCheckpoint()]) == everything  # resume needs ours
    assert kinds([], enable_progress_bar=False) == everything[1:]
    assert kinds([], enable_checkpointing=False) == [
        k for k in everything if k is not GANCheckpoint
    ]
    assert kinds([], fast_dev_run=1) == [GANProgressBar]


def test_users_callback_replaces_the_default():
    callback = "--trainer.callbacks+=SampleLogger"
    args = ("--trainer.callbacks.number=4", "--trainer.callbacks.nrow=2", "--run_dir=run")
    assert main([*RING, "--trainer.max_steps=1", callback, *args]) == 0
    config = yaml.safe_load(Path("run/config.yaml").read_text())
    (written,) = config["trainer"]["callbacks"]
    assert written["class_path"] == "gan_lightning.callbacks.SampleLogger"
    assert written["init_args"]["number"] == 4


ONE = {"strategy": "auto", "devices": 1, "num_nodes": 1, "accelerator": "cpu"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"devices": "auto"}, {}),
        ({"devices": 2}, {"strategy": "ddp_find_unused_parameters_true"}),
        ({"devices": "2"}, {"strategy": "ddp_find_unused_parameters_true"}),
        ({"devices": "0,1"}, {"strategy": "ddp_find_unused_parameters_true"}),
        ({"devices": [0, 1]}, {"strategy": "ddp_find_unused_parameters_true"}),
        ({"devices": [1]}, {}),
        ({"num_nodes": 2}, {"strategy": "ddp_find_unused_parameters_true"}),
        ({"devices": 2, "strategy": "ddp"}, {}),
    ],
)
def test_strategy_of_several_devices(changes, expected, monkeypatch):
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert several_processes({**ONE, **changes}) == expected


def test_torchrun_decides_the_number_of_devices(monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("GROUP_WORLD_SIZE", "1")
    assert several_processes({**ONE, "devices": "auto"}) == {
        "devices": 2,
        "num_nodes": 1,
        "strategy": "ddp_find_unused_parameters_true",
    }


# --- run directories -----------------------------------------------------------------------------


def test_runs_of_the_same_second_get_folders_of_their_own():
    chosen = [run_dir.choose(None, "ring").path for _ in range(3)]
    assert len(set(chosen)) == 3
    assert all(path.is_dir() for path in chosen)


def test_other_processes_take_the_folder_of_the_first(monkeypatch):
    first = run_dir.choose(None, "ring").path
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert run_dir.choose(None, "ring").path == first
    assert not run_dir.is_first_process()


def test_only_empty_folders_are_forgotten():
    run = run_dir.choose(None, "ring")
    (run.path / "file").touch()
    run_dir.forget(run)
    assert run.path.is_dir()
    (run.path / "file").unlink()
    run_dir.forget(run)
    assert not run.path.exists()


# --- the end -------------------------------------------------------------------------------------


def cells(run: RunDirectory) -> dict[str, str]:
    labels, values = closing.table(run).columns
    return {str(a): str(b) for a, b in zip(labels.cells, values.cells, strict=True)}


def test_closing_table(tmp_path):
    run = RunDirectory(tmp_path)
    run.write_run(
        {
            "family": "DCGAN",
            "steps": 2000,
            "images_seen": 128_000,
            "seconds": 80.0,
            "scores": {
                "last": {"loss/generator": 1.0, "diversity/pairwise": 0.91234, "fid_10k": 9.0},
                "best": {"fid_10k": {"value": 8.5, "step": 1500, "protocol": "10k"}},
            },
        }
    )
    run.samples.mkdir()
    for name in ("step_000500.png", "step_1000000.png", "step_002000.png", "training.gif"):
        (run.samples / name).touch()
    assert cells(run) == {
        "steps": "2,000",
        "images seen": "128,000",
        "wall time": "0:01:20",
        "images/s": "1,600",
        "fid_10k": "9 (best 8.5, step 1,500)",
        "diversity/pairwise": f"0.9123: {closing.meaning('diversity/pairwise')}",
        "samples": str(run.samples / "step_1000000.png"),
        "run directory": str(tmp_path),
    }


def test_after_an_interrupt_the_way_on_is_said(finished, tmp_path):
    assert f"gan-lightning fit --resume {finished}" in closing.after_interrupt(
        RunDirectory(finished)
    )
    assert "cannot be resumed" in closing.after_interrupt(RunDirectory(tmp_path))


def test_ctrl_c_saves_and_says_how_to_go_on(monkeypatch, capsys):
    draw = SampleLogger.on_train_batch_end

    def press(self, trainer, *args):
        draw(self, trainer, *args)
        if trainer.global_step == 2:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(SampleLogger, "on_train_batch_end", press)
    assert main([*RING, "--trainer.max_steps=50", "--run_dir=run"]) == 130
    assert "gan-lightning fit --resume run" in complaint(capsys)
    assert RunDirectory("run").read_run()["outcome"] == "interrupted"
    steps = RunDirectory("run").read_run()["steps"]
    assert 2 <= steps <= 3
    monkeypatch.setattr(SampleLogger, "on_train_batch_end", draw)
    assert main(["fit", "--resume", "run", "--trainer.max_steps=5"]) == 0


# --- a resume that cannot be ----------------------------------------------------------------------


@pytest.fixture
def broken(tmp_path) -> Path:
    """A run with two checkpoints, whose last.ckpt (a link to the newer) can be damaged."""
    folder = tmp_path / "broken"
    callback = ("--trainer.callbacks+=GANCheckpoint", "--trainer.callbacks.every_n_steps=2")
    assert main([*RING, *callback, "--trainer.max_steps=3", f"--run_dir={folder}"]) == 0
    return folder


@pytest.mark.parametrize("damage", ["empty", "truncated", "text"])
def test_a_damaged_last_checkpoint_is_named_with_the_one_to_take(broken, capsys, damage):
    last = broken / "checkpoints" / "last.ckpt"
    whole = last.read_bytes()
    content = {"empty": b"", "truncated": whole[: len(whole) // 2], "text": b"not at all\n"}
    last.write_bytes(content[damage])  # and with it step=3.ckpt
    capsys.readouterr()
    assert main(["fit", "--resume", str(broken), "--trainer.max_steps=5"]) == 1
    line = complaint(capsys)
    assert line.startswith("gan-lightning: error: `--ckpt_path` must be a file that torch can read")
    assert f"got '{last}' (" in line
    other = broken / "checkpoints" / "step=2.ckpt"
    assert line.endswith(f"; the newest other one, for `--ckpt_path`, is '{other}'.")
    resume = ["fit", "--resume", str(broken), "--trainer.max_steps=5"]
    assert main([*resume, "--ckpt_path=step=2.ckpt"]) == 0  # looked up in the run
    assert RunDirectory(broken).read_run()["steps"] == 5


def test_a_checkpoint_that_is_not_there(finished, capsys):
    args = ["fit", "--resume", str(finished), "--trainer.max_steps=6", "--ckpt_path=step=9.ckpt"]
    assert main(args) == 1
    assert "`--ckpt_path` must be an existing file, or the name of one in" in complaint(capsys)


def test_a_resume_with_other_networks_is_one_sentence(finished, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    capsys.readouterr()
    resume = ["fit", "--resume", str(folder), "--trainer.max_steps=6"]
    assert main([*resume, "--model.generator.width=16"]) == 1
    line = complaint(capsys)
    assert re.search(
        r"`checkpoint` must hold the weights of the networks of this NonSaturatingGAN, but they "
        r"differ, first in `generator\.body\.0\.weight`: shape \(8, \d+\) in the checkpoint, "
        r"shape \(16, \d+\) here\.$",
        line,
    ), line


def test_a_recorder_elsewhere_is_refused(capsys):
    callback = ("--trainer.callbacks+=RunRecorder", "--trainer.callbacks.run_dir=elsewhere")
    assert main([*RING, *callback, "--trainer.max_steps=1", "--run_dir=run"]) == 1
    line = complaint(capsys)
    assert "`run_dir` of RunRecorder must be the folder of the run, 'run', got 'elsewhere'" in line
    assert "--run_dir" in line
    assert not Path("elsewhere").exists()
    here = ("--trainer.callbacks+=RunRecorder", "--trainer.callbacks.run_dir=run")
    assert main([*RING, *here, "--trainer.max_steps=1", "--run_dir=run"]) == 0
