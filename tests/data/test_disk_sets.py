"""Sets of image files: order, workers, labels, and what is refused."""

import hashlib
import re
from types import SimpleNamespace

import lightning
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import datasets
from torchvision.transforms import functional as TF

from gan_lightning.data import CelebA, ImageFolder
from gan_lightning.data.base import fetching
from gan_lightning.data.disk import load_image

# Python 3.12 warns of forking a process that has threads; torch's workers are forked.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


def write_image(path, width=10, height=12, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def labelled_folder(root, counts=(("cats", 9), ("horses", 8))):
    for name, count in counts:
        for number in range(count):
            write_image(root / name / f"{number:02}.png", seed=len(name) * 100 + number * 7)
    return root


def batches(data, passes=1):
    loader = data.train_dataloader()
    return [batch for _ in range(passes) for batch in loader]


def test_images_are_cropped_and_resized_as_torchvision_does(tmp_path):
    path = write_image(tmp_path / "image.png", width=61, height=40)
    image = Image.open(path).convert("RGB")
    for size in (8, 32):
        square = TF.center_crop(image, [40])
        resized = TF.resize(square, [size, size], TF.InterpolationMode.BICUBIC)
        assert torch.equal(load_image(path, (3, size, size)), TF.pil_to_tensor(resized))
    square = TF.resize(TF.center_crop(image, [24]), [8, 8], TF.InterpolationMode.BICUBIC)
    assert torch.equal(load_image(path, (3, 8, 8), crop=24), TF.pil_to_tensor(square))
    assert load_image(path, (1, 8, 8)).shape == (1, 8, 8)


def test_an_image_folders_classes_are_its_sub_folders(tmp_path):
    data = ImageFolder(labelled_folder(tmp_path), image_size=8, batch_size=4)
    assert (data.image_shape, data.num_classes, data.classes) == ((3, 8, 8), 2, ["cats", "horses"])
    identity = data.identity
    arguments = r"classes=\['cats', 'horses'\], image_size=8, channels=3, files='[0-9a-f]{16}'"
    assert re.fullmatch(rf"ImageFolder\({arguments}\)", identity.pop("data"))
    assert identity == {"samples": 17, "global_batch": 4}
    reference = datasets.ImageFolder(str(tmp_path))
    truth = {load_image(path, (3, 8, 8)).numpy().tobytes(): label for path, label in reference.imgs}
    seen = batches(data)
    assert len(seen) == 4
    for x, labels in seen:
        assert x.shape == (4, 3, 8, 8)
        assert x.dtype == torch.uint8
        assert labels.tolist() == [truth[image.numpy().tobytes()] for image in x]
    images = [image.numpy().tobytes() for x, _ in seen for image in x]
    assert len(set(images)) == 16


def test_the_identity_changes_with_the_files(tmp_path):
    for number, size in enumerate((3, 5)):
        (tmp_path / "set" / "deep").mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / "deep" / f"{number}.png").write_bytes(b"x" * size)

    def data():
        return ImageFolder(tmp_path / "set", image_size=8).identity["data"]

    lines = b"deep/0.png 3\ndeep/1.png 5\n"
    before = data()
    assert f"files='{hashlib.blake2b(lines, digest_size=8).hexdigest()}'" in before
    (tmp_path / "set").rename(tmp_path / "moved")
    (tmp_path / "moved").rename(tmp_path / "set")
    assert data() == before
    (tmp_path / "set" / "deep" / "1.png").write_bytes(b"y" * 6)
    other_size = data()
    (tmp_path / "set" / "deep" / "1.png").rename(tmp_path / "set" / "deep" / "2.png")
    assert len({before, other_size, data()}) == 3


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_grey_levels_of_16_bits_are_scaled(tmp_path, mode):
    levels = np.arange(0, 65536, 1024).reshape(8, 8)
    levels[0, 1], levels[-1, -1] = 128, 65535
    kinds = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4"}
    image = Image.frombytes(mode, (8, 8), levels.astype(kinds[mode]).tobytes())
    image.save(tmp_path / "image.tif")
    with Image.open(tmp_path / "image.tif") as opened:
        assert opened.mode == mode
    expected = torch.from_numpy(np.rint(levels / 257).astype(np.uint8))
    assert expected[0, :2].tolist() == [0, 0]
    assert expected[-1, -1] == 255
    assert torch.equal(load_image(tmp_path / "image.tif", (1, 8, 8))[0], expected)
    colour = load_image(tmp_path / "image.tif", (3, 8, 8))
    assert torch.equal(colour, expected.expand(3, 8, 8))


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (
            np.ones((8, 8), np.float32),
            r"^Image .*1\.tif must be .* pixels are floats, mode F, whose",
        ),
        (np.full((8, 8), 70_000, np.int32), r"^Image .*1\.tif must be .* integers beyond 16 bits"),
        (np.full((8, 8), -1, np.int32), r"^Image .*1\.tif must be .* integers beyond 16 bits"),
    ],
)
def test_levels_without_a_known_white_are_refused(tmp_path, values, match):
    Image.fromarray(values).save(tmp_path / "1.tif")
    with pytest.raises(ValueError, match=match):
        batches(ImageFolder(tmp_path, image_size=8, batch_size=1))


