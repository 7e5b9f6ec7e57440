"""When checkpoints are written, and what a kill, Ctrl-C or a full disk leaves."""

import itertools
import os
import signal
import stat
import subprocess
import sys
import time

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from support import load, mlp_game, points, trainer

from gan_lightning.callbacks import GANCheckpoint, _atomic
from gan_lightning.callbacks import checkpoint as module_under_test
from gan_lightning.families import NonSaturatingGAN


def fit(*callbacks, steps=7, game=None, **kwargs):
    game = game or mlp_game(NonSaturatingGAN, **kwargs)
    t = trainer(max_steps=steps, callbacks=list(callbacks))
    t.fit(game, datamodule=points())
    return game, t


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_every_n_steps_and_at_the_end(tmp_path):
    fit(GANCheckpoint(tmp_path, every_n_steps=3, keep=-1), discriminator_steps=5)
    assert names(tmp_path) == ["last.ckpt", "step=3.ckpt", "step=6.ckpt", "step=7.ckpt"]
    for step in (3, 6, 7):
        saved = load(tmp_path / f"step={step}.ckpt")
        assert (saved["global_step"], saved["gan_lightning"]["discriminator_updates"]) == (
            step,
            5 * step,
        )
    assert load(tmp_path / "last.ckpt")["global_step"] == 7


def test_only_the_newest_are_kept(tmp_path):
    fit(GANCheckpoint(tmp_path, every_n_steps=1, keep=2), steps=11)
    assert names(tmp_path) == ["last.ckpt", "step=10.ckpt", "step=11.ckpt"]


def test_every_n_minutes(tmp_path, monkeypatch):
    clock = itertools.count(0, 25)  # a call of the clock takes 25 seconds
    monkeypatch.setattr(module_under_test.time, "monotonic", lambda: next(clock))
    fit(GANCheckpoint(tmp_path, every_n_steps=10_000, every_n_minutes=1.0, keep=-1))
    assert names(tmp_path)[0] == "last.ckpt"
    assert len(names(tmp_path)) > 3


def test_checkpoints_load_as_weights_only_and_hold_no_metrics(tmp_path):
    game, _ = fit(GANCheckpoint(tmp_path))
    saved = load(tmp_path / "last.ckpt")
    assert set(saved["state_dict"]) == set(game.state_dict())
    roots = {name.split(".")[0] for name in saved["state_dict"]}
    assert roots == {"generator", "discriminator", "generator_ema"}


def test_the_folder_of_another_run_is_refused(tmp_path):
    fit(GANCheckpoint(tmp_path))
    before = (tmp_path / "last.ckpt").read_bytes()
    with pytest.raises(ValueError, match="`directory` must hold no checkpoints of another run"):
        fit(GANCheckpoint(tmp_path))
    assert (tmp_path / "last.ckpt").read_bytes() == before


class Raise(Callback):
    def __init__(self, at, error):
        self.at, self.error = at, error

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if module.discriminator_updates == self.at:
            raise self.error


def test_an_exception_goes_to_crash_and_never_to_last(tmp_path):
    with pytest.raises(ZeroDivisionError):
        fit(GANCheckpoint(tmp_path, every_n_steps=2), Raise(5, ZeroDivisionError()))
    assert names(tmp_path) == ["crash.ckpt", "last.ckpt", "step=2.ckpt", "step=4.ckpt"]
    assert load(tmp_path / "last.ckpt")["global_step"] == 4
    assert load(tmp_path / "crash.ckpt")["global_step"] == 5


class Press(Callback):
    """Ctrl-C in the middle of a step."""

    def __init__(self, at, times=1, number=signal.SIGINT):
        self.at, self.times, self.number, self.ended = at, times, number, []

    def on_before_optimizer_step(self, trainer, module, optimizer):
        if module.discriminator_updates == self.at:
            self.at = -1
            for _ in range(self.times):
                signal.raise_signal(self.number)

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.ended.append(module.discriminator_updates)


@pytest.fixture
def _handler():
    """Lightning leaves SIGINT ignored after an interrupt."""
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_handler")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_end_of_the_step(tmp_path, capfd, number):
    press = Press(at=8, number=number)
    with pytest.raises(SystemExit):
        fit(GANCheckpoint(tmp_path), press, steps=100, discriminator_steps=5)
    assert press.ended[-1] == 9
    saved = load(tmp_path / "last.ckpt")
    assert (saved["gan_lightning"]["discriminator_updates"], saved["global_step"]) == (9, 1)
    assert "Finishing this step and saving" in capfd.readouterr().err
    assert "crash.ckpt" not in names(tmp_path)


@pytest.mark.usefixtures("_handler")
def test_a_second_ctrl_c_stops_at_once(tmp_path):
    press = Press(at=8, times=2)
    with pytest.raises(SystemExit):
        fit(GANCheckpoint(tmp_path, every_n_steps=5), press, steps=100)
    assert press.ended[-1] == 8
    assert load(tmp_path / "last.ckpt")["global_step"] == 5
    assert "crash.ckpt" in names(tmp_path)


