"""N steps and N more after a resume are 2 N steps, bit for bit."""

import os
import signal
import subprocess
import sys
import textwrap
from contextlib import nullcontext

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins import MixedPrecision
from PIL import Image
from support import LATENT, differences, load, mlp_game, points, state_of, trainer
from torch import nn

from gan_lightning import networks
from gan_lightning.callbacks import GANCheckpoint
from gan_lightning.data import GaussianGrid, ImageFolder
from gan_lightning.families import MinimaxGAN, NonSaturatingGAN
from gan_lightning.regularizers import R1


class EveryBatch(GANCheckpoint):
    """Saves after every discriminator update, under its number."""

    def on_train_batch_end(self, trainer, module, *args):
        trainer.save_checkpoint(self._folder / f"update={module.discriminator_updates}.ckpt")

    def on_train_end(self, trainer, module):
        trainer.save_checkpoint(self._folder / "end.ckpt")


def noisy_game(seed=0, **kwargs):
    """Batch norm, dropout, schedules, momentum: everything that has a state."""
    torch.manual_seed(seed)
    generator = nn.Sequential(
        nn.Linear(LATENT, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2)
    )
    discriminator = nn.Sequential(
        nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(16, 1)
    )

    def schedule(optimizer):
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)

    arguments = {
        "generator_scheduler": schedule,
        "discriminator_scheduler": schedule,
        "ema_halflife": 64.0,
        "clip_discriminator": 0.5,
    }
    return NonSaturatingGAN(generator, discriminator, LATENT, **(arguments | kwargs))


def sgd(params):
    return torch.optim.SGD(params, lr=0.01, momentum=0.9)


