"""`gan-lightning sample`."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gan_lightning
from gan_lightning.callbacks._grid import to_uint8
from gan_lightning.cli import main


def run_of(tmp_path_factory, config: str, *small: str) -> Path:
    """A run of two steps on images of 8x8."""
    folder = tmp_path_factory.mktemp("digits") / "run"
    args = ["fit", "--config", config, "--run_dir", str(folder), "--data.image_size=8", *small]
    trainer = ("--trainer.max_steps=2", "--trainer.accelerator=cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["gan-lightning"])
        assert main([*args, *trainer, "--trainer.enable_model_summary=false"]) == 0
    return folder


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    """A run on images."""
    small = ("--model.generator.width=4", "--model.discriminator.width=4")
    return run_of(tmp_path_factory, "digits/non_saturating", *small)


@pytest.fixture(scope="module")
def conditional(tmp_path_factory) -> Path:
    """A run on images and their classes."""
    small = ("--model.generator.network.width=4", "--model.discriminator.network.width=4")
    return run_of(tmp_path_factory, "digits/cgan", *small)


def complaint(capsys, *args: str) -> str:
    assert main(["sample", *args]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_grid(digits, capsys):
    assert main(["sample", str(digits), "--number", "10"]) == 0
    assert capsys.readouterr().out == "wrote 10 samples to samples.png\n"
    with Image.open("samples.png") as picture:
        assert picture.size == (8 * 50 + 2, 2 * 50 + 2)  # cells of 48 pixels, 2 between them


def test_arrays_are_the_models_samples(digits):
    assert main(["sample", str(digits), "--number=300", "--seed=5", "--out", "out/a.npz"]) == 0
    arrays = np.load("out/a.npz")
    assert list(arrays) == ["samples"]
    expected = gan_lightning.load(digits).sample(300, seed=5)
    assert arrays["samples"].dtype == np.float32
    torch.testing.assert_close(torch.from_numpy(arrays["samples"]), expected, rtol=0, atol=0)


def test_folder_of_pictures(digits):
    assert main(["sample", str(digits), "--number=3", "--seed=2", "--out=folder"]) == 0
    files = sorted(Path("folder").iterdir())
    assert [file.name for file in files] == ["00000.png", "00001.png", "00002.png"]
    expected = to_uint8(gan_lightning.load(digits).sample(3, seed=2))
    for file, image in zip(files, expected, strict=True):
        with Image.open(file) as picture:
            np.testing.assert_array_equal(np.asarray(picture), image[0].numpy())


def test_truncation_and_checkpoint(digits):
    assert main(["sample", str(digits), "--truncation=0.5", "--out=t.npz"]) == 0
    expected = gan_lightning.load(digits).sample(64, seed=0, truncation=0.5)
    np.testing.assert_array_equal(np.load("t.npz")["samples"], expected.numpy())
    shutil.copy(digits / "checkpoints" / "last.ckpt", "other.ckpt")
    assert main(["sample", str(digits), "--checkpoint=other.ckpt", "--out=c.npz"]) == 0
    assert main(["sample", str(digits), "--checkpoint=step=2.ckpt", "--out=d.npz"]) == 0
    np.testing.assert_array_equal(np.load("c.npz")["samples"], np.load("d.npz")["samples"])


def test_the_asked_for_classes_in_turn(conditional):
    assert main(["sample", str(conditional), "--number=7", "--labels=0,1,9", "--out=a.npz"]) == 0
    arrays = np.load("a.npz")
    assert arrays["labels"].tolist() == [0, 1, 9, 0, 1, 9, 0]
    expected = gan_lightning.load(conditional).sample(7, labels=[0, 1, 9, 0, 1, 9, 0], seed=0)
    np.testing.assert_array_equal(arrays["samples"], expected.numpy())
    assert main(["sample", str(conditional), "--number=7", "--labels=3", "--out=b.npz"]) == 0
    assert np.load("b.npz")["labels"].tolist() == [3] * 7
    assert not np.array_equal(np.load("b.npz")["samples"], arrays["samples"])


def test_without_labels_a_conditional_run_draws_them(conditional):
    assert main(["sample", str(conditional), "--number=7", "--seed=4", "--out=a.npz"]) == 0
    expected = gan_lightning.load(conditional).sample(7, seed=4)
    np.testing.assert_array_equal(np.load("a.npz")["samples"], expected.numpy())
    assert main(["sample", str(conditional), "--number=7"]) == 0
    assert Path("samples.png").is_file()


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("0,10", "`labels` must lie in 0, ..., 9 (`num_classes` - 1) but got 10"),
        ("-1", "`--labels` must be classes such as 3 or 0,1,2, got '-1'"),
        ("one", "`--labels` must be classes such as 3 or 0,1,2, got 'one'"),
    ],
)
def test_labels_that_are_no_classes(conditional, capsys, labels, expected):
    assert expected in complaint(capsys, str(conditional), f"--labels={labels}")
    assert not Path("samples.png").exists()


def test_points(finished):
    assert main(["sample", str(finished)]) == 0
    with Image.open("samples.png") as picture:
        assert picture.mode == "RGB"
    assert main(["sample", str(finished), "--out=points.npz", "--number=5"]) == 0
    assert np.load("points.npz")["samples"].shape == (5, 2)


def test_nothing_is_overwritten_unasked(digits, capsys):
    Path("samples.png").write_text("precious")
    assert "must not exist without --overwrite" in complaint(capsys, str(digits))
    assert Path("samples.png").read_text() == "precious"
    assert main(["sample", str(digits), "--overwrite", "--number=1"]) == 0
    Path("folder").mkdir()
    Path("folder/precious").touch()
    assert "must not exist" in complaint(capsys, str(digits), "--out=folder")


def test_overwriting_a_folder_leaves_no_older_samples(digits):
    assert main(["sample", str(digits), "--number=5", "--out=folder"]) == 0
    others = ["1.png", "00003.jpg", "grid.png", "000x1.png"]
    for name in others:
        Path("folder", name).touch()
    assert main(["sample", str(digits), "--number=2", "--out=folder", "--overwrite"]) == 0
    left = sorted(file.name for file in Path("folder").iterdir())
    assert left == sorted([*others, "00000.png", "00001.png"])


def test_a_missing_run_is_said_before_an_existing_picture(capsys):
    Path("samples.png").touch()
    assert "must be an existing folder, got 'nowhere'" in complaint(capsys, "nowhere")


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("--number=0",), "`--number` must be at least 1, got 0"),
        (("--labels=3",), "`--labels` must be left out for a NonSaturatingGAN"),
        (("--out=samples.jpg",), "`--out` must end in .png or .npz or be a folder"),
        (("--checkpoint=step=9.ckpt",), "step=9.ckpt"),
        (("--truncation=-1",), "truncation"),
    ],
)
def test_wrong_options(digits, capsys, args, expected):
    assert expected in complaint(capsys, str(digits), *args)


def test_points_are_no_folder_of_pictures(finished, capsys):
    assert "must end in .npz" in complaint(capsys, str(finished), "--out=folder")


def test_run_directory_without_config(tmp_path, capsys):
    assert "config.yaml" in complaint(capsys, str(tmp_path))
    assert "must be an existing folder" in complaint(capsys, "nowhere")
