import json
import re
import time
from datetime import datetime, timezone

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import RichProgressBar, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, WandbLogger
from PIL import Image
from support import Rows, mlp_game, points, trainer

from gan_lightning.callbacks import GANCheckpoint, GANProgressBar, RunRecorder
from gan_lightning.callbacks.monitors import announce as announcements
from gan_lightning.callbacks.monitors.announce import announce, begin
from gan_lightning.callbacks.monitors.history import History
from gan_lightning.callbacks.monitors.monitor import AbstractMonitor
from gan_lightning.callbacks.monitors.observer import Observer
from gan_lightning.callbacks.monitors.verdict import Evidence, Finding, Verdict
from gan_lightning.families import NonSaturatingGAN

PICTURE = "verdicts/step_001840_mode_collapse.png"


def verdict(step=1840, kind="mode collapse", **changes):
    evidence = (Evidence("coverage", 0.31, 0.5, False, 0.88, "coverage of the data"),)
    return Verdict(kind, 1600, evidence, 1.0, step=step, **changes)


def tell(fit, verdicts, samples=None, real=None):
    seen = History(40, 5000)
    seen.add(1840, {"coverage": 0.31})
    samples = torch.zeros(4, 3) if samples is None else samples  # nothing to draw on the left
    for one in verdicts:
        announce(fit, mlp_game(NonSaturatingGAN), one, seen, samples, real)


def files(folder):
    return sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())


def recorded(folder, **kwargs):
    """A trainer with a run recorder, at a step."""
    return trainer(max_steps=1, callbacks=[RunRecorder(folder)], **kwargs)


def at(fit, step):
    """Put a trainer to a step without training it."""
    progress = fit.fit_loop.epoch_loop.automatic_optimization.optim_progress
    progress.optimizer.step.total.completed = step
    assert fit.global_step == step
    return fit


def test_a_verdict_is_read_on_stderr(tmp_path, capfd):
    tell(recorded(tmp_path), [verdict(), verdict(2000, recovered=True)])
    out, err = capfd.readouterr()
    assert out == ""
    assert err == f"{verdict()}\n{verdict(2000, recovered=True)}\n"


@pytest.mark.parametrize("bar", [GANProgressBar, TQDMProgressBar, RichProgressBar])
def test_a_disabled_progress_bar_does_not_hide_it(tmp_path, capfd, bar):
    fit = recorded(tmp_path)
    fit.callbacks.append(bar())
    fit.callbacks[-1].disable()
    tell(fit, [verdict()])
    assert str(verdict()) in capfd.readouterr().err


def test_it_stands_above_a_bar(tmp_path, capfd):
    bar = announcements.tqdm(total=3, leave=True, bar_format="{desc}|", desc="the bar")
    tell(recorded(tmp_path), [verdict(2000, recovered=True)])
    bar.close()
    lines = [line.strip() for line in re.split(r"[\r\n]+", capfd.readouterr().err)]
    told = lines.index(str(verdict(2000, recovered=True)))
    assert "the bar|" in lines[:told]
    assert "the bar|" in lines[told + 1 :]


def test_the_file_has_a_line_for_each(tmp_path):
    before = datetime.now(timezone.utc).replace(microsecond=0)
    verdicts = [verdict(), verdict(2000, recovered=True)]
    fit = recorded(tmp_path)
    tell(fit, verdicts)
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert [Verdict.from_dict(event) for event in events] == verdicts
    assert [event["picture"] for event in events] == [PICTURE, None]
    for event in events:
        time = datetime.fromisoformat(event["time"])
        assert before <= time <= datetime.now(timezone.utc)
        assert time.utcoffset().total_seconds() == 0
    assert files(tmp_path) == ["events.jsonl", PICTURE]


def test_the_picture_shows_the_samples_and_the_real_points(tmp_path):
    def grey(real):
        tell(recorded(tmp_path), [verdict()], torch.randn(8, 2), real)
        with Image.open(tmp_path / PICTURE) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        return int((pixels == (0xB8, 0xB8, 0xB8)).all(2).sum())

    assert grey(2 * torch.rand(200, 2) - 1) > 10 * grey(None)


@pytest.mark.parametrize(
    ("kind", "name"), [("divergence", "divergence"), ("D: won/lost..", "D_won_lost")]
)
def test_the_name_of_a_picture(tmp_path, kind, name):
    tell(recorded(tmp_path), [verdict(7, kind)])
    assert files(tmp_path / "verdicts") == [f"step_000007_{name}.png"]


def test_a_trainer_that_leaves_no_files_gets_none(tmp_path):
    fit = trainer(max_steps=1, default_root_dir=tmp_path)
    begin(fit)
    tell(fit, [verdict()])
    assert files(tmp_path) == []


