"""`gan-lightning evaluate`."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import gan_lightning
from gan_lightning.cli import main
from gan_lightning.data import Digits
from gan_lightning.metrics import functional
from gan_lightning.metrics.extractors import DigitsClassifier


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run of two steps on images of 8x8."""
    folder = tmp_path_factory.mktemp("digits") / "run"
    small = ("--model.generator.width=4", "--model.discriminator.width=4", "--data.image_size=8")
    args = ["fit", "--config", "digits/non_saturating", "--run_dir", str(folder), *small]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["gan-lightning"])
        trainer = ("--trainer.max_steps=2", "--trainer.accelerator=cpu", "--trainer.callbacks=[]")
        assert main([*args, *trainer, "--trainer.enable_model_summary=false"]) == 0
    return folder


def report(path: str | Path) -> dict:
    return json.loads(Path(path).read_text())


def complaint(capsys, *args: str) -> str:
    assert main(["evaluate", *args]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def features(images) -> torch.Tensor:
    return DigitsClassifier()(images)["features"]


def test_a_run_against_its_own_data(run, capsys):
    assert main(["evaluate", str(run), "--number=120", "--out=scores.json"]) == 0
    shown = capsys.readouterr().out
    assert "FD-Digits" in shown
    assert "distance to the real samples' features" in " ".join(shown.replace("│", " ").split())
    found = report("scores.json")
    real = torch.cat([x for x, _ in Digits(image_size=8).real_chunks(120)])
    fake = gan_lightning.load(run).sample(120, seed=0)
    expected = functional.frechet_distance(features(real), features(fake))
    assert found["scores"]["FD-Digits"]["value"] == pytest.approx(float(expected), rel=1e-5)
    assert "120 real, 120 fake" in found["scores"]["FD-Digits"]["protocol"]
    assert found["fake"]["samples"] == found["real"]["samples"] == 120


def test_the_report_of_a_run_goes_to_its_folder_and_replaces_nothing(run, capsys):
    args = (str(run), "--number=20", "--metrics=VendiScore")
    assert main(["evaluate", *args]) == 0
    assert set(report(run / "evaluation.json")["scores"]) == {"Vendi-Digits"}
    assert "must not exist without --overwrite" in complaint(capsys, *args)
    assert main(["evaluate", *args, "--overwrite"]) == 0
    (run / "evaluation.json").unlink()


def test_a_folder_of_images_against_a_data_set(tmp_path):
    images = Digits(image_size=8).read().x[:90]
    for i, image in enumerate(images):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        Image.fromarray(image[0].numpy()).save(tmp_path / "pictures" / f"{i}.png")
    assert main(["evaluate", str(tmp_path / "pictures"), "--against=Digits"]) == 0
    found = report("evaluation.json")["scores"]
    real = torch.cat([x for x, _ in Digits(image_size=8).real_chunks()])
    expected = float(functional.frechet_distance(features(real), features(images)))
    assert found["FD-Digits"]["value"] == pytest.approx(expected, rel=1e-5)
    assert found["precision-Digits"]["value"] == 1.0  # they are among the real ones


@pytest.mark.parametrize("kind", ["npz", "safetensors"])
def test_features_made_elsewhere(kind):
    real, fake = (torch.randn(40, 6, dtype=torch.float64) + shift for shift in (0, 1))
    for name, x in (("real", real), ("fake", fake)):
        if kind == "npz":
            np.savez(f"{name}.npz", features=x.numpy())
        else:
            save_file({"features": x}, f"{name}.safetensors")
    args = [f"fake.{kind}", f"--against=real.{kind}", "--metrics=FrechetDistance,KernelDistance"]
    assert main(["evaluate", *args]) == 0
    found = report("evaluation.json")["scores"]
    assert found["FD-features"]["value"] == pytest.approx(
        float(functional.frechet_distance(real, fake)), rel=1e-9
    )
    assert found["KD-features"]["value"] == pytest.approx(
        float(functional.kernel_distance(real, fake)), rel=1e-9
    )


def test_images_in_an_array_with_channels_last():
    images = Digits(image_size=8).read().x[:50]
    np.savez("a.npz", arr_0=images.permute(0, 2, 3, 1).repeat(1, 1, 1, 3).numpy())
    np.savez("b.npz", images=(images.repeat(1, 3, 1, 1).float() / 127.5 - 1).numpy())
    args = ["a.npz", "--against=b.npz", "--extractor=pixels", "--metrics=FrechetDistance"]
    assert main(["evaluate", *args]) == 0
    assert report("evaluation.json")["scores"]["FD-pixels"]["value"] == 0.0


def test_bad_input_is_one_sentence_each(run, capsys):
    assert "`--against` must name the real samples" in complaint(capsys, "nothing")
    assert "'nothing' must be a data set (" in complaint(capsys, "nothing", "--against=Digits")
    Path("empty").mkdir()
    assert "'empty' must hold images" in complaint(capsys, "empty", "--against=Digits")
    np.savez("features.npz", features=np.zeros((9, 3)))
    assert "`--against` must hold what the target holds, got images or points" in complaint(
        capsys, "features.npz", "--against=Digits"
    )
    np.savez("pickled.npz", features=np.array([{}]))
    assert "'pickled.npz' must hold arrays of numbers" in complaint(
        capsys, "pickled.npz", "--against=features.npz"
    )
    np.savez("strange.npz", a=np.zeros(3), b=np.zeros(3))
    assert "must hold an array named samples, images, features, arr_0, got a, b" in complaint(
        capsys, "strange.npz", "--against=features.npz"
    )
    Path("torn.safetensors").write_bytes(b"torn")
    assert "'torn.safetensors' must hold arrays" in complaint(
        capsys, "torn.safetensors", "--against=features.npz"
    )
    assert "`--metrics` must be of" in complaint(capsys, str(run), "--metrics=FancyDistance")
    assert "`--extractor` must be one of inception" in complaint(
        capsys, str(run), "--extractor=vgg"
    )
    assert "Inception" in complaint(capsys, str(run), "--extractor=inception")
    assert "must be at most the 1797 real samples" not in complaint(
        capsys, str(run), "--number=5", "--checkpoint=none.ckpt"
    )
    assert not Path("evaluation.json").exists()


def test_wrong_options_leave_with_status_two(capsys):
    assert main(["evaluate", "x", "--number=1"]) == 2
    assert "`--number` must be at least 2, got 1" in capsys.readouterr().err
    assert main(["evaluate", "x", "--extracter=digits"]) == 2
    assert "did you mean '--extractor'" in capsys.readouterr().err
