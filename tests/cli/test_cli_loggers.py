"""W&B and TensorBoard by one line each."""

import sys
from pathlib import Path

import pytest
import yaml
from jsonargparse import Namespace

from gan_lightning._cli import loggers
from gan_lightning.cli import main
from gan_lightning.runs import RunDirectory

RING = (
    "fit",
    "--config",
    "ring/non_saturating",
    "--trainer.accelerator=cpu",
    "--trainer.enable_model_summary=false",
    "--trainer.log_every_n_steps=1",
    "--data.samples=512",
    "--data.batch_size=32",
    "--model.generator.width=8",
    "--model.discriminator.width=8",
    "--run_dir=run",
)


@pytest.fixture(autouse=True)
def _no_key(monkeypatch, tmp_path):
    """A user without a key, whatever the tester has; W&B itself stays offline."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in (
        "WANDB_API_KEY",
        "WANDB_IDENTITY_TOKEN_FILE",
        "WANDB_BASE_URL",
        "WANDB_CONFIG_DIR",
        "NETRC",
    ):
        monkeypatch.delenv(name, raising=False)


def wandb_args(**changes) -> Namespace:
    args = {"save_dir": "", "offline": None, "id": None, "version": None, "name": None}
    return Namespace(
        class_path="lightning.pytorch.loggers.WandbLogger", init_args=Namespace(**args | changes)
    )


def test_wandb_run_is_offline_without_a_key_and_goes_on(monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_MODE", "offline")  # what Lightning sets; undone after the test
    assert main([*RING, "--trainer.max_steps=2", "--trainer.logger=WandbLogger"]) == 0
    (first,) = Path("run/wandb").glob("offline-run-*")
    run_id = RunDirectory("run").read_run()["wandb_id"]
    assert first.name.endswith(f"-{run_id}")
    config = yaml.safe_load(Path("run/config.yaml").read_text())
    written = config["trainer"]["logger"]["init_args"]
    assert not {"offline", "save_dir"} & set(written)  # decided anew when it is run again
    assert written["id"] is None
    monkeypatch.setattr(loggers.secrets, "token_hex", lambda _: "another1")
    assert main(["fit", "--resume", "run", "--trainer.max_steps=3"]) == 0
    ids = {folder.name.rsplit("-", 1)[1] for folder in Path("run/wandb").glob("offline-run-*")}
    assert ids == {run_id}
    assert RunDirectory("run").read_run()["wandb_id"] == run_id


def test_online_without_a_key_is_refused_before_anything_is_built(capsys):
    args = ("--trainer.max_steps=2", "--trainer.logger=WandbLogger")
    status = main([*RING, *args, "--trainer.logger.offline=false", "--data.modes=-1"])
    assert status == 1
    assert "without a W&B key" in capsys.readouterr().err.splitlines()[-1]
    assert not Path("run").exists()


@pytest.mark.parametrize("mode", ["online", "run"])
def test_online_by_the_environment_without_a_key_is_refused_too(capsys, monkeypatch, mode):
    monkeypatch.setenv("WANDB_MODE", mode)
    args = ("--trainer.max_steps=2", "--trainer.logger=WandbLogger", "--data.modes=-1")
    assert main([*RING, *args]) == 1
    expected = f"error: WANDB_MODE must not be {mode} without a W&B key, got no key in"
    assert expected in capsys.readouterr().err.splitlines()[-1]
    assert not Path("run").exists()


def test_a_logger_without_arguments():
    assert main([*RING, "--trainer.max_steps=1", "--trainer.logger=DummyLogger"]) == 0


@pytest.mark.parametrize(
    ("key", "mode", "asked", "offline"),
    [
        (False, None, None, True),
        (True, None, None, False),
        (True, None, True, True),
        (True, None, False, False),
        (True, "online", None, False),
        (False, "online", True, True),
        (False, "", None, True),
        (False, "offline", None, False),  # W&B itself obeys WANDB_MODE
        (False, "offline", False, False),
        (False, "disabled", None, False),
    ],
)
def test_when_wandb_is_offline(monkeypatch, tmp_path, key, mode, asked, offline):
    monkeypatch.setattr(loggers, "has_wandb_key", lambda: key)
    if mode is not None:
        monkeypatch.setenv("WANDB_MODE", mode)
    spec = wandb_args(offline=asked)
    loggers.prepare(spec, RunDirectory(tmp_path / "runs" / "now"), resumed=False)
    assert spec.init_args.offline is offline
    assert spec.init_args.save_dir == str(tmp_path / "runs" / "now")
    assert spec.init_args.name == "runs/now"
    assert len(spec.init_args.id) == 8


def test_given_ids_and_folders_stay(tmp_path):
    spec = wandb_args(offline=True, id="mine", save_dir="elsewhere", name="me")
    loggers.prepare([spec], RunDirectory(tmp_path), resumed=False)
    args = spec.init_args
    assert (args.id, args.save_dir, args.name) == ("mine", "elsewhere", "me")


def test_where_a_key_is_found(monkeypatch, tmp_path):
    assert not loggers.has_wandb_key()
    netrc = tmp_path / "home" / ".netrc"
    netrc.write_text("machine other.host login user password secret\n")
    assert not loggers.has_wandb_key()
    netrc.write_text("machine api.wandb.ai login user password secret\n")
    assert loggers.has_wandb_key()
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.mine.org")
    assert not loggers.has_wandb_key()
    netrc.write_text("not a netrc file {\n")
    assert not loggers.has_wandb_key()
    settings = tmp_path / "settings_folder"
    settings.mkdir()
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(settings))
    (settings / "settings").write_text("[default]\napi_key = secret\n")
    assert loggers.has_wandb_key()
    (settings / "settings").write_text("no section\n")
    assert not loggers.has_wandb_key()
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    assert loggers.has_wandb_key()


def test_tensorboard_by_one_line_and_one_curve_after_a_resume():
    assert main([*RING, "--trainer.max_steps=2", "--trainer.logger=TensorBoardLogger"]) == 0
    assert main(["fit", "--resume", "run", "--trainer.max_steps=4"]) == 0
    assert len(list(Path("run/tensorboard").glob("events.*"))) == 2
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator("run/tensorboard")
    events.Reload()
    assert [e.step for e in events.Scalars("loss/generator")] == [1, 2, 3, 4]
    assert [row["step"] for row in RunDirectory("run").read_metrics()] == [1, 2, 3, 4]


def test_wandb_is_not_imported_for_other_runs(finished):
    assert finished.is_dir()
    monkey = sys.modules.get("wandb")
    assert monkey is None or monkey.run is None
    loggers.finish_wandb()
