"""CIFAR and SVHN, against small files written in their formats."""

from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torchvision import datasets

from gan_lightning.cli.errors import is_for_the_user, one_line
from gan_lightning.data import CIFAR10, CIFAR100, KMNIST, SVHN, cifar


def random_bytes(*shape, highest=255, seed=0):
    return np.random.default_rng(seed).integers(0, highest + 1, shape, dtype=np.uint8)


def read(data):
    data.setup("fit")
    samples = data.read()
    return samples.x, samples.labels


# --- CIFAR ----------------------------------------------------------------------------------------


def write_cifar(path, count, label_bytes, classes, seed):
    pixels = random_bytes(count, 3, 32, 32, seed=seed)
    labels = random_bytes(count, label_bytes, highest=classes - 1, seed=seed + 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"".join(y.tobytes() + x.tobytes() for x, y in zip(pixels, labels, strict=True))
    )
    return torch.from_numpy(pixels), torch.from_numpy(labels[:, -1]).long()


@pytest.mark.parametrize("folder", [".", "cifar-10-batches-bin"])
def test_cifar10_is_read_from_the_binary_version(tmp_path, folder):
    parts = [
        write_cifar(tmp_path / folder / f"data_batch_{number}.bin", number, 1, 10, number)
        for number in range(1, 6)
    ]
    test = write_cifar(tmp_path / folder / "test_batch.bin", 4, 1, 10, 6)
    for split, expected in (("train", parts), ("test", [test]), ("all", [*parts, test])):
        x, labels = read(CIFAR10(tmp_path, split=split, batch_size=2))
        assert torch.equal(x, torch.cat([images for images, _ in expected]))
        assert torch.equal(labels, torch.cat([classes for _, classes in expected]))
    assert read(CIFAR10(tmp_path, image_size=16, limit=3))[0].shape == (3, 3, 16, 16)


def test_cifar100_takes_the_fine_labels(tmp_path):
    images, fine = write_cifar(tmp_path / "cifar-100-binary" / "train.bin", 9, 2, 100, 1)
    data = CIFAR100(tmp_path, batch_size=3)
    x, labels = read(data)
    assert torch.equal(x, images)
    assert torch.equal(labels, fine)
    assert (data.image_shape, data.num_classes) == ((3, 32, 32), 100)


def test_damaged_and_missing_cifar_files_are_refused(tmp_path):
    path = tmp_path / "test_batch.bin"
    with pytest.raises(FileNotFoundError, match=r"needs the files test_batch\.bin .*download=True"):
        CIFAR10(tmp_path, split="test").setup()
    (tmp_path / "cifar-10-batches-py").mkdir()
    with pytest.raises(FileNotFoundError, match=r"cifar-10-batches-py holds pickles, which are no"):
        CIFAR10(tmp_path, split="test").setup()
    write_cifar(path, 2, 1, 10, 0)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"test_batch\.bin must be .* multiple of 3073 .* 6145 by"):
        CIFAR10(tmp_path, split="test").setup()
    path.write_bytes(b"\x0a" + bytes(3072))
    with pytest.raises(ValueError, match=r"must hold labels from 0 to 9, found 10\."):
        CIFAR10(tmp_path, split="test").setup()


def test_cifar_downloads_the_binary_archive_only_when_told(tmp_path, monkeypatch):
    asked = []

    def download(url, root, md5):
        asked.append((url.rsplit("/", 1)[1], md5))
        write_cifar(Path(root) / "cifar-100-binary" / "test.bin", 4, 2, 100, 0)

    monkeypatch.setattr(cifar, "download_and_extract_archive", download)
    CIFAR100(tmp_path, split="test", download=True).setup()
    CIFAR100(tmp_path, split="test", download=True).setup()
    assert asked == [("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8")]


# --- SVHN -----------------------------------------------------------------------------------------


