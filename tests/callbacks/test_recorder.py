import json
import subprocess

import lightning
import pytest
import torch
import yaml
from lightning.pytorch.callbacks import Callback
from support import LATENT, mlp_game, points, trainer
from torch import nn

import gan_lightning
from gan_lightning.callbacks import GANCheckpoint, RunRecorder, SampleDiversity
from gan_lightning.families import MinimaxGAN, NonSaturatingGAN
from gan_lightning.optim import GANAdam
from gan_lightning.runs import RunDirectory


class StopAt(Callback):
    """Raise an exception after a step."""

    def __init__(self, step, exception):
        self.step, self.exception = step, exception

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == self.step:
            raise self.exception


def recorded(folder, *callbacks, module=None, ckpt_path=None, **kwargs):
    """Fit with a recorder and return the run directory."""
    module = mlp_game(NonSaturatingGAN) if module is None else module
    fit = trainer(callbacks=[RunRecorder(folder), *callbacks], **kwargs)
    fit.fit(module, points(), ckpt_path=ckpt_path)
    return RunDirectory(folder)


def test_every_row_reaches_the_file(tmp_path):
    module = mlp_game(NonSaturatingGAN, discriminator_steps=2)
    run = recorded(tmp_path, SampleDiversity(every_n_steps=2, number=4), module=module, max_steps=5)
    rows = run.read_metrics()
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["images_seen"] for row in rows] == [16, 32, 48, 64, 80]
    seconds = [row["seconds"] for row in rows]
    assert seconds == sorted(seconds)
    assert ["diversity/pairwise" in row for row in rows] == [False, True, False, True, False]
    header = run.metrics.read_text().splitlines()[0].split(",")
    assert header[:3] == ["step", "images_seen", "seconds"]
    assert {"loss/discriminator", "loss/generator", "logits/real"} <= set(header)


def test_run_json_says_what_was_run(tmp_path, monkeypatch):
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    monkeypatch.chdir(checkout)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "init", "-q"], check=True)
    (checkout / "file").write_text("1")
    subprocess.run(["git", "add", "file"], check=True)
    subprocess.run([*git, "commit", "-qm", "first"], check=True)
    (checkout / "file").write_text("2")
    lightning.seed_everything(11, verbose=False)
    module = mlp_game(MinimaxGAN, discriminator_steps=3)
    run = recorded("run", module=module, max_steps=4)
    content = run.read_run()
    assert content["family"] == "MinimaxGAN"
    assert content["class_path"] == "gan_lightning.families.goodfellow.MinimaxGAN"
    assert content["dataset"]["class_path"].endswith("GaussianRing")
    assert (
        content["dataset"]["identity"] == dict(points().identity) | content["dataset"]["identity"]
    )
    assert content["data_facts"] == {"image_shape": [2], "num_classes": points().num_classes}
    assert content["labels_used"] is False
    assert content["seed"] == 11
    assert content["versions"]["torch"] == torch.__version__
    assert content["versions"]["gan_lightning"] == gan_lightning.__version__
    assert content["device"] == "cpu"
    assert content["world_size"] == 1
    assert content["precision"] == "32-true"
    assert len(content["git"]["commit"]) == 40
    assert content["git"]["dirty"] is True
    assert content["outcome"] == "finished"
    assert content["steps"] == 4
    assert content["discriminator_updates"] == 12
    assert content["images_seen"] == 96
    assert content["start"].endswith("+00:00")
    last = run.read_metrics()[-1]
    assert content["scores"]["last"]["loss/generator"] == pytest.approx(last["loss/generator"])
    assert str(tmp_path) not in run.run_json.read_text()


