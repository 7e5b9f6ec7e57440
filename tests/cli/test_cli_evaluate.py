"""`gan-lightning evaluate`."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import gan_lightning
from gan_lightning._cli import evaluate as command
from gan_lightning._cli.closing import meaning
from gan_lightning.cli import main
from gan_lightning.data import Digits
from gan_lightning.metrics import DataCopying, extractors, functional
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


def digits(number: int) -> torch.Tensor:
    return Digits(image_size=8).read().x[:number]


def pictures(folder: str, images: torch.Tensor) -> None:
    Path(folder).mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image[0].numpy()).save(f"{folder}/{i:04d}.png")


def rows(file: str, **arrays: torch.Tensor) -> None:
    np.savez(file, **{name: x.numpy() for name, x in arrays.items()})


def scores(*args: str) -> dict:
    """Values by name, of a run of the command that ends well."""
    assert main(["evaluate", *args, "--overwrite"]) == 0
    return {name: one["value"] for name, one in report("evaluation.json")["scores"].items()}


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--weights=w.pth", (Path("w.pth"), "tf1", False)),
        ("--resize=clean", (None, "clean", False)),
        ("--download", (None, "tf1", True)),
        ("--extractor=inception", (None, "tf1", False)),
    ],
)
def test_options_of_inception_choose_it(option, expected, monkeypatch):
    made = []

    def inception(weights, resize, download):
        made.append((weights, resize, download))
        return DigitsClassifier()

    monkeypatch.setattr(extractors, "InceptionExtractor", inception)
    pictures("a", digits(20))
    scores("a", "--against=Digits", "--metrics=FrechetDistance", option)
    assert made == [expected]


def test_options_that_nothing_would_read_are_refused(capsys):
    pictures("a", digits(4))
    for option in ("--weights=w.pth", "--resize=tf1", "--download"):
        said = complaint(capsys, "a", "--against=Digits", "--extractor=digits", option)
        name = option.partition("=")[0]
        assert f"`{name}` must go with `--extractor inception`, got 'digits'" in said
    pictures("b", digits(4))
    for option, value in (("--root", "x"), ("--split", "test")):
        said = complaint(capsys, "a", "--against=b", option, value)
        assert f"`{option}` must go with data sets" in said
        assert f"got '{value}' and no data set" in said
        said = complaint(capsys, "a", "--against=Digits", option, value)
        assert f"that take one, got '{value}' and Digits." in said
    rows("f.npz", features=torch.randn(9, 3))
    said = complaint(capsys, "f.npz", "--against=f.npz", "--extractor=digits")
    assert "`--extractor` must be left out for features" in said
    said = complaint(capsys, "f.npz", "--against=f.npz", "--resize=clean")
    assert "`--resize` must be left out for features" in said


def test_a_number_of_a_folder_or_an_array_is_drawn_and_not_the_first(tmp_path):
    images = digits(60)
    pictures("a", images)
    rows("b.npz", images=images)
    drawn = images[torch.randperm(60, generator=torch.Generator().manual_seed(0))[:40]]
    pictures("drawn", drawn)
    for source, total in (("a", "60 images in a"), ("b.npz", "60 rows of b.npz")):
        args = (
            source,
            "--against=drawn",
            "--number=40",
            "--metrics=PrecisionRecall,KernelDistance",
        )
        found = scores(*args, "--extractor=pixels")
        assert found["precision-pixels"] == found["recall-pixels"] == 1.0
        same = float(functional.kernel_distance(*(drawn.flatten(1).double() / 127.5 - 1,) * 2))
        assert found["KD-pixels"] == pytest.approx(same, rel=1e-5)
        assert report("evaluation.json")["fake"]["name"] == f"40 of {total}, drawn"
        scores(source, "--against=drawn", "--number=60", "--metrics=VendiScore")
        assert report("evaluation.json")["fake"]["name"] == total  # all of them: nothing is drawn


@pytest.mark.parametrize("kind", ["<u2", ">u2"])
def test_images_of_16_bits_are_scaled_and_not_saturated(kind):
    wide = torch.arange(0, 65536, 1024, dtype=torch.int32).reshape(4, 1, 4, 4).numpy()
    Path("a").mkdir()
    for i, image in enumerate(wide):
        mode = "I;16" if kind == "<u2" else "I;16B"
        picture = Image.frombytes(mode, (4, 4), image[0].astype(kind).tobytes())
        picture.save(f"a/{i}.tif")
    # Halves do not occur: 65535 / 255 is odd.
    rows("b.npz", images=torch.from_numpy((wide / 257).round().astype(np.uint8)))
    found = scores("a", "--against=b.npz", "--extractor=pixels", "--metrics=FrechetDistance")
    assert found["FD-pixels"] == 0.0


@pytest.mark.parametrize("mode", ["1", "LA", "P", "RGBA"])
def test_modes_of_images_become_grey_or_rgb(mode):
    grey = torch.randint(0, 2, (6, 1, 8, 8), generator=torch.Generator().manual_seed(0)) * 255
    grey = grey.to(torch.uint8)
    Path("a").mkdir()
    for i, image in enumerate(grey):
        Image.fromarray(image[0].numpy()).convert(mode).save(f"a/{i}.png")
    expected = grey if mode in ("1", "LA") else grey.expand(-1, 3, -1, -1)
    rows("b.npz", images=expected.contiguous())
    found = scores("a", "--against=b.npz", "--extractor=pixels", "--metrics=FrechetDistance")
    assert found["FD-pixels"] == 0.0


@pytest.mark.parametrize("mode", ["I", "F"])
def test_images_of_32_bits_are_refused(mode, capsys):
    Path("a").mkdir()
    Image.new(mode, (8, 8)).save("a/x.tif")
    said = complaint(capsys, "a", "--against=Digits")
    assert f"'a/x.tif' must have 8 or 16 bits a channel, got 32 (mode {mode})" in said


@pytest.mark.parametrize(("kind", "name"), [(torch.complex64, "complex64"), (torch.bool, "bool")])
def test_arrays_that_are_no_real_numbers_are_refused(kind, name, capsys):
    rows("a.npz", features=torch.ones(9, 3).to(kind))
    rows("b.npz", features=torch.randn(9, 3), logits=torch.ones(9, 3).to(kind))
    for file, key in (("a.npz", "features"), ("b.npz", "logits")):
        said = complaint(capsys, file, "--against=Digits")
        assert f"'{file}' must hold real numbers, got {name} in the array {key}" in said


def test_features_are_no_logits(capsys):
    random = torch.Generator().manual_seed(0)
    given = [torch.randn(40, n, dtype=torch.float64, generator=random) for n in (6, 4, 6, 4)]
    rows("real.npz", features=given[0], logits=given[1])
    rows("fake.npz", features=given[2], logits=given[3])
    rows("bare.npz", features=given[0])
    chosen = "--metrics=FrechetDistance,InceptionScore,ModeScore,ClassCoverage"
    found = scores("fake.npz", "--against=real.npz", chosen)
    expected = float(functional.frechet_distance(given[0], given[2]))
    assert found["FD-features"] == pytest.approx(expected, rel=1e-9)
    expected = float(functional.mode_score(given[1], given[3]))
    assert found["mode_score-features"] == pytest.approx(expected, rel=1e-9)
    assert found["classes-features"] == len(given[3].argmax(1).unique())
    for name in ("InceptionScore", "ClassCoverage", "MsSsimDiversity"):
        for pair in (("bare.npz", "--against=real.npz"), ("fake.npz", "--against=bare.npz")):
            said = complaint(capsys, *pair, f"--metrics={name}", "--overwrite")
            assert "`--metrics` must read what there is of each set (features), got" in said
    rows("short.npz", features=given[0], logits=given[1][:9])
    said = complaint(capsys, "short.npz", "--against=real.npz", "--overwrite")
    assert "must hold as many rows in logits as in features, got 9 and 40" in said


def test_arrays_of_images_in_0_to_1_are_refused(capsys):
    unit = digits(9).float() / 255
    rows("unit.npz", images=unit)
    said = complaint(capsys, "unit.npz", "--against=Digits")
    assert "'unit.npz' must hold images in [-1, 1] or uint8, got floats from 0 to 1" in said
    assert "save 2 * x - 1, or uint8" in said
    unit[0, 0, 0, 0] = -0.01
    rows("signed.npz", images=unit)
    scores("signed.npz", "--against=Digits", "--metrics=VendiScore")


def test_a_run_is_not_compared_with_fewer_real_samples_than_asked(run, capsys):
    said = complaint(capsys, str(run), "--number=3000")
    assert "`--number` must be at most the 1,797 real samples there are, got 3000" in said
    pictures("few", digits(20))
    said = complaint(capsys, str(run), "--against=few", "--number=21")
    assert "`--number` must be at most the 20 real samples there are, got 21" in said


def test_sets_of_different_size_are_told(capsys):
    pictures("few", digits(20))
    scores("few", "--against=Digits", "--metrics=FrechetDistance")
    shown = " ".join(capsys.readouterr().out.split())
    assert "20 images in few against 1,797 of Digits(" in shown


def test_outputs_that_cannot_be_written_are_refused_first(capsys, monkeypatch):
    monkeypatch.setattr(command, "_sets", lambda *_: pytest.fail("too late"))
    Path("folder").mkdir()
    Path("file").touch()
    for out in ("folder", "file/x.json", "file/y/x.json"):
        said = complaint(capsys, "a", "--against=Digits", f"--out={out}", "--overwrite")
        assert said.startswith("gan-lightning: error: `--out` must ")
        assert f"got the folder '{out}'" in said or f"got '{out}' in the file" in said


def test_images_of_two_sizes_are_found_before_anything_is_computed(capsys, monkeypatch):
    monkeypatch.setattr(command, "choose_suite", lambda *_: pytest.fail("too late"))
    pictures("a", digits(9))
    Image.new("L", (9, 8)).save("a/0005.png")
    said = complaint(capsys, "a", "--against=Digits")
    assert "must have one shape, (1, 8, 8) as in a/0000.png, got (1, 8, 9) in a/0005.png" in said


def test_metrics_are_chosen_by_name():
    pictures("a", digits(30))
    found = scores("a", "--against=Digits", "--metrics= VendiScore , ClassCoverage")
    assert set(found) == {
        "Vendi-Digits",
        "classes-Digits",
        "class_KL_uniform-Digits",
        "class_JSD_uniform-Digits",
    }
    assert found["classes-Digits"] == 10


def test_metrics_that_do_not_fit_are_refused(capsys):
    pictures("a", digits(30))
    pair = ("a", "--against=Digits")
    same = {"FID": "FrechetDistance", "KID": "KernelDistanceSubsets", "IS": "InceptionScore"}
    for name, suited in same.items():
        said = complaint(capsys, *pair, f"--metrics={name}")
        assert f"{suited} with `--extractor inception` is {name}." in said
    said = complaint(capsys, *pair, "--metrics=AbstractSetMetric")
    assert "got 'AbstractSetMetric'" in said
    offered = said.partition("must be of ")[2].partition(", got")[0].split(", ")
    refused = {"AbstractSetMetric", "DataCopying", "ModeCoverage", "ParzenLogLikelihood", *same}
    assert not refused & set(offered)
    assert {"ClassCoverage", "FrechetDistance"} <= set(offered)
    said = complaint(capsys, *pair, "--metrics=ModeCoverage")
    assert "got 'ModeCoverage', which needs centres and std" in said
    for name in ("DataCopying", "ParzenLogLikelihood"):
        said = complaint(capsys, *pair, f"--metrics={name}")
        assert f"must go with `--test`, held-out samples, for {name}" in said
    said = complaint(capsys, *pair, "--test=a")
    assert "`--test` must go with `--metrics` that need it" in said
    said = complaint(capsys, *pair, "--test=Digits", "--metrics=DataCopying")
    assert "`--test` must be held out from the real samples, got the same ones: 1,797" in said


def test_held_out_samples_are_a_set_of_their_own():
    random = torch.Generator().manual_seed(0)
    names = ("train", "held_out", "fake")
    sets = [torch.randn(120, 4, dtype=torch.float64, generator=random) for _ in names]
    for name, x in zip(names, sets, strict=True):
        rows(f"{name}.npz", features=x)
    args = ("fake.npz", "--against=train.npz", "--test=held_out.npz")
    found = scores(*args, "--metrics=DataCopying,FrechetDistance")
    expected = float(functional.frechet_distance(sets[0], sets[2]))
    assert found["FD-features"] == pytest.approx(expected, rel=1e-9)
    told = report("evaluation.json")
    assert told["test"] == {"name": "120 rows of held_out.npz", "samples": 120}
    assert "120 real, 120 test, 120 fake" in told["scores"]["C_T-features"]["protocol"]
    alone = DataCopying()
    for x, kind in zip(sets, ({"real": True}, {"test": True}, {}), strict=True):
        alone.update(x, **kind)
    assert found["C_T-features"] == pytest.approx(float(alone.compute()), rel=1e-9)


def fashion(root: str) -> dict[str, torch.Tensor]:
    """Two splits of noise in the files of Fashion-MNIST."""
    random = torch.Generator().manual_seed(0)
    images = {}
    Path(root).mkdir()
    for split, name, number in (("train", "train", 90), ("test", "t10k", 60)):
        x = torch.randint(0, 256, (number, 1, 28, 28), generator=random, dtype=torch.uint8)
        shape = b"".join(n.to_bytes(4, "big") for n in (number, 28, 28))
        content = bytes((0, 0, 8, 3)) + shape + x.numpy().tobytes()
        Path(root, f"{name}-images-idx3-ubyte").write_bytes(content)
        labels = bytes((0, 0, 8, 1)) + number.to_bytes(4, "big") + bytes(number)
        Path(root, f"{name}-labels-idx1-ubyte").write_bytes(labels)
        images[split] = x
    return images


def test_a_split_of_a_data_set_is_chosen(capsys):
    images = fashion("root")
    for split, x in images.items():
        rows(f"{split}.npz", images=x)
    pixels = ("--extractor=pixels", "--metrics=FrechetDistance", "--root=root")
    for split, others in (
        ("train", ()),
        ("train", ("--split=train",)),
        ("test", ("--split=test",)),
    ):
        found = scores(f"{split}.npz", "--against=FashionMNIST", *pixels, *others)
        assert found["FD-pixels"] == pytest.approx(0.0, abs=1e-9)
    args = ("--test=FashionMNIST", "--split=test", "--root=root", "--metrics=DataCopying")
    scores("test.npz", "--against=train.npz", "--extractor=pixels", *args)
    assert report("evaluation.json")["test"]["samples"] == 60
    said = complaint(capsys, "test.npz", "--against=Digits", *args, "--overwrite")
    assert "`--split` must go with data sets in `--against` or `--test` that take one" in said


def test_an_extractor_of_ones_own(capsys, monkeypatch, tmp_path):
    pictures("a", digits(20))
    pair = ("a", "--against=Digits", "--metrics=FrechetDistance")
    Path("mine").mkdir()
    Path("mine/my_extractor.py").write_text(
        "from gan_lightning.metrics.extractors import PixelExtractor\n"
        "class Mine(PixelExtractor):\n    name = 'mine'\n"
        "class Wanting(PixelExtractor):\n    def __init__(self, n): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "mine")
    assert set(scores(*pair, "--extractor=my_extractor.Mine")) == {"FD-mine"}
    wrong = ("my_extractor.Wanting", "my_extractor.None_", "no_such_module.X", "json.loads", "./x")
    for name in (*wrong, "gan_lightning.metrics.extractors.AbstractExtractor"):
        said = complaint(capsys, *pair, f"--extractor={name}", "--overwrite")
        assert "`--extractor` must be one of inception" in said
        assert f"got '{name}'" in said


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("ending", [".pt", ".ts"])
def test_an_extractor_in_a_torchscript_file(ending, capsys):
    pictures("a", digits(20))
    pair = ("a", "--against=Digits", "--metrics=FrechetDistance")
    torch.jit.trace(torch.nn.Flatten(), torch.zeros(2, 1, 8, 8)).save(f"flat{ending}")
    assert set(scores(*pair, f"--extractor=flat{ending}")) == {"FD-flat"}
    Path(f"torn{ending}").write_bytes(b"torn")
    said = complaint(capsys, *pair, f"--extractor=torn{ending}", "--overwrite")
    assert f"`--extractor` must be a TorchScript file, got 'torn{ending}'" in said
    said = complaint(capsys, *pair, f"--extractor=none{ending}", "--overwrite")
    assert "must be a TorchScript file, found none" in said


def test_real_images_are_read_once_where_no_labels_are_wanted(run, monkeypatch):
    read, moved = [], []
    chunks, load = Digits.real_chunks, command.load

    def counted(self, *args):
        read.append(args)
        return chunks(self, *args)

    def watched(*args, **kwargs):
        model = load(*args, **kwargs)
        to = model.to
        monkeypatch.setattr(model, "to", lambda device: moved.append(device) or to(device))
        return model

    monkeypatch.setattr(Digits, "real_chunks", counted)
    monkeypatch.setattr(command, "load", watched)
    out = "--out=evaluation.json"
    scores(str(run), "--number=20", "--metrics=VendiScore", out)
    assert len(read) == 1
    assert moved == ["cuda" if torch.cuda.is_available() else "cpu"]


SAID = (
    "CMMD mode_score AM realism 1NN 1NN_real 1NN_fake Vendi W patch_SWD MS-SSIM LPIPS_diversity "
    "PPL support authenticity C_T MiFID parzen_LL density_ratio calibration_error class_JSD "
    "class_JS_distance density"
)


@pytest.mark.parametrize("name", SAID.split())
def test_what_a_score_means_is_said(name):
    assert meaning(name)
    assert meaning(f"{name}-Digits") == meaning(name)
    assert "about 1 is best" in meaning("density")


def test_protocols_name_both_sets(run):
    pictures("a", digits(20))
    scores("a", "--against=Digits", "--metrics=FrechetDistance,VendiScore")
    told = report("evaluation.json")
    sets = f", {told['fake']['name']} against {told['real']['name']}"
    assert sets.startswith(", 20 images in a against 1,797 of Digits(")
    assert all(score["protocol"].endswith(sets) for score in told["scores"].values())


def test_a_run_has_the_scores_that_it_had_in_training(tmp_path):
    """To the last bit: the same samples in the same order, in chunks of the same size."""
    small = ("--model.generator.width=4", "--model.discriminator.width=4", "--data.image_size=8")
    args = ["fit", "--config", "digits/non_saturating", "--run_dir=run", *small]
    trainer = ("--trainer.max_steps=2", "--trainer.accelerator=cpu")
    assert main([*args, *trainer, "--trainer.enable_model_summary=false"]) == 0
    assert main(["evaluate", "run"]) == 0
    last = report("run/run.json")["scores"]["last"]
    found = {name: it["value"] for name, it in report("run/evaluation.json")["scores"].items()}
    assert len(found) > 10
    assert found == {name: last[name] for name in found}