def test_workers_and_memory_change_nothing_about_the_batches(tmp_path):
    root = labelled_folder(tmp_path)
    state = torch.random.get_rng_state()
    kept, here, there = (
        batches(ImageFolder(root, image_size=8, batch_size=4, **arguments), passes=3)
        for arguments in ({"in_memory": True}, {"num_workers": 0}, {"num_workers": 2})
    )
    assert torch.equal(torch.random.get_rng_state(), state)
    assert len(kept) == 12
    for (x, labels), *others in zip(kept, here, there, strict=True):
        for other_x, other_labels in others:
            assert torch.equal(x, other_x)
            assert torch.equal(labels, other_labels)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_ranks_batches_together_are_the_batch_of_a_single_process(tmp_path, num_workers):
    root = labelled_folder(tmp_path)
    whole = batches(ImageFolder(root, image_size=8, batch_size=8))
    parts = []
    for rank in range(2):
        data = ImageFolder(root, image_size=8, batch_size=4, num_workers=num_workers)
        data.trainer = SimpleNamespace(
            world_size=2, global_rank=rank, lightning_module=None, overfit_batches=0.0
        )
        parts.append(batches(data))
    for (x, labels), (x0, labels0), (x1, labels1) in zip(whole, *parts, strict=True):
        assert torch.equal(torch.cat([x0, x1]), x)
        assert torch.equal(torch.cat([labels0, labels1]), labels)


class Recorder(lightning.LightningModule):
    """Counts as the library's own families do, and keeps what it sees."""

    def __init__(self, stop_at=None):
        super().__init__()
        self.automatic_optimization = False
        self.weight = nn.Parameter(torch.zeros(1))
        self.discriminator_updates = 0
        self.run_seed = 5
        self.seen = []
        self.stop_at = stop_at

    def training_step(self, batch, batch_idx):
        self.seen.append(batch[0].clone())
        self.optimizers().step()
        self.discriminator_updates += 1

    def on_train_batch_end(self, *arguments):
        if self.discriminator_updates == self.stop_at:
            self.trainer.save_checkpoint(self.path)

    def on_save_checkpoint(self, checkpoint):
        checkpoint["updates"] = self.discriminator_updates

    def on_load_checkpoint(self, checkpoint):
        self.discriminator_updates = checkpoint["updates"]

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(module, data, ckpt_path=None):
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_steps=12,
        max_epochs=-1,
    )
    trainer.fit(module, datamodule=data, ckpt_path=ckpt_path, weights_only=True)
    return module.seen


@pytest.mark.parametrize("saved", [4, 6])
def test_a_run_resumed_with_workers_sees_what_one_without_them_sees(tmp_path, saved):
    root = labelled_folder(tmp_path / "images")
    first = Recorder(stop_at=saved)
    first.path = tmp_path / "saved.ckpt"
    straight = fit(first, ImageFolder(root, image_size=8, batch_size=4))
    data = ImageFolder(root, image_size=8, batch_size=4, num_workers=2)
    resumed = fit(Recorder(), data, ckpt_path=first.path)
    assert len(straight) == 12
    for x, y in zip(straight[saved:], resumed, strict=True):
        assert torch.equal(x, y)
    assert x.dtype == torch.float32
    assert x.abs().max() <= 1


def test_a_folder_without_sub_folders_is_unlabelled(tmp_path):
    for number in range(6):
        write_image(tmp_path / f"{number}.png", seed=number)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".thumbnails").mkdir()
    data = ImageFolder(tmp_path, image_size=8, batch_size=2, channels=1)
    assert (data.image_shape, data.num_classes, data.samples) == ((1, 8, 8), None, 6)
    assert [x.shape for x in batches(data)] == [(2, 1, 8, 8)] * 3


@pytest.mark.parametrize("arguments", [{}, {"num_workers": 2}, {"in_memory": True}])
@pytest.mark.parametrize("damage", ["truncated", "no image"])
def test_a_corrupt_image_is_named_in_one_sentence(tmp_path, arguments, damage):
    labelled_folder(tmp_path)
    path = tmp_path / "horses" / "03.png"
    path.write_bytes(path.read_bytes()[:200] if damage == "truncated" else b"<html></html>")
    data = ImageFolder(tmp_path, image_size=8, batch_size=4, **arguments)
    with pytest.raises(ValueError, match=r"^Image .*03\.png must be a complete image .*\)\.$"):
        batches(data, passes=2)