def test_ctrl_c_is_given_back(tmp_path):
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(n) for n in numbers]
    fit(GANCheckpoint(tmp_path))
    assert [signal.getsignal(n) for n in numbers] == before


def test_a_full_disk_costs_no_older_checkpoint(tmp_path, monkeypatch):
    """The write fails half way, as torch.save does on a full disk."""
    io = _atomic.AtomicCheckpointIO()
    path = tmp_path / "last.ckpt"
    io.save_checkpoint({"a": torch.ones(3)}, path)

    def fill(checkpoint, file):
        file.write(b"half of it")
        raise RuntimeError("[enforce fail at inline_container.cc] . unexpected pos 64 vs 0")

    monkeypatch.setattr(_atomic.torch, "save", fill)
    with pytest.raises(OSError, match=r"`checkpoint` must fit on the disk .*last.ckpt .* MiB free"):
        io.save_checkpoint({"a": torch.zeros(3)}, path)
    torch.testing.assert_close(load(path)["a"], torch.ones(3))
    assert names(tmp_path) == ["last.ckpt"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
def test_the_systems_own_full_disk_error_has_the_same_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(_atomic, "_beside", lambda path: path.with_name("full"))
    (tmp_path / "full").symlink_to("/dev/full")
    assert stat.S_ISCHR(os.stat(tmp_path / "full").st_mode)
    with pytest.raises(OSError, match="`checkpoint` must fit on the disk"):
        _atomic.AtomicCheckpointIO().save_checkpoint({"a": torch.ones(3)}, tmp_path / "last.ckpt")
    assert not (tmp_path / "last.ckpt").exists()


def test_a_fit_on_a_full_disk_keeps_what_it_had(tmp_path, monkeypatch):
    checkpoint = GANCheckpoint(tmp_path, every_n_steps=2)
    save = torch.save
    calls = itertools.count()

    def fill(obj, file, *args, **kwargs):
        if next(calls) >= 2:
            raise OSError(28, "No space left on device")
        save(obj, file, *args, **kwargs)

    monkeypatch.setattr(_atomic.torch, "save", fill)
    with (
        pytest.raises(OSError, match="`checkpoint` must fit on the disk"),
        pytest.warns(UserWarning, match="No crash.ckpt could be written"),
    ):
        fit(checkpoint)
    assert names(tmp_path) == ["last.ckpt", "step=2.ckpt", "step=4.ckpt"]
    assert load(tmp_path / "last.ckpt")["global_step"] == 4


def test_leftovers_of_a_kill_are_swept(tmp_path):
    (tmp_path / "step=4.ckpt.tmp-123").write_bytes(b"half")
    fit(GANCheckpoint(tmp_path))
    assert not list(tmp_path.glob("*.tmp-*"))


def test_temporary_folder_elsewhere_is_not_used(tmp_path, monkeypatch):
    """Lightning's own way writes to TMPDIR first; ours must not even need one."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    fit(GANCheckpoint(tmp_path / "checkpoints"))
    assert (tmp_path / "checkpoints" / "last.ckpt").exists()


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"every_n_steps": 0}, "`every_n_steps` must be an integer of at least 1, got 0"),
        ({"every_n_minutes": 0}, "`every_n_minutes` must be positive or None, got 0"),
        ({"keep": 0}, "`keep` must be an integer of at least 1, got 0"),
    ],
)
def test_arguments(kwargs, match):
    with pytest.raises(ValueError, match=match):
        GANCheckpoint(**kwargs)


SAVE_FOREVER = """
import sys, torch
from gan_lightning.callbacks._atomic import AtomicCheckpointIO

for n in range(10**6):
    AtomicCheckpointIO().save_checkpoint({"x": torch.full((500_000,), float(n))}, sys.argv[1])
    print(n, flush=True)
"""


@pytest.mark.skipif(
    not os.path.isdir("/dev/shm"), reason="no second file system to point TMPDIR at"
)
@pytest.mark.parametrize("delay", [0.0, 0.01])
def test_kill_9_leaves_no_half_written_file(tmp_path, delay):
    """Also with the temporary folder on another file system, where Lightning's move is a copy."""
    path = tmp_path / "last.ckpt"
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    environment = os.environ | {"TMPDIR": "/dev/shm", "PYTHONPATH": root}
    with subprocess.Popen(
        [sys.executable, "-c", SAVE_FOREVER, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        for line in process.stdout:
            if int(line) == 3:
                break
        time.sleep(delay)  # some way into a later write
        process.kill()
    x = load(path)["x"]
    assert float(x[0]) >= 3
    torch.testing.assert_close(x, x[:1].expand_as(x), rtol=0, atol=0)
