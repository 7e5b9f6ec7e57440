"""IDX files and the sets made of them, against files written here and the published facts."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from gan_lightning.data import KMNIST, MNIST, FashionMNIST
from gan_lightning.data.idx import read_idx
from gan_lightning.data.images import resize

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def random_bytes(*shape, highest=255, seed=0):
    return np.random.default_rng(seed).integers(0, highest + 1, shape, dtype=np.uint8)


def write_idx(path, array, magic=None, dimensions=None, cut=None):
    """The format written out: magic, big-endian dimensions, values; gzipped if the name says so."""
    header = magic or bytes([0, 0, 8, array.ndim])
    header += struct.pack(f">{array.ndim}I", *(dimensions or array.shape))
    content = (header + array.tobytes())[:cut]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_mnist(folder, train=12, test=5, end=".gz"):
    arrays = {}
    for part, count in (("train", train), ("t10k", test)):
        images, labels = random_bytes(count, 28, 28, seed=count), random_bytes(count, highest=9)
        write_idx(folder / f"{part}-images-idx3-ubyte{end}", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte{end}", labels)
        arrays[part] = images, labels
    return arrays


def read(data):
    data.setup("fit")
    samples = data.read()
    return samples.x, samples.labels


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("shape", [(7,), (3, 28, 28), (2, 3, 4)])
def test_idx_files_are_read_as_they_were_written(tmp_path, shape, end):
    array = random_bytes(*shape)
    tensor = read_idx(write_idx(tmp_path / f"file{end}", array), len(shape))
    assert torch.equal(tensor, torch.from_numpy(array))


def test_damaged_idx_files_are_refused_with_file_expected_and_found(tmp_path):
    array = random_bytes(3, 4)
    path = tmp_path / "broken"
    write_idx(path, array, cut=11)
    with pytest.raises(ValueError, match=r"broken must begin with a header of 12 .* found 11 "):
        read_idx(path, 2)
    write_idx(path, array, cut=20)
    with pytest.raises(ValueError, match=r"broken must hold 12 bytes .* 3 x 4 say, found 8\."):
        read_idx(path, 2)
    write_idx(path, array, dimensions=(3, 3))
    with pytest.raises(ValueError, match=r"must hold 9 bytes .* 3 x 3 say, found 12\."):
        read_idx(path, 2)
    with pytest.raises(ValueError, match=r"begin with the bytes 00000803 .* found 00000802\."):
        read_idx(path, 3)
    write_idx(path, array, magic=b"\0\0\x0d\x02")  # floats
    with pytest.raises(ValueError, match=r"begin with the bytes 00000802 .* found 00000d02\."):
        read_idx(path, 2)
    write_idx(path, random_bytes(0, 4))
    with pytest.raises(ValueError, match="must hold at least one value"):
        read_idx(path, 2)


@pytest.mark.parametrize("damage", ["truncated", "not gzip", "flipped"])
def test_damaged_gzip_files_are_refused(tmp_path, damage):
    path = write_idx(tmp_path / "broken.gz", random_bytes(40, 50))
    packed = bytearray(path.read_bytes())
    if damage == "truncated":
        packed = packed[: len(packed) // 2]
    elif damage == "not gzip":
        packed = bytearray(b"<html>no such file</html>")
    else:
        packed[len(packed) // 2] ^= 0xFF
    path.write_bytes(packed)
    with pytest.raises(ValueError, match=r"broken\.gz must be a complete gzip file, found a corr"):
        read_idx(path, 2)


@pytest.mark.parametrize("kind", [MNIST, FashionMNIST, KMNIST])
@pytest.mark.parametrize("torchvisions_layout", [False, True])
@pytest.mark.parametrize("end", ["", ".gz"])
def test_files_are_found_in_the_folder_and_in_torchvisions(
    tmp_path, kind, torchvisions_layout, end
):
    folder = tmp_path / kind.__name__ / "raw" if torchvisions_layout else tmp_path
    arrays = write_mnist(folder, end=end)
    for split, parts in (("train", ["train"]), ("test", ["t10k"]), ("all", ["train", "t10k"])):
        data = kind(tmp_path, image_size=28, split=split, batch_size=2)
        x, labels = read(data)
        images = np.concatenate([arrays[part][0] for part in parts])
        digits = np.concatenate([arrays[part][1] for part in parts])
        assert torch.equal(x, torch.from_numpy(images)[:, None])
        assert torch.equal(labels, torch.from_numpy(digits).long())
        assert data.identity["data"] == f"{kind.__name__}(image_size=28, split='{split}')"


def test_the_limit_keeps_the_first_samples_and_the_default_size_is_32(tmp_path):
    arrays = write_mnist(tmp_path)
    data = MNIST(tmp_path, batch_size=2, limit=7)
    x, labels = read(data)
    assert data.image_shape == (1, 32, 32)
    assert torch.equal(x, resize(torch.from_numpy(arrays["train"][0])[:, None], 32)[:7])
    assert labels.tolist() == arrays["train"][1][:7].tolist()
    assert data.samples == 7
    assert "limit=7" in data.identity["data"]
    with pytest.raises(ValueError, match="`limit` must be an integer of at least 1, got 0"):
        MNIST(tmp_path, limit=0)
    with pytest.raises(ValueError, match="`split` must be one of train, test, all, got 'val'"):
        MNIST(tmp_path, split="val")


def test_missing_files_are_named_with_what_to_do(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    wanted = r"^MNIST needs the files train-labels-idx1-ubyte in .*download=True.*\.$"
    with pytest.raises(FileNotFoundError, match=wanted):
        MNIST(tmp_path).setup()
    with pytest.raises(
        FileNotFoundError, match=r"nowhere or .*raw, .*dataset-fashion-mnist .*datasets/fashion-mn"
    ):
        FashionMNIST(tmp_path / "nowhere").setup("fit")


def test_images_and_labels_that_do_not_belong_together_are_refused(tmp_path):
    write_mnist(tmp_path, end="")
    write_idx(tmp_path / "train-labels-idx1-ubyte", random_bytes(11, highest=9))
    with pytest.raises(ValueError, match=r"one label for each of the 12 images in .*, found 11\."):
        MNIST(tmp_path).setup()
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.full(12, 10, dtype=np.uint8))
    with pytest.raises(ValueError, match=r"must hold labels from 0 to 9, found 10\."):
        MNIST(tmp_path).setup()
    write_idx(tmp_path / "train-images-idx3-ubyte", random_bytes(12, 28, 27))
    with pytest.raises(ValueError, match=r"must hold images of 28 x 28, found 28 x 27\."):
        MNIST(tmp_path).setup()


def test_downloading_is_left_to_torchvision_and_happens_only_when_told(tmp_path, monkeypatch):
    asked = []

    def download(root, download):
        asked.append((root, download))
        write_mnist(Path(root) / "KMNIST" / "raw")

    monkeypatch.setattr(KMNIST, "_torchvision", staticmethod(download))
    with pytest.raises(FileNotFoundError, match="pass `download=True`"):
        KMNIST(tmp_path).setup()
    assert asked == []
    assert len(read(KMNIST(tmp_path, download=True))[0]) == 12
    KMNIST(tmp_path, download=True).setup()
    assert asked == [(str(tmp_path), True)]


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_debians_fashion_mnist_is_the_published_set():
    data = FashionMNIST(DEBIAN, image_size=28, batch_size=1000)
    x, labels = read(data)
    assert x.shape == (60_000, 1, 28, 28)
    assert labels.bincount().tolist() == [6000] * 10
    assert labels[:5].tolist() == [9, 0, 0, 3, 0]
    # The mean and deviation of the training pixels that every tutorial normalises with.
    torch.testing.assert_close((x / 255).mean().item(), 0.2860, rtol=0, atol=5e-5)
    torch.testing.assert_close((x / 255).std().item(), 0.3530, rtol=0, atol=5e-5)
    x, labels = read(FashionMNIST(DEBIAN, image_size=28, split="test"))
    assert x.shape == (10_000, 1, 28, 28)
    assert labels.bincount().tolist() == [1000] * 10