def test_missing_and_empty_folders_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`root` must be a folder with images, got .*none"):
        ImageFolder(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"`root` must have images .* which holds none"):
        ImageFolder(tmp_path)
    labelled_folder(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"in every class, got .*empty, which holds none"):
        ImageFolder(tmp_path)


def test_arguments_out_of_range_are_refused(tmp_path):
    labelled_folder(tmp_path)
    with pytest.raises(ValueError, match=r"`num_workers` must be an integer of at least 0, got -1"):
        ImageFolder(tmp_path, num_workers=-1)
    with pytest.raises(ValueError, match="`channels` must be 1 or 3, got 4"):
        ImageFolder(tmp_path, channels=4)
    with pytest.raises(ValueError, match=r"`image_size` must be one of 8, .*256, got 48"):
        ImageFolder(tmp_path, image_size=48)
    with pytest.raises(ValueError, match=r"`crop` must be at most 178, .*got 200"):
        CelebA(tmp_path, crop=200)


def write_celeba(root, counts=(5, 3, 2)):
    lines = []
    for part, count in enumerate(counts):
        for _ in range(count):
            name = f"{len(lines) + 1:06}.jpg"
            write_image(root / "celeba" / "img_align_celeba" / name, 178, 218, seed=len(lines))
            lines.append(f"{name} {part}\n")
    (root / "celeba" / "list_eval_partition.txt").write_text("".join(lines))


def test_celeba_is_split_by_its_list_and_cropped(tmp_path):
    write_celeba(tmp_path)
    sizes = {"train": 5, "valid": 3, "test": 2, "all": 10}
    for split, size in sizes.items():
        data = CelebA(tmp_path, image_size=8, batch_size=2, split=split, num_workers=0)
        assert (data.image_shape, data.num_classes, data.samples) == ((3, 8, 8), None, size)
    data = CelebA(tmp_path, image_size=16, batch_size=5, crop=108, num_workers=0)
    folder = tmp_path / "celeba" / "img_align_celeba"
    truth = {
        load_image(folder / f"{number:06}.jpg", (3, 16, 16), crop=108).numpy().tobytes()
        for number in range(1, 6)
    }
    assert {image.numpy().tobytes() for image in batches(data)[0]} == truth


def test_celeba_is_refused_when_missing_or_corrupt_and_downloaded_only_when_told(
    tmp_path, monkeypatch
):
    asked = []

    def download(root, split, download):
        asked.append(split)
        write_celeba(tmp_path)

    monkeypatch.setattr(datasets, "CelebA", download)
    with pytest.raises(FileNotFoundError, match=r"^CelebA needs the folder img_align.*download=Tr"):
        CelebA(tmp_path).setup()
    assert asked == []
    CelebA(tmp_path, download=True).setup()
    CelebA(tmp_path, download=True).setup()
    assert asked == ["train"]
    (tmp_path / "celeba" / "list_eval_partition.txt").write_text("000001.jpg 7\n")
    with pytest.raises(
        ValueError, match=r"list_eval_partition\.txt must hold lines of a file name"
    ):
        CelebA(tmp_path).setup()


def test_celebas_identity_follows_its_list(tmp_path):
    write_celeba(tmp_path)

    def data(split):
        return CelebA(tmp_path, image_size=8, split=split, num_workers=0).identity["data"]

    before = data("train")
    names = b"".join(b"%06d.jpg\n" % number for number in range(1, 6))
    assert f"files='{hashlib.blake2b(names, digest_size=8).hexdigest()}'" in before
    assert data("valid").split("files=")[1] != before.split("files=")[1]
    partition = tmp_path / "celeba" / "list_eval_partition.txt"
    partition.write_text(partition.read_text().replace("000001.jpg", "000099.jpg"))
    assert data("train") != before


def test_celeba_without_a_network_is_refused_in_one_sentence(tmp_path, monkeypatch):
    def offline(*arguments, **more):
        raise RuntimeError("To download files from GDrive,\n'gdown' is required.")

    monkeypatch.setattr(datasets, "CelebA", offline)
    wanted = (
        r"^`download` needs the network, but CelebA could not be fetched into '.*': To .*red\.$"
    )
    with pytest.raises(ConnectionError, match=wanted):
        CelebA(tmp_path, download=True).setup()


def test_a_full_disk_is_no_failure_of_the_network(tmp_path):
    with pytest.raises(OSError, match="No space left") as caught, fetching("CIFAR10", tmp_path):
        raise OSError(28, "No space left on device")
    assert not isinstance(caught.value, ConnectionError)