@pytest.mark.parametrize("what", ["logger", "folder", "checkpoint", "recorder"])
def test_where_files_go(tmp_path, what):
    """To the recorder, else beside what a logger writes; a logger may have no folder."""
    csv = CSVLogger(tmp_path / "logs", "name", 3)
    kwargs, folder = {
        "logger": ({"logger": Rows()}, None),
        "folder": ({"logger": [Rows(), csv]}, "logs/name/version_3/"),
        "checkpoint": ({"callbacks": [GANCheckpoint(tmp_path / "checkpoints")]}, None),
        "recorder": ({"callbacks": [RunRecorder(tmp_path / "run")], "logger": csv}, "run/"),
    }[what]
    tell(trainer(max_steps=1, default_root_dir=tmp_path, **kwargs), [verdict()])
    names = [] if folder is None else [f"{folder}events.jsonl", f"{folder}{PICTURE}"]
    assert files(tmp_path) == names


def test_events_of_another_run_are_never_deleted_without_a_recorder(tmp_path):
    for at_step in (1840, 7):
        fit = trainer(max_steps=1, logger=CSVLogger(tmp_path, "", ""), default_root_dir=tmp_path)
        begin(fit)
        tell(fit, [verdict(at_step)])
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1840, 7]
    assert (tmp_path / PICTURE).exists()


def test_other_processes_are_silent(tmp_path, capfd, monkeypatch):
    fit = recorded(tmp_path)
    tell(fit, [verdict()])
    there = files(tmp_path)
    capfd.readouterr()
    monkeypatch.setattr(type(fit), "is_global_zero", False)
    tell(fit, [verdict(3000)])
    begin(fit)
    assert capfd.readouterr().err == ""
    assert files(tmp_path) == there


@pytest.mark.parametrize(
    ("step", "kept"), [(0, []), (1839, []), (1840, [1840]), (2500, [1840, 2000]), (9000, "all")]
)
def test_a_resume_drops_later_verdicts_and_their_pictures(tmp_path, step, kept):
    every = [1840, 2000, 3000]
    kept = every if kept == "all" else kept
    tell(recorded(tmp_path), [verdict(at) for at in every])
    stranger = tmp_path / "verdicts" / "step_009999_mine.png"
    stranger.write_text("mine")
    fit = at(recorded(tmp_path), step)
    begin(fit)
    names = [f"verdicts/step_{at:06d}_mode_collapse.png" for at in kept]
    names += ["verdicts/step_009999_mine.png", *["events.jsonl"] * bool(kept)]
    assert files(tmp_path) == sorted(names)
    assert [e["step"] for e in fit.callbacks[0].run.read_events()] == kept


@pytest.mark.parametrize("name", ["../outside.png", "/outside.png", "run.json", "verdicts/../x", 3])
def test_no_other_file_is_deleted(tmp_path, name):
    run = recorded(tmp_path / "run").callbacks[0].run
    run.path.mkdir()
    for other in (tmp_path / "outside.png", run.run_json, run.path / "x"):
        other.write_text("mine")
    run.events.write_text(json.dumps({"step": 9, "picture": name}) + "\n")
    begin(recorded(run.path))
    assert files(tmp_path) == ["outside.png", "run/run.json", "run/x"]


def test_what_cannot_be_written_is_passed_over_with_one_warning_each(tmp_path):
    (tmp_path / "verdicts").write_text("a file where a folder should be")
    (tmp_path / "events.jsonl").mkdir()
    fit = recorded(tmp_path)
    with pytest.warns(UserWarning, match="go on without") as caught:
        tell(fit, [verdict(), verdict(2000)])
    texts = sorted(str(w.message) for w in caught)
    assert len(texts) == 2
    assert re.match(r"The monitors go on without events\.jsonl in this run: .*Error", texts[0])
    assert re.match(r"The monitors go on without pictures of verdicts in this run:", texts[1])
    with pytest.warns(UserWarning, match=r"without events\.jsonl"):
        begin(fit)  # a new fit tells it anew
    (tmp_path / "events.jsonl").rmdir()
    (tmp_path / "verdicts").unlink()
    tell(fit, [verdict(3000)])
    assert len(files(tmp_path)) == 2


def test_a_broken_file_does_not_end_a_training(tmp_path):
    (tmp_path / "events.jsonl").write_text("no json\n")
    with pytest.warns(UserWarning, match=r"without events\.jsonl .*line 1"):
        begin(recorded(tmp_path))


def test_a_picture_that_fails_costs_the_picture_alone(tmp_path, monkeypatch):
    def fail(*args):
        raise MemoryError("no room")

    monkeypatch.setattr(announcements, "draw_verdict", fail)
    fit = recorded(tmp_path)
    with pytest.warns(UserWarning, match="pictures of verdicts .*no room"):
        tell(fit, [verdict()])
    assert [event["picture"] for event in fit.callbacks[0].run.read_events()] == [None]


