"""What the hook makes of a batch, and which dtype it takes."""

import lightning
import pytest
import torch
from torch import nn

from gan_lightning.data import Digits, GaussianRing
from gan_lightning.data.base import check_image_size, to_unit_range


class Pair(lightning.LightningModule):
    """A module with a generator among other networks, in other dtypes."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.critic = nn.Linear(2, 2)
        self.generator = nn.Linear(2, 2)
        self.batches = []

    def training_step(self, batch, batch_idx):
        self.batches.append(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(module, data, **arguments):
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_epochs=1,
        limit_train_batches=2,
        **arguments,
    )
    trainer.fit(module, datamodule=data)
    return module.batches


def test_every_grey_level_becomes_its_place_between_minus_one_and_one():
    levels = torch.arange(256, dtype=torch.uint8)
    truth = torch.tensor([-1 + 2 * level / 255 for level in range(256)], dtype=torch.float64)
    torch.testing.assert_close(to_unit_range(levels, torch.float64), truth, rtol=0, atol=1e-15)
    torch.testing.assert_close(
        to_unit_range(levels, torch.float32), truth.float(), rtol=0, atol=1.2e-7
    )
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        ends = to_unit_range(levels, dtype)[[0, 255]]
        assert ends.tolist() == [-1.0, 1.0]
        assert ends.dtype == dtype
    # in half precision: the float32 result, rounded once
    for dtype in (torch.float16, torch.bfloat16):
        once = to_unit_range(levels, torch.float32).to(dtype)
        assert torch.equal(to_unit_range(levels, dtype), once)


@pytest.mark.parametrize(
    ("precision", "dtype"), [("32-true", torch.float32), ("64-true", torch.float64)]
)
def test_images_take_the_dtype_of_the_generator(precision, dtype):
    x, labels = fit(Pair(), Digits(), precision=precision)[1]
    assert x.shape == (64, 1, 16, 16)
    assert x.dtype == dtype
    assert labels.dtype == torch.int64
    assert x.min() == -1
    assert 0.9 < x.max() <= 1


def test_the_generator_decides_where_networks_differ():
    module = Pair()
    module.generator.double()
    assert fit(module, Digits())[0][0].dtype == torch.float64
    assert fit(module, GaussianRing(samples=600))[-1].dtype == torch.float64


def test_without_a_module_images_become_float32():
    data = Digits()
    raw, labels = next(iter(data.train_dataloader()))
    assert raw.dtype == torch.uint8
    x, same = data.on_after_batch_transfer((raw, labels), 0)
    assert x.dtype == torch.float32
    assert same is labels
    torch.testing.assert_close(x, raw / 127.5 - 1)


def test_image_sizes_are_powers_of_two_or_the_sets_own():
    for size in (8, 16, 32, 64, 128, 256):
        check_image_size(size)
    check_image_size(28, native=28)
    for size in (0, -8, 4, 28, 48, 512, 16.5, True):
        with pytest.raises(ValueError, match=r"`image_size` must be one of 8, 16, .*256, got"):
            check_image_size(size)
    with pytest.raises(ValueError, match=r"must be one of 8, 16, 28, 32, .*, got 27"):
        check_image_size(27, native=28)
