import re

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from PIL import Image
from support import Repeated, mlp_game, points, trainer

from gan_lightning import networks
from gan_lightning.callbacks import RunRecorder, SampleLogger
from gan_lightning.callbacks._film import save_film
from gan_lightning.callbacks._grid import make_grid
from gan_lightning.callbacks._scatter import half_width
from gan_lightning.families import AbstractAlternatingGAN, NonSaturatingGAN, Objective
from gan_lightning.losses import goodfellow as losses


def image_game(channels=1, **kwargs):
    torch.manual_seed(0)
    generator, discriminator = networks.mlp((channels, 8, 8), 4, width=8, depth=2)
    return NonSaturatingGAN(generator, discriminator, 4, **kwargs)


def images(channels=1):
    return Repeated(torch.zeros(4, channels, 8, 8))


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def pixels(file):
    with Image.open(file) as picture:
        return np.asarray(picture)


def test_pictures_before_during_and_at_the_end(tmp_path):
    module = image_game(discriminator_steps=2)
    untrained = make_grid(module.sample(6, seed=3), 3)[0].numpy()
    logger = SampleLogger(every_n_steps=2, number=6, seed=3, directory=tmp_path, nrow=3)
    trainer(max_steps=5, callbacks=[logger]).fit(module, images())
    assert names(tmp_path) == [
        *(f"step_{step:06d}.png" for step in (0, 2, 4, 5)),
        "training.gif",
    ]
    np.testing.assert_array_equal(pixels(tmp_path / "step_000000.png"), untrained)
    trained = make_grid(module.sample(6, seed=3), 3)[0].numpy()
    np.testing.assert_array_equal(pixels(tmp_path / "step_000005.png"), trained)
    with Image.open(tmp_path / "training.gif") as film:
        assert film.n_frames == 4


def test_a_last_step_that_was_due_is_drawn_once(tmp_path):
    logger = SampleLogger(every_n_steps=2, number=4, nrow=2, directory=tmp_path, gif=False)
    trainer(max_steps=4, callbacks=[logger]).fit(image_game(), images())
    assert names(tmp_path) == [f"step_{step:06d}.png" for step in (0, 2, 4)]


@pytest.mark.parametrize("recorder", [True, False])
def test_the_run_directory_is_found(tmp_path, recorder):
    callbacks = [SampleLogger(number=4, nrow=2), *([RunRecorder(tmp_path)] if recorder else [])]
    fit = trainer(max_steps=1, callbacks=callbacks, default_root_dir=tmp_path)
    fit.fit(image_game(), images())
    assert (tmp_path / "samples" / "step_000001.png").exists()


def test_drawing_does_not_touch_the_training(tmp_path):
    ours, plain = image_game(), image_game()
    logger = SampleLogger(every_n_steps=1, number=4, nrow=2, directory=tmp_path)
    trainer(max_steps=3, callbacks=[logger]).fit(ours, images())
    trainer(max_steps=3).fit(plain, images())
    for (name, a), b in zip(ours.state_dict().items(), plain.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_points_are_drawn_over_real_ones(tmp_path):
    logger = SampleLogger(every_n_steps=1, number=16, directory=tmp_path)
    trainer(max_steps=2, callbacks=[logger]).fit(mlp_game(NonSaturatingGAN), points())
    assert names(tmp_path)[:3] == [f"step_{step:06d}.png" for step in (0, 1, 2)]
    first, last = (pixels(tmp_path / f"step_{step:06d}.png") for step in (0, 2))
    assert first.shape == last.shape == (480, 480, 3)
    ticks = slice(455, 480)  # the axes stay where they are
    np.testing.assert_array_equal(first[ticks], last[ticks])
    assert (first != last).any()


@pytest.mark.parametrize(
    ("reach", "expected"), [(2.3, 3.0), (0.9, 1.5), (1.0, 1.5), (14.0, 20.0), (0.05, 0.065)]
)
def test_the_axes_are_rounded(reach, expected):
    points = torch.tensor([[0.0, -reach], [0.1 * reach, 0.0]])
    assert half_width(points) == pytest.approx(expected)


def test_a_resume_draws_no_untrained_picture(tmp_path):
    module = image_game()
    first = trainer(max_steps=2)
    first.fit(module, Repeated(torch.zeros(4, 1, 8, 8), 2))  # a whole epoch
    first.save_checkpoint(tmp_path / "a.ckpt")
    folder = tmp_path / "samples"
    logger = SampleLogger(every_n_steps=2, number=4, nrow=2, directory=folder)
    resumed = trainer(max_steps=5, callbacks=[logger])
    data = Repeated(torch.zeros(4, 1, 8, 8), 2)
    resumed.fit(image_game(), data, ckpt_path=tmp_path / "a.ckpt")
    assert names(folder) == ["step_000004.png", "step_000005.png", "training.gif"]


def points_in_space():
    generator, discriminator = networks.mlp((3,), 4, width=8, depth=2)
    return NonSaturatingGAN(generator, discriminator, 4), Repeated(torch.zeros(4, 3))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: (image_game(2), images(2)), r"`images` must have 1, 3 or 4 channels .* got 2"),
        (points_in_space, r"draws images .* and points \(N, 2\), got .* \(4, 3\)"),
    ],
)
def test_what_cannot_be_drawn_is_said_once_and_training_goes_on(tmp_path, make, reason):
    (tmp_path / "step_000000.png").touch()  # not ours, and no picture for a film
    logger = SampleLogger(every_n_steps=1, number=4, nrow=2, directory=tmp_path)
    fit = trainer(max_steps=3, callbacks=[logger])
    with pytest.warns(UserWarning, match=reason) as caught:
        fit.fit(*make())
    (warning,) = [w for w in caught if "SampleLogger" in str(w.message)]
    assert str(warning.message).startswith("`SampleLogger` draws nothing in this run: ")
    assert fit.global_step == 3
    assert names(tmp_path) == ["step_000000.png"]


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="`nrow` must be at most `number` = 4, got 8"):
        SampleLogger(number=4)
    with pytest.raises(ValueError, match="`number` must be an integer of at least 1, got 0"):
        SampleLogger(number=0)
    with pytest.raises(ValueError, match="`nrow` must be an integer of at least 1, got 0"):
        SampleLogger(nrow=0)
    with pytest.raises(ValueError, match="`every_n_steps` must be an integer of at least 1, got 0"):
        SampleLogger(every_n_steps=0)


