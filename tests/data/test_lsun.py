"""LSUN, against a stand-in for the database that behaves as lmdb does."""

import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from gan_lightning.data import LSUN
from gan_lightning.data.disk import load_image

# Python 3.12 warns of forking a process that has threads; torch's workers are forked.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


def write_image(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (14, 20, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def batches(data):
    return list(data.train_dataloader())


def test_an_unknown_category_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"`category` must be one of bedroom, .*got 'cat'"):
        LSUN(tmp_path, category="cat")


def test_lsun_without_its_package_or_folder_is_refused(tmp_path, monkeypatch):
    data = LSUN(tmp_path, category="tower", split="val")
    assert (data.image_shape, data.num_classes) == ((3, 64, 64), None)
    with pytest.raises(FileNotFoundError, match=r"LSUN needs the LMDB folder .*tower_val_lmdb, wh"):
        data.setup()
    (tmp_path / "tower_val_lmdb").mkdir()
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs the package lmdb, .* `pip install lmdb`"):
        LSUN(tmp_path, category="tower", split="val").setup()


class FakeDatabase:
    """The few methods of lmdb's environment that reading needs, over files of a folder."""

    opened: ClassVar = set()

    def __init__(self, folder, **arguments):
        assert arguments["readonly"]
        if folder in self.opened:  # lmdb refuses it so, in forked processes too
            raise RuntimeError("already open in this process")
        self.opened.add(folder)
        self.folder = Path(folder)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.opened.remove(str(self.folder))

    def begin(self):
        return nullcontext(self)

    def cursor(self):
        return self

    def iternext(self, keys, values):
        assert (keys, values) == (True, False)
        return (path.name.encode() for path in sorted(self.folder.iterdir()))

    def get(self, key):
        return (self.folder / key.decode()).read_bytes()


@pytest.fixture
def lmdb(monkeypatch):
    fake = ModuleType("lmdb")
    fake.open = FakeDatabase
    fake.Error = RuntimeError
    monkeypatch.setitem(sys.modules, "lmdb", fake)
    return fake


def test_a_file_that_is_no_database_is_refused(tmp_path, lmdb, monkeypatch):
    def refuse(folder, **arguments):
        raise lmdb.Error("MDB_INVALID")

    monkeypatch.setattr(lmdb, "open", refuse)
    (tmp_path / "tower_train_lmdb").mkdir()
    with pytest.raises(ValueError, match=r"tower_train_lmdb must be an LMDB .*\(MDB_INVALID\)"):
        LSUN(tmp_path, category="tower").setup()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_lsun_reads_keys_and_images_from_its_database(tmp_path, lmdb, num_workers):
    folder = tmp_path / "bridge_train_lmdb"
    for number in range(6):
        write_image(folder / f"{number}.webp", seed=number)
    truth = {load_image(path, (3, 8, 8)).numpy().tobytes() for path in folder.iterdir()}
    assert LSUN(tmp_path, "bridge").samples == 6
    data = LSUN(tmp_path, "bridge", image_size=8, batch_size=2, num_workers=num_workers)
    seen = [image.numpy().tobytes() for x in batches(data) for image in x]
    assert len(seen) == 6
    assert set(seen) == truth
    (folder / "3.webp").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"^Image 3\.webp in .*bridge_train_lmdb must be a compl"):
        batches(data)


@pytest.mark.usefixtures("lmdb")
def test_the_identity_follows_the_database(tmp_path):
    folder = tmp_path / "tower_val_lmdb"
    folder.mkdir()

    def identity(size):
        (folder / "data.mdb").write_bytes(b"x" * size)
        return LSUN(tmp_path, "tower", split="val", batch_size=1).identity

    first = identity(10)
    assert first["samples"] == 1
    assert "files='" in first["data"]
    assert identity(10) == first
    assert identity(11)["data"] != first["data"]