CASES = {
    "k1": {},
    "k5": {"discriminator_steps": 5},
    "k3 simultaneous": {"discriminator_steps": 3, "updates": "simultaneous"},
    "micro-batches": {"micro_batches": 2},
    "R1, SGD with momentum": {"regularizers": [R1(0.1)], "discriminator_optimizer": sgd},
}
LIMITS = {
    "steps": lambda k: {"max_steps": 33 // k},
    "epochs": lambda k: {"max_epochs": 3},
    "both": lambda k: {"max_steps": 33 // k, "max_epochs": 3},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("limit", LIMITS)
def test_resume_is_bit_exact(tmp_path, case, limit):
    k = CASES[case].get("discriminator_steps", 1)
    limits = LIMITS[limit](k)
    straight = noisy_game(**CASES[case])
    trainer(callbacks=[EveryBatch(tmp_path)], **limits).fit(straight, datamodule=points())
    end = load(tmp_path / "end.ckpt")
    # Mid-epoch, mid-phase, the last batch of an epoch (11, 22) and the first of the next one.
    for update in (1, 7, 10, 11, 12, 22, 29):
        if update >= straight.discriminator_updates:
            continue
        resumed = noisy_game(seed=1, **CASES[case])
        torch.rand(update)  # the global random numbers are elsewhere
        folder = tmp_path / f"from-{update}"
        t = trainer(callbacks=[EveryBatch(folder)], **limits)
        t.fit(
            resumed,
            datamodule=points(),
            ckpt_path=tmp_path / f"update={update}.ckpt",
            weights_only=True,
        )
        assert differences(state_of(end), state_of(load(folder / "end.ckpt"))) == [], update


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("first", [{"max_steps": 1}, {"max_epochs": 1}, {"max_epochs": 2}, "stop"])
@pytest.mark.parametrize("limit", LIMITS)
def test_going_on_from_the_last_checkpoint_of_a_finished_run(tmp_path, k, first, limit):
    """Whatever ended the first leg, the second ends where the straight run does."""
    limits = LIMITS[limit](k)
    straight = noisy_game(discriminator_steps=k)
    trainer(callbacks=[EveryBatch(tmp_path / "straight")], **limits).fit(straight, points())

    class Stop(Callback):
        def on_train_batch_end(self, trainer, module, *args):
            trainer.should_stop = module.discriminator_updates >= 7

    leg = (
        {"max_steps": 100, "callbacks": [Stop()]} if first == "stop" else {"callbacks": [], **first}
    )
    leg["callbacks"] = [*leg["callbacks"], GANCheckpoint(tmp_path / "leg")]
    trainer(min_epochs=0, **leg).fit(noisy_game(discriminator_steps=k), datamodule=points())
    t = trainer(callbacks=[EveryBatch(tmp_path / "resumed")], **limits)
    resumed = noisy_game(seed=1, discriminator_steps=k)
    last = tmp_path / "leg" / "last.ckpt"
    t.fit(resumed, datamodule=points(), ckpt_path=last, weights_only=True)
    assert resumed.discriminator_updates == straight.discriminator_updates
    ends = [load(tmp_path / run / "end.ckpt") for run in ("straight", "resumed")]
    assert differences(*(state_of(end) for end in ends)) == []


def test_resume_is_bit_exact_with_an_fp16_scaler(tmp_path):
    def scaler():
        return MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", growth_interval=4))

    kwargs = {"discriminator_steps": 3, "updates": "simultaneous"}
    first = EveryBatch(tmp_path / "straight")
    trainer(callbacks=[first], plugins=[scaler()], max_steps=8).fit(
        noisy_game(**kwargs), datamodule=points()
    )
    again = EveryBatch(tmp_path / "resumed")
    trainer(callbacks=[again], plugins=[scaler()], max_steps=8).fit(
        noisy_game(seed=1, **kwargs),
        datamodule=points(),
        ckpt_path=tmp_path / "straight" / "update=13.ckpt",
        weights_only=True,
    )
    ends = [load(tmp_path / run / "end.ckpt") for run in ("straight", "resumed")]
    assert "MixedPrecision" in ends[0]
    assert differences(*(state_of(e) for e in ends)) == []


@pytest.mark.parametrize(
    ("game", "data", "seed", "match"),
    [
        (
            lambda: mlp_game(MinimaxGAN),
            points,
            0,
            "`checkpoint` must be of the family MinimaxGAN but it is of NonSat",
        ),
        (
            lambda: mlp_game(NonSaturatingGAN),
            lambda: points(batches=12),
            0,
            r"`(data|samples)` must be .*91.* but got .*99",
        ),
        (
            lambda: mlp_game(NonSaturatingGAN),
            lambda: GaussianGrid(samples=91, batch_size=8),
            0,
            r"`data` must be 'GaussianRing\(.*but got 'GaussianGrid",
        ),
        (lambda: mlp_game(NonSaturatingGAN), points, 3, "`run_seed` must be 0 .* but got 3"),
        (
            lambda: mlp_game(NonSaturatingGAN, discriminator_steps=2),
            points,
            0,
            "`discriminator_steps` must be 1",
        ),
    ],
    ids=["family", "samples", "data set", "seed", "schedule"],
)
def test_resuming_another_run_is_refused(tmp_path, game, data, seed, match):
    t = trainer(max_steps=2, callbacks=[GANCheckpoint(tmp_path)])
    t.fit(mlp_game(NonSaturatingGAN), datamodule=points())
    before = (tmp_path / "last.ckpt").read_bytes()
    if seed:
        lightning.seed_everything(seed, verbose=False)
    with pytest.raises(ValueError, match=match):
        trainer(max_steps=4, callbacks=[GANCheckpoint(tmp_path)]).fit(
            game(), datamodule=data(), ckpt_path=tmp_path / "last.ckpt", weights_only=True
        )
    assert (tmp_path / "last.ckpt").read_bytes() == before


def test_another_batch_size_is_refused(tmp_path):
    t = trainer(max_steps=2, callbacks=[GANCheckpoint(tmp_path)])
    data = points()
    t.fit(mlp_game(NonSaturatingGAN), datamodule=data)
    other = points()
    other.batch_size = 4
    with pytest.raises(ValueError, match=r"`global_batch` must be 8 .* but got 4"):
        trainer(max_steps=4, callbacks=[GANCheckpoint(tmp_path)]).fit(
            mlp_game(NonSaturatingGAN),
            datamodule=other,
            ckpt_path=tmp_path / "last.ckpt",
            weights_only=True,
        )


def test_a_foreign_checkpoint_is_refused(tmp_path):
    game = mlp_game(NonSaturatingGAN)
    with pytest.raises(
        ValueError, match="family NonSaturatingGAN but it is of none of gan_lightning's"
    ):
        game.on_load_checkpoint({"state_dict": {}})


@pytest.mark.parametrize(
    ("game", "match"),
    [
        (
            lambda: noisy_game(ema_halflife=None),
            r"first in `generator_ema\.0\.weight`: shape \(16, 4\) in the checkpoint, nothing here",
        ),
        (
            lambda: mlp_game(NonSaturatingGAN),
            r"first in `generator\.body\..*`: nothing in the checkpoint, shape \(.*\) here\.$",
        ),
    ],
    ids=["more", "other names"],
)
def test_weights_of_other_networks_are_refused(tmp_path, game, match):
    t = trainer(max_steps=2, callbacks=[GANCheckpoint(tmp_path)])
    t.fit(noisy_game(), datamodule=points())
    with pytest.raises(ValueError, match=f"^`checkpoint` must hold the weights .*{match}"):
        trainer(max_steps=4).fit(
            game(), datamodule=points(), ckpt_path=tmp_path / "last.ckpt", weights_only=True
        )


def test_a_damaged_checkpoint_is_refused_in_one_sentence(tmp_path):
    t = trainer(max_steps=2, callbacks=[GANCheckpoint(tmp_path, every_n_steps=1)])
    t.fit(noisy_game(), datamodule=points())
    last = tmp_path / "last.ckpt"
    last.write_bytes(last.read_bytes()[:500])
    wanted = r"^`ckpt_path` must be a file .*last\.ckpt' .*, for `ckpt_path`, is .*step=1\.ckpt'\.$"
    with pytest.raises(ValueError, match=wanted):
        trainer(max_steps=4, callbacks=[GANCheckpoint(tmp_path)]).fit(
            noisy_game(), datamodule=points(), ckpt_path=last, weights_only=True
        )


@pytest.mark.parametrize("ours", [True, False])
def test_another_folder_of_images_is_refused(tmp_path, ours):
    def folder(name, shade):
        (tmp_path / name).mkdir()
        for number in range(4):
            pixels = np.random.default_rng(number).integers(0, shade, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
        return ImageFolder(tmp_path / name, image_size=8, batch_size=2)

    def game():
        torch.manual_seed(0)
        return NonSaturatingGAN(*networks.mlp((3, 8, 8), 4, width=8, depth=2), 4)

    checkpoint = tmp_path / "checkpoints"
    first = folder("first", 256)
    trainer(max_steps=2, callbacks=[GANCheckpoint(checkpoint)]).fit(game(), datamodule=first)
    data = ImageFolder(tmp_path / "first", 8, 2) if ours else folder("second", 3)
    expected = (
        nullcontext()
        if ours
        else pytest.raises(ValueError, match=r"`data` must be .*files=.* but got .*files=")
    )
    with expected:
        trainer(max_steps=4).fit(
            game(), datamodule=data, ckpt_path=checkpoint / "last.ckpt", weights_only=True
        )


SCRIPT = textwrap.dedent(
    """
    import sys
    sys.path.insert(0, {tests!r})
    from support import load, points, trainer
    from test_resume import noisy_game
    from gan_lightning.callbacks import GANCheckpoint
    from lightning.pytorch.callbacks import Callback
    import time

    class Slow(Callback):
        def on_train_batch_end(self, trainer, module, *args):
            print(module.discriminator_updates, flush=True)
            time.sleep(0.01)

    if __name__ == "__main__":
        t = trainer(max_steps=12, callbacks=[GANCheckpoint({folder!r}, every_n_steps=2), Slow()])
        t.fit(noisy_game(discriminator_steps=5), datamodule=points())
    """
)


def start(tmp_path, folder):
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    script = tmp_path / "run.py"
    script.write_text(SCRIPT.format(tests=tests, folder=str(folder)))
    path = os.pathsep.join([os.path.dirname(tests), tests, os.path.join(tests, "families")])
    return subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )


def wait_for_update(process, update):
    for line in process.stdout:
        if line.strip().isdigit() and int(line) >= update:
            return
    raise AssertionError(process.stderr.read())


def finish(folder, ckpt):
    game = noisy_game(seed=1, discriminator_steps=5)
    t = trainer(max_steps=12, callbacks=[EveryBatch(folder)])
    t.fit(game, datamodule=points(), ckpt_path=ckpt, weights_only=True)
    return state_of(load(folder / "end.ckpt"))


def test_resume_after_kill_9_ctrl_c_and_sigterm(tmp_path):
    t = trainer(max_steps=12, callbacks=[EveryBatch(tmp_path / "straight")])
    t.fit(noisy_game(discriminator_steps=5), datamodule=points())
    end = state_of(load(tmp_path / "straight" / "end.ckpt"))

    with start(tmp_path, tmp_path / "killed") as killed:
        wait_for_update(killed, 28)
        killed.kill()
    last = load(tmp_path / "killed" / "last.ckpt")
    assert last["gan_lightning"]["discriminator_updates"] >= 20
    assert (
        differences(end, finish(tmp_path / "after-kill", tmp_path / "killed" / "last.ckpt")) == []
    )

    for number in (signal.SIGINT, signal.SIGTERM):
        folder = tmp_path / f"stopped-{number}"
        with start(tmp_path, folder) as stopped:
            wait_for_update(stopped, 13)
            stopped.send_signal(number)
            _, stderr = stopped.communicate(timeout=60)
        assert "Finishing this step and saving" in stderr
        assert stopped.returncode == 1
        last = load(folder / "last.ckpt")
        assert 13 <= last["gan_lightning"]["discriminator_updates"] <= 30
        assert differences(end, finish(tmp_path / f"after-{number}", folder / "last.ckpt")) == []