def test_svhn_is_read_from_matlab_files_with_ten_for_zero(tmp_path):
    pixels = random_bytes(32, 32, 3, 6)
    digits = np.array([[1], [9], [10], [2], [10], [5]], dtype=np.uint8)
    savemat(tmp_path / "train_32x32.mat", {"X": pixels, "y": digits})
    savemat(tmp_path / "test_32x32.mat", {"X": pixels[..., :2], "y": digits[:2]})
    x, labels = read(SVHN(tmp_path, batch_size=2))
    assert x.is_contiguous()
    for row in range(6):
        for channel in range(3):
            assert torch.equal(x[row, channel], torch.from_numpy(pixels[:, :, channel, row].copy()))
    assert labels.tolist() == [1, 9, 0, 2, 0, 5]
    assert labels.dtype == torch.int64
    assert len(read(SVHN(tmp_path, split="all", batch_size=2))[0]) == 8
    assert read(SVHN(tmp_path, image_size=64, split="test"))[0].shape == (2, 3, 64, 64)


def test_damaged_and_missing_svhn_files_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "train_32x32.mat"
    with pytest.raises(
        FileNotFoundError, match=r"^SVHN needs the files train_32x32\.mat in .*down"
    ):
        SVHN(tmp_path).setup()
    path.write_bytes(b"no MATLAB file at all, but long enough" * 20)
    with pytest.raises(ValueError, match=r"train_32x32\.mat must be a MATLAB file with the arrays"):
        SVHN(tmp_path).setup()
    savemat(path, {"X": random_bytes(32, 32, 3, 4)})
    with pytest.raises(ValueError, match=r"must be a MATLAB file with the arrays X and y"):
        SVHN(tmp_path).setup()
    savemat(path, {"X": random_bytes(32, 32, 3, 4), "y": np.ones((5, 1), dtype=np.uint8)})
    with pytest.raises(ValueError, match=r"of shape 32 x 32 x 3 x 5, found uint8 of shape 32 x 32"):
        SVHN(tmp_path).setup()
    savemat(path, {"X": random_bytes(32, 32, 3, 1), "y": np.full((1, 1), 11, dtype=np.uint8)})
    with pytest.raises(ValueError, match=r"must hold labels from 1 to 10"):
        SVHN(tmp_path).setup()
    whole = tmp_path / "train_32x32.mat"
    savemat(whole, {"X": random_bytes(32, 32, 3, 4), "y": np.ones((4, 1))}, do_compression=True)
    whole.write_bytes(whole.read_bytes()[:6000])
    with pytest.raises(ValueError, match=r"must be a MATLAB file with the arrays X and y"):
        SVHN(tmp_path).setup()


def test_svhn_with_damaged_compression_is_refused(tmp_path):
    path = tmp_path / "train_32x32.mat"
    arrays = {"X": random_bytes(32, 32, 3, 4), "y": np.ones((4, 1))}
    savemat(path, arrays, do_compression=True)
    content = bytearray(path.read_bytes())
    content[3000:3100] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"must be a MATLAB file with the arrays X .*Error -3"):
        SVHN(tmp_path).setup()


@pytest.mark.parametrize(
    "error",
    [RuntimeError("Error downloading x"), URLError("no route"), TimeoutError(), HTTPException("x")],
)
@pytest.mark.parametrize(
    ("kind", "place", "name"),
    [
        (CIFAR10, cifar, "download_and_extract_archive"),
        (SVHN, datasets, "SVHN"),
        (KMNIST, KMNIST, "_torchvision"),
    ],
)
def test_a_download_without_a_network_is_one_sentence(
    tmp_path, monkeypatch, error, kind, place, name
):
    def offline(*arguments, **more):
        raise error

    monkeypatch.setattr(place, name, staticmethod(offline) if kind is KMNIST else offline)
    wanted = rf"^`download` needs the network, but {kind.__name__} could not be fetched into '"
    with pytest.raises(ConnectionError, match=wanted) as caught:
        kind(tmp_path, download=True).setup()
    assert f"into '{tmp_path}': " in str(caught.value)
    assert is_for_the_user(caught.value)
    assert "\n" not in one_line(caught.value)


def test_svhn_downloads_through_torchvision_only_when_told(tmp_path, monkeypatch):
    asked = []

    def download(root, split, download):
        asked.append(split)
        arrays = {"X": random_bytes(32, 32, 3, 2), "y": np.ones((2, 1), dtype=np.uint8)}
        savemat(Path(root) / f"{split}_32x32.mat", arrays)

    monkeypatch.setattr(datasets, "SVHN", download)
    SVHN(tmp_path, split="all", download=True).setup()
    SVHN(tmp_path, split="test", download=True).setup()
    assert asked == ["train", "test"]
