"""The classifiers in the package: their accuracy is the one in the table."""

import hashlib
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gan_lightning.data import Digits
from gan_lightning.data.base import to_unit_range
from gan_lightning.metrics.extractors import classifiers
from gan_lightning.metrics.extractors.classifiers import DigitsClassifier, FashionClassifier

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TABLE = BENCHMARKS / "results" / "embedded_classifiers.md"
WEIGHTS = Path(classifiers.__file__).parent / "weights"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
KINDS = [DigitsClassifier, FashionClassifier]


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import embedded_classifiers

    yield embedded_classifiers
    del sys.modules["embedded_classifiers"]


def line(name):
    """A line of the table, by column."""
    text = TABLE.read_text("utf-8").splitlines()
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in text]
    head = next(row for row in rows if row[0] == "classifier")
    return dict(zip(head, next(row for row in rows if row[0] == name), strict=False))


def right(extractor, x, labels):
    """Whether each image's class is found."""
    logits = torch.cat([extractor(part)["logits"] for part in x.split(500)])
    return (logits.argmax(1) == labels).double()


def test_accuracy_on_the_digits_held_out(script):
    data = script.digits()
    assert len(data.held_out) == 450
    counts = torch.bincount(data.held_out_labels).tolist()
    assert max(counts) - min(counts) <= 3
    rows = {tuple(row.tolist()) for row in data.x.flatten(1)}
    assert sum(tuple(row.tolist()) in rows for row in data.held_out.flatten(1)) == 0
    found = float(right(DigitsClassifier(), data.held_out, data.held_out_labels).mean())
    assert found >= 0.985
    assert found == pytest.approx(float(line("digits")["accuracy"]), abs=1 / 450)


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs Debian's package dataset-fashion-mnist")
def test_accuracy_on_fashion_mnist(script):
    from gan_lightning.data import FashionMNIST

    memory = FashionMNIST(root=DEBIAN, image_size=28, split="test", limit=2000).read()
    found = float(right(FashionClassifier(), memory.x, memory.labels).mean())
    stated = float(line("fashion")["accuracy"])
    assert stated >= 0.92
    # The first 2,000 of 10,000: four standard errors of a part of the whole.
    error = (stated * (1 - stated) / 2000 * 0.8) ** 0.5
    assert found == pytest.approx(stated, abs=4 * error)


@pytest.mark.parametrize("name", ["digits", "fashion"])
def test_the_table_is_of_the_files(name):
    content = (WEIGHTS / f"{name}.safetensors").read_bytes()
    said = line(name)
    assert said["bytes"] == f"{len(content):,}"
    assert said["SHA-256"] == hashlib.sha256(content).hexdigest()[:16]
    parameters = [
        v for n, v in load_file(WEIGHTS / f"{name}.safetensors").items() if "num" not in n
    ]
    statistics = 2 * (32 + 64 + 96)  # of batch normalisation, which are no parameters
    assert sum(v.numel() for v in parameters) - statistics == int(
        said["parameters"].replace(",", "")
    )


def test_the_files_are_small():
    assert sum(file.stat().st_size for file in WEIGHTS.iterdir()) <= 2 * 2**20


@pytest.mark.parametrize("kind", KINDS)
def test_outputs(kind):
    extractor = kind()
    x = torch.rand(2, 1, extractor.size, extractor.size) * 2 - 1
    found = extractor(x)
    assert extractor.outputs == ("features", "logits", "images")
    assert found["features"].shape == (2, 64)
    assert found["logits"].shape == (2, extractor.num_classes) == (2, 10)
    assert float(found["features"].min()) < 0  # before the nonlinearity
    head = extractor.network.head[-1]
    logits = found["features"].relu() @ head.weight.T + head.bias
    torch.testing.assert_close(found["logits"], logits, rtol=1e-4, atol=1e-4)
    assert not any(p.requires_grad for p in extractor.parameters())
    assert not extractor.canonical


def test_names_tell_them_apart():
    assert [kind().name for kind in KINDS] == ["Digits", "FashionMNIST"]
    assert KINDS[0]().fingerprint != KINDS[1]().fingerprint


@pytest.mark.parametrize("kind", KINDS)
def test_only_grey_images(kind):
    with pytest.raises(ValueError, match=r"must have 1 channel for the extractor \w+, got 3"):
        kind()(torch.zeros(2, 3, 28, 28))


@pytest.mark.parametrize("size", [8, 32])
def test_other_sizes_are_resized(size):
    memory = Digits(image_size=size).read()
    x, labels = to_unit_range(memory.x, torch.float32)[:300], memory.labels[:300]
    extractor = DigitsClassifier()
    resized = torch.nn.functional.interpolate(x, (16, 16), mode="bilinear", antialias=True)
    expected = extractor.network(resized)[0]
    torch.testing.assert_close(extractor(x)["features"], expected, rtol=1e-3, atol=1e-3)
    assert float(right(extractor, x, labels).mean()) > 0.9


def test_the_training_script(script, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(script, "WEIGHTS", tmp_path)
    for turn in range(2):
        table = tmp_path / f"{turn}.md"
        table.write_text("| fashion | 0.9 | kept |\n", "utf-8")
        arguments = ["x.py", "--only", "digits", "--epochs", "1", "--output", str(table)]
        monkeypatch.setattr(sys, "argv", arguments)
        script.main()
        first, second = (script.old_lines(table)[name] for name in ("digits", "fashion"))
        assert second == "fashion | 0.9 | kept"
        assert len(first.split(" | ")) == script.COLUMNS.count("|") + 1
        (tmp_path / "digits.safetensors").rename(tmp_path / f"{turn}.safetensors")
    bytes_of = [(tmp_path / f"{turn}.safetensors").read_bytes() for turn in range(2)]
    assert bytes_of[0] == bytes_of[1]


def test_shifts_and_turns_keep_the_image(script):
    torch.manual_seed(0)
    x = torch.full((64, 1, 12, 12), -1.0)
    x[:, :, 6, 6] = 1.0
    moved = script.shifted(x, 2)
    places = {tuple(place) for place in moved.eq(1).nonzero()[:, 2:].tolist()}
    assert len(moved.eq(1).nonzero()) == 64
    assert places <= {(6 + i, 6 + j) for i in range(-2, 3) for j in range(-2, 3)}
    assert len(places) > 15
    assert torch.equal(script.shifted(x, 0), x)
    torch.testing.assert_close(script.turned(x, 0.0, 0.0), x, rtol=0, atol=1e-5)
    turned = script.turned(x, 10.0, 0.1)
    assert not torch.equal(turned, x)
    assert float(turned.min()) >= -1 - 1e-6