class Board:
    """What W&B is sent."""

    id = "abc"

    def __init__(self, fails=False):
        self.alerts, self.fails = [], fails

    def alert(self, **kwargs):
        if self.fails:
            raise ConnectionError("W&B is down")
        self.alerts.append(kwargs)


def board(tmp_path, monkeypatch, **kwargs):
    logger = WandbLogger(save_dir=tmp_path, offline=True)
    logger._experiment = Board(**kwargs)
    images = []
    monkeypatch.setattr(WandbLogger, "experiment", property(lambda self: self._experiment))
    monkeypatch.setattr(logger, "log_image", lambda *args, **kwargs: images.append((args, kwargs)))
    return logger, images


def test_wandb_is_alerted(tmp_path, monkeypatch):
    logger, images = board(tmp_path, monkeypatch)
    fit = at(trainer(max_steps=1, logger=[logger, Rows()], default_root_dir=tmp_path), 1840)
    advised = verdict(advice=("pack " * 40,))
    tell(fit, [advised, verdict(2000, recovered=True), verdict(2500, "long " * 30)])
    first, second, third = logger._experiment.alerts
    assert first == {
        "title": "step 1,840: mode collapse",
        "text": "\n".join(advised.paragraphs),
        "level": "WARN",
    }
    assert (second["title"], second["level"]) == (
        "step 2,000: recovered from mode collapse",
        "INFO",
    )
    assert len(third["title"]) < 64
    assert [args[0] for args, _ in images] == ["verdicts"] * 2
    with Image.open(tmp_path / "lightning_logs" / "abc" / PICTURE) as picture:
        assert images[0][0][1][0].size == picture.size
    assert [kwargs["step"] for _, kwargs in images] == [1840, 1840]
    assert images[0][1]["caption"] == ["mode collapse (since step 1,600)"]


def test_wandb_may_fail(tmp_path, monkeypatch):
    logger, _ = board(tmp_path, monkeypatch, fails=True)
    fit = trainer(max_steps=1, logger=logger, default_root_dir=tmp_path)
    with pytest.warns(UserWarning, match="without W&B alerts .*W&B is down") as caught:
        tell(fit, [verdict(), verdict(2000)])
    assert len(caught) == 1
    assert len(files(tmp_path)) == 3


def test_wandb_itself_takes_it_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    wandb = pytest.importorskip("wandb")
    logger = WandbLogger(save_dir=tmp_path, project="test", offline=True)
    try:
        fit = recorded(tmp_path / "run", logger=logger)
        tell(fit, [verdict(), verdict(2000, recovered=True)])
    finally:
        wandb.finish()
    sent = list(tmp_path.rglob("media/images/verdicts_*.png"))
    assert len(sent) == 1
    stored = b""
    for _ in range(300):  # another process writes it
        stored = b"".join(file.read_bytes() for file in tmp_path.rglob("*.wandb"))
        if b"step 2,000" in stored:
            break
        time.sleep(0.1)
    assert b"step 1,840: mode collapse" in stored
    assert b"step 2,000: recovered from mode collapse" in stored


class Doom(AbstractMonitor):
    """Names a failure at the third look, and no more at the fifth."""

    def judge(self, history):
        looks = len(history)
        return [Finding("oscillation", history.steps[0], (), 1.0)] if looks in (3, 4) else []


def doomed(folder, max_steps):
    doom = Doom(observer=Observer(every_n_steps=2, number=8))
    saver = GANCheckpoint(folder / "checkpoints", every_n_steps=5)
    return trainer(max_steps=max_steps, callbacks=[RunRecorder(folder), saver, doom])


def test_verdicts_after_a_resume_are_those_of_the_uninterrupted_run(tmp_path, capfd):
    fit = doomed(tmp_path, 20)
    fit.fit(mlp_game(NonSaturatingGAN), points())
    assert "step 6  oscillation (since step 2)" in capfd.readouterr().err
    run = fit.callbacks[0].run
    once = run.read_events()
    assert [(e["step"], e["recovered"]) for e in once] == [(6, False), (18, True)]
    assert once[0]["picture"] == "verdicts/step_000006_oscillation.png"
    assert "(now G 0.0002, D 0.0002)" in "".join(once[0]["advice"])
    resumed = doomed(tmp_path, 20)
    resumed.fit(mlp_game(NonSaturatingGAN), points(), ckpt_path=run.checkpoints / "step=10.ckpt")
    again = run.read_events()
    assert again[0] == once[0]
    assert [{**e, "time": ""} for e in again] == [{**e, "time": ""} for e in once]
