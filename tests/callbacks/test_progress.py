import io
import os
import re
import sys

import lightning
import pytest
from support import mlp_game, points, trainer

from gan_lightning.callbacks import GANProgressBar, progress
from gan_lightning.callbacks.progress import total_steps
from gan_lightning.families import NonSaturatingGAN

TTY = 10_000  # no file has this number


class Terminal(io.StringIO):
    def isatty(self):
        return True

    def fileno(self):
        return TTY


@pytest.fixture(autouse=True)
def _width(monkeypatch):
    """The terminal above has 100 columns; other files are asked."""
    ask = os.get_terminal_size

    def size(fd=1):
        return os.terminal_size((100, 24)) if fd == TTY else ask(fd)

    monkeypatch.setattr(progress.os, "get_terminal_size", size)


def fit(monkeypatch, stream, *, k=1, ckpt_path=None, **kwargs):
    """What a fit writes to stderr."""
    monkeypatch.setattr(sys, "stderr", stream)
    trained = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        callbacks=[GANProgressBar()],
        **{"max_epochs": -1, **kwargs},
    )
    trained.fit(mlp_game(NonSaturatingGAN, discriminator_steps=k), points(), ckpt_path=ckpt_path)
    return stream.getvalue(), trained


def lines(text):
    return [line for line in text.splitlines() if line.startswith("step ")]


def test_plain_lines_every_tenth(monkeypatch):
    monkeypatch.setattr(progress, "_REFRESH", 0.0)
    text, _ = fit(monkeypatch, io.StringIO(), max_steps=40)
    shown = [int(re.match(r"step (\d+)/40 \(", line)[1]) for line in lines(text)]
    assert shown == list(range(4, 44, 4))
    assert re.fullmatch(
        r"step 40/40 \(100 %\), [\d,]+ images/s, 0:00:00 left, loss D \d\.\d{3}, loss G \d\.\d{3}",
        lines(text)[-1],
    )
    assert "\r" not in text
    assert "\x1b" not in text


def test_a_terminal_gets_a_bar_in_steps(monkeypatch):
    monkeypatch.setattr(progress, "_REFRESH", 0.0)
    text, _ = fit(monkeypatch, Terminal(), k=5, max_steps=6)
    assert "Training" in text
    counts = [int(n) for n in re.findall(r"(\d+)/6 ", text)]
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2, 3, 4, 5, 6}
    assert re.search(r"\| [\d,]+ images/s, ", text)
    assert not re.search(r"\|\s*,", text)
    assert "Epoch" not in text
    assert not lines(text)


def test_a_resume_begins_where_the_run_was(monkeypatch, tmp_path):
    first = trainer(max_steps=6)
    first.fit(mlp_game(NonSaturatingGAN), points())
    first.save_checkpoint(tmp_path / "a.ckpt")
    monkeypatch.setattr(progress, "_REFRESH", 0.0)
    text, _ = fit(monkeypatch, Terminal(), max_steps=10, ckpt_path=tmp_path / "a.ckpt")
    counts = [int(n) for n in re.findall(r"(\d+)/10 ", text)]
    assert min(counts) == 6
    assert max(counts) == 10


def test_without_a_total_it_counts(monkeypatch):
    monkeypatch.setattr(progress, "_REFRESH", 0.0)
    text, trained = fit(monkeypatch, io.StringIO(), max_time={"seconds": 1})
    assert f"step {trained.global_step} (100 %)" in lines(text)[-1]
    assert len(lines(text)) <= 11
    assert all(re.match(r"step \d+ \(\d+ %\), [\d,]+ images/s, ", line) for line in lines(text))
    text, _ = fit(monkeypatch, Terminal(), max_time={"seconds": 1})
    assert re.search(r"Training \d+ \| [\d,]+ images/s, ", text)
    assert "left" in text


@pytest.mark.parametrize(
    ("kwargs", "k", "expected"),
    [
        ({"max_steps": 7}, 5, 7),
        ({"max_epochs": 3}, 1, 33),
        ({"max_epochs": 3}, 5, 6),  # floor(33 / 5)
        ({"max_epochs": 2, "max_steps": 100}, 5, 4),
        ({"max_epochs": 2, "max_steps": 3}, 5, 3),
    ],
)
def test_the_total_is_where_the_fit_ends(monkeypatch, kwargs, k, expected):
    _, trained = fit(monkeypatch, io.StringIO(), k=k, **kwargs)
    assert total_steps(trained, trained.lightning_module) == expected == trained.global_step


def test_drawing_is_rare(monkeypatch):
    monkeypatch.setattr(progress, "_REFRESH", 1e9)
    text, _ = fit(monkeypatch, Terminal(), max_steps=30)
    assert len(set(re.findall(r"(\d+)/30 ", text))) <= 3  # the beginning, the first step, the end


def test_disabled_it_shows_nothing(monkeypatch):
    bar = GANProgressBar()
    bar.disable()
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    bar.print("hidden")
    assert stream.getvalue() == ""
    bar.enable()
    bar.print("a", 1, sep="-")
    assert stream.getvalue() == "a-1\n"


class WithoutFile(Terminal):
    def fileno(self):
        raise io.UnsupportedOperation("fileno")


def test_a_terminal_without_a_width_gets_plain_lines(monkeypatch):
    pty = pytest.importorskip("pty")
    monkeypatch.setattr(progress, "_REFRESH", 0.0)
    ends = pty.openpty()  # 0 columns until somebody says otherwise
    try:
        stream = Terminal()
        monkeypatch.setattr(stream, "fileno", lambda: ends[1])
        text, _ = fit(monkeypatch, stream, max_steps=10)
    finally:
        for end in ends:
            os.close(end)
    assert len(lines(text)) == 10
    assert "\r" not in text
    text, _ = fit(monkeypatch, WithoutFile(), max_steps=10)
    assert len(lines(text)) == 10