def test_outside_a_checkout_there_is_no_git_state(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert recorded("run", max_steps=1).read_run()["git"] is None


@pytest.mark.parametrize(
    ("exception", "raised", "outcome"),
    [
        (RuntimeError("broken"), RuntimeError, "failed: RuntimeError"),
        (KeyboardInterrupt(), SystemExit, "interrupted"),
    ],
)
def test_how_it_ended(tmp_path, exception, raised, outcome):
    with pytest.raises(raised, match=r"broken|1"):
        recorded(tmp_path, StopAt(3, exception), max_steps=9)
    content = RunDirectory(tmp_path).read_run()
    assert content["outcome"] == outcome
    assert content["steps"] == 3


def test_while_it_runs(tmp_path):
    class Look(Callback):
        def on_train_start(self, trainer, pl_module):
            self.seen = RunDirectory(tmp_path).read_run()["outcome"]

    look = Look()
    recorded(tmp_path, look, max_steps=1)
    assert look.seen == "running"


def test_a_resume_goes_on_with_the_file(tmp_path):
    whole = recorded(tmp_path / "whole", max_steps=7).read_metrics()
    checkpoint = GANCheckpoint(every_n_steps=4, every_n_minutes=None)
    with pytest.raises(RuntimeError, match="broken"):
        recorded(tmp_path / "run", checkpoint, StopAt(6, RuntimeError("broken")), max_steps=9)
    run = RunDirectory(tmp_path / "run")
    before = run.read_run()
    assert run.read_metrics()[-1]["step"] == 6
    recorded(
        tmp_path / "run",
        module=mlp_game(NonSaturatingGAN, seed=9),
        max_steps=7,
        ckpt_path=run.checkpoints / "step=4.ckpt",
    )
    rows = run.read_metrics()
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    for row, expected in zip(rows, whole, strict=True):
        assert row.pop("seconds") >= 0
        expected.pop("seconds")
        assert row == expected  # bit for bit
    after = run.read_run()
    assert after["start"] == before["start"]
    assert after["outcome"] == "finished"


def test_seconds_add_up_over_resumes(tmp_path):
    recorded(tmp_path, GANCheckpoint(every_n_steps=2), max_steps=2)
    file = tmp_path / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(file, weights_only=True)
    (key,) = (k for k in checkpoint["callbacks"] if "RunRecorder" in k)
    checkpoint["callbacks"][key]["seconds"] = 1000.0
    torch.save(checkpoint, file)
    run = recorded(tmp_path, max_steps=4, ckpt_path=file)
    rows = run.read_metrics()
    assert rows[1]["seconds"] < 1000 <= rows[2]["seconds"] <= rows[3]["seconds"]
    assert run.read_run()["seconds"] >= rows[3]["seconds"]


def test_another_run_in_the_folder_is_refused(tmp_path):
    run = recorded(tmp_path, max_steps=2)
    before = {file: file.read_bytes() for file in (run.run_json, run.metrics, run.config)}
    with pytest.raises(
        ValueError, match="`run_dir` must not hold a run already unless it is resumed"
    ):
        recorded(tmp_path, max_steps=2)
    assert {file: file.read_bytes() for file in before} == before


def test_what_the_first_process_has_written_already_is_not_another_run(tmp_path):
    class FirstProcess(Callback):
        def on_train_start(self, trainer, pl_module):
            RunDirectory(tmp_path).write_run({"start": "now"})

    fit = trainer(callbacks=[FirstProcess(), RunRecorder(tmp_path)], max_steps=1)
    fit.fit(mlp_game(NonSaturatingGAN), points())
    assert RunDirectory(tmp_path).read_run()["outcome"] == "finished"


def test_resuming_into_another_run_is_refused(tmp_path):
    checkpoint = GANCheckpoint(every_n_steps=2)
    recorded(tmp_path / "a", checkpoint, max_steps=2)
    run = recorded(tmp_path / "b", max_steps=3)
    before = run.metrics.read_bytes()
    with pytest.raises(ValueError, match="must hold the run that is resumed"):
        recorded(tmp_path / "b", max_steps=4, ckpt_path=tmp_path / "a/checkpoints/last.ckpt")
    assert run.metrics.read_bytes() == before
    assert run.read_run()["outcome"] == "finished"


def test_a_second_fit_of_the_same_trainer_goes_on(tmp_path):
    module = mlp_game(NonSaturatingGAN)
    fit = trainer(callbacks=[RunRecorder(tmp_path)], max_steps=2)
    fit.fit(module, points())
    fit.fit_loop.epoch_loop.max_steps = 4
    fit.fit(module, points())
    assert [row["step"] for row in RunDirectory(tmp_path).read_metrics()] == [1, 2, 3, 4]
    assert len(fit.loggers) == 1


def test_the_best_scores(tmp_path):
    recorder = RunRecorder(tmp_path)

    class Score(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            fid = [9.0, 5.0, float("nan"), 7.0][trainer.global_step - 1]
            recorder.record_score("fid", fid, higher_is_better=False, protocol="10k samples")
            recorder.record_score("modes", fid, higher_is_better=True)

    trainer(callbacks=[recorder, Score()], max_steps=4).fit(mlp_game(NonSaturatingGAN), points())
    scores = RunDirectory(tmp_path).read_run()["scores"]
    assert scores["best"]["fid"] == {"value": 5.0, "step": 2, "protocol": "10k samples"}
    assert scores["best"]["modes"]["step"] == 1
    assert scores["last"]["fid"] == 7.0


def test_a_python_run_gets_a_config(tmp_path):
    module = mlp_game(
        NonSaturatingGAN,
        real_target=0.9,
        discriminator_steps=2,
        generator_optimizer=GANAdam,
        discriminator_optimizer=lambda params: GANAdam(params, lr=1e-4),
    )
    config = recorded(tmp_path, module=module, max_steps=1).read_config()
    args = config["model"]["init_args"]
    assert config["model"]["class_path"] == "gan_lightning.families.goodfellow.NonSaturatingGAN"
    assert args["real_target"] == 0.9
    assert args["discriminator_steps"] == 2
    assert args["latent_dim"] == LATENT
    assert args["generator_optimizer"] == {"class_path": "gan_lightning.optim.adam.GANAdam"}
    assert args["generator"]["class_path"] == "gan_lightning.networks.MLPGenerator"
    assert args["generator"]["init_args"]["image_shape"] == [2]
    assert config["not_recorded"] == {"discriminator_optimizer": "builtins.function"}


def test_foreign_networks_are_named(tmp_path):
    module = NonSaturatingGAN(nn.Linear(3, 2), nn.Linear(2, 1), 3)
    config = recorded(tmp_path, module=module, max_steps=1).read_config()
    assert "generator" not in config["model"]["init_args"]
    assert config["not_recorded"] == {
        "generator": "torch.nn.modules.linear.Linear",
        "discriminator": "torch.nn.modules.linear.Linear",
    }


def test_a_config_that_is_there_stays(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"mine": 1}))
    assert recorded(tmp_path, max_steps=1).read_config() == {"mine": 1}


def test_no_file_is_left_half_written(tmp_path):
    run = recorded(tmp_path, GANCheckpoint(every_n_steps=1), max_steps=3)
    assert not list(tmp_path.rglob("*.tmp-*"))
    json.loads(run.run_json.read_text())


def test_rows_before_training_are_not_written(tmp_path):
    recorder = RunRecorder(tmp_path)
    recorder.add_row({"a": 1.0})
    assert not (tmp_path / "metrics.csv").exists()