class LabelledGame(AbstractAlternatingGAN):
    """A conditional family whose generator paints a sample in the grey of its label."""

    def discriminator_loss(self, x, labels):
        x_fake = self.generator(self.noise(len(x)))
        d_real, d_fake = self.discriminator(x), self.discriminator(x_fake)
        return Objective(losses.discriminator_loss(d_real, d_fake), d_real, d_fake, x_fake)

    def generator_loss(self, x, labels):
        d_fake = self.discriminator(self.generator(self.noise(len(x))))
        return Objective(losses.non_saturating_generator_loss(d_fake), d_fake=d_fake)

    def generate(self, generator, z, labels):
        return labels.view(-1, 1, 1, 1).expand(-1, 1, 8, 8) * 0.5 - 1.0

    def check_networks(self, x, *given):
        """These networks are not conditional."""


class Labelled(lightning.LightningDataModule):
    """Three classes."""

    image_shape = (1, 8, 8)
    num_classes = 3

    def train_dataloader(self):
        return Repeated((torch.zeros(4, 1, 8, 8), torch.arange(4) % 3))


def test_a_class_a_row(tmp_path):
    generator, discriminator = networks.mlp((1, 8, 8), 4, width=8, depth=2)
    logger = SampleLogger(number=10, nrow=2, directory=tmp_path)
    fit = trainer(max_steps=1, callbacks=[logger])
    game = LabelledGame(generator, discriminator, 4, num_classes=3, conditional=True)
    fit.fit(game, Labelled())
    grid = pixels(tmp_path / "step_000001.png")
    tops = [2 + row * (48 + 12 + 2) for row in range(5)]
    assert [grid[top + 20, 20] for top in tops] == [0, 64, 128, 0, 64]
    assert [grid[top + 20, 70] for top in tops] == [0, 64, 128, 0, 64]


def test_a_long_training_makes_a_short_film(tmp_path):
    files = []
    for i in range(130):
        files.append(tmp_path / f"{i}.png")
        # Frames that are alike would be merged by the writer.
        Image.fromarray(np.full((8, 8), i, dtype=np.uint8)).save(files[-1])
    save_film(files, tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 60
        assert np.asarray(film.convert("L"))[0, 0] == 0
        film.seek(59)
        assert np.asarray(film.convert("L"))[0, 0] == 129
    save_film(files[:1], tmp_path / "one.gif")
    assert not (tmp_path / "one.gif").exists()


def test_the_film_leaves_out_pictures_of_an_abandoned_branch(tmp_path):
    for step in (0, 1, 2, 9):
        Image.fromarray(np.full((52, 52), 20 * step, dtype=np.uint8)).save(
            tmp_path / f"step_{step:06d}.png"
        )
    logger = SampleLogger(every_n_steps=1, number=1, nrow=1, directory=tmp_path)
    trainer(max_steps=3, callbacks=[logger]).fit(image_game(), images())
    with Image.open(tmp_path / "training.gif") as film:
        assert film.n_frames == 4
    assert (tmp_path / "step_000009.png").exists()


def test_tensorboard_gets_the_pictures(tmp_path):
    event_file = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = TensorBoardLogger(tmp_path, name="board", version="")
    logger = SampleLogger(every_n_steps=2, number=4, nrow=2, directory=tmp_path / "samples")
    trainer(max_steps=2, callbacks=[logger], logger=board).fit(image_game(), images())
    board.experiment.close()
    events = event_file.EventAccumulator(board.log_dir, size_guidance={"images": 0})
    events.Reload()
    pictures = events.Images("samples")
    assert [(p.step, p.width, p.height) for p in pictures] == [(0, 102, 102), (2, 102, 102)]


def test_wandb_gets_the_pictures_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    wandb = pytest.importorskip("wandb")
    board = WandbLogger(save_dir=tmp_path, project="test", offline=True)
    logger = SampleLogger(every_n_steps=2, number=4, nrow=2)
    recorder = RunRecorder(tmp_path / "run")
    try:
        fit = trainer(max_steps=2, callbacks=[logger, recorder], logger=board)
        fit.fit(image_game(), images())
        identifier = board.experiment.id
    finally:
        wandb.finish()
    sent = [file.name for file in tmp_path.rglob("media/images/*.png")]
    assert len(sent) == 2
    assert all(re.match("samples_", name) for name in sent)
    assert recorder.run.read_run()["wandb_id"] == identifier
    assert [row["step"] for row in recorder.run.read_metrics()] == [1, 2]
