"""The order of the batches, its share among ranks, and where a resumed run goes on."""

from types import SimpleNamespace

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from torch import nn

from gan_lightning._seeds import mix
from gan_lightning.data import AbstractGANData
from gan_lightning.data.batches import (
    Batches,
    BatchOrder,
    Clock,
    CountsUpdates,
    MemorySamples,
    epoch_order,
)

SAMPLES, BATCH = 47, 4
LENGTH = SAMPLES // BATCH  # 11 batches, 3 samples left over


class Numbers(AbstractGANData):
    """Samples 0 .. 46, each its own number, so that a batch tells which samples it holds."""

    def __init__(self, batch_size=BATCH, samples=SAMPLES):
        super().__init__((1,), None, batch_size, {})
        self.count = samples

    def read(self):
        return MemorySamples(torch.arange(self.count, dtype=torch.float32)[:, None])


class Recorder(lightning.LightningModule):
    """Writes down what it is given and learns nothing."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen = []

    def training_step(self, batch, batch_idx):
        self.seen.append(batch[:, 0].int().tolist())
        self.optimizers().step()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class CountingRecorder(Recorder):
    """Counts as the library's own families do."""

    def __init__(self, seed=3):
        super().__init__()
        self.discriminator_updates = 0
        self.run_seed = seed

    def training_step(self, batch, batch_idx):
        super().training_step(batch, batch_idx)
        self.discriminator_updates += 1

    def on_save_checkpoint(self, checkpoint):
        checkpoint["updates"] = self.discriminator_updates

    def on_load_checkpoint(self, checkpoint):
        self.discriminator_updates = checkpoint["updates"]


class SaveAt(Callback):
    """Saves after the given number of batches, at a batch's end."""

    def __init__(self, batches, path):
        self.batches = batches
        self.path = path
        self.ended = 0

    def on_train_batch_end(self, trainer, module, *arguments):
        self.ended += 1
        if self.ended == self.batches:
            trainer.save_checkpoint(self.path)


class SaveAtEpochEnd(Callback):
    """Saves when an epoch has ended, where Lightning's own checkpoints often do."""

    def __init__(self, epoch, path):
        self.epoch = epoch
        self.path = path

    def on_train_epoch_end(self, trainer, module):
        if trainer.current_epoch == self.epoch:
            trainer.save_checkpoint(self.path)


def fit(module, data, callbacks=(), ckpt_path=None, **limits):
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
        **limits,
    )
    trainer.fit(module, datamodule=data, ckpt_path=ckpt_path, weights_only=True)
    return module.seen


def expected(batches, seed=3, start=0):
    """The run written out: each epoch's permutation cut into batches."""
    seen = []
    for number in range(start, start + batches):
        epoch, position = divmod(number, LENGTH)
        order = epoch_order(SAMPLES, seed, epoch).tolist()
        seen.append(order[position * BATCH : (position + 1) * BATCH])
    return seen


def flat(lists):
    return [number for numbers in lists for number in numbers]


def test_an_epoch_is_a_permutation_that_differs_between_epochs_and_seeds():
    orders = [epoch_order(1000, seed, epoch) for seed in (0, 1) for epoch in (0, 1, 2)]
    for order in orders:
        torch.testing.assert_close(order.sort().values, torch.arange(1000))
    for i, first in enumerate(orders):
        for second in orders[:i]:
            agreeing = (first == second).sum().item()  # about Poisson(1) by chance
            assert agreeing < 10
    torch.testing.assert_close(epoch_order(1000, 1, 2), epoch_order(1000, 1, 2))


def test_the_mix_of_seed_and_epoch_has_no_collisions_on_a_block_of_seeds_and_epochs():
    mixed = {mix(seed, epoch) for seed in range(-50, 150) for epoch in range(200)}
    assert len(mixed) == 200 * 200
    assert all(0 <= value < 2**64 for value in mixed)
    # splitmix64's published first output for the state 0
    assert mix(0) == 0xE220A8397B1DCDAF


@pytest.mark.parametrize("world_size", [2, 3])
def test_the_ranks_rows_together_are_the_batch_of_a_single_process(world_size):
    single = BatchOrder(SAMPLES, 4 * world_size)
    ranks = [BatchOrder(SAMPLES, 4, world_size, rank) for rank in range(world_size)]
    assert {len(order) for order in ranks} == {len(single)}
    shares = [order.rows(7, 2) for order in ranks]
    for _, rows in zip(range(3 * len(single)), single.rows(7, 2), strict=False):
        torch.testing.assert_close(torch.cat([next(share) for share in shares]), rows)


def test_data_modules_take_rank_and_world_size_from_the_trainer():
    whole = Numbers(batch_size=8)
    parts = []
    for rank in range(2):
        data = Numbers(batch_size=4)
        data.trainer = SimpleNamespace(
            world_size=2, global_rank=rank, lightning_module=None, overfit_batches=0.0
        )
        assert data.identity == {"data": "Numbers()", "samples": SAMPLES, "global_batch": 8}
        parts.append(data.train_dataloader())
    assert [len(part) for part in parts] == [5, 5]
    for x, first, second in zip(whole.train_dataloader(), *parts, strict=True):
        torch.testing.assert_close(torch.cat([first, second]), x)


def test_no_sample_comes_twice_in_an_epoch_and_the_rest_is_dropped():
    seen = fit(CountingRecorder(), Numbers(), max_epochs=3)
    assert seen == expected(3 * LENGTH)
    for epoch in range(3):
        samples = flat(seen[epoch * LENGTH : (epoch + 1) * LENGTH])
        assert len(set(samples)) == len(samples) == LENGTH * BATCH


def test_without_a_trainer_an_iteration_is_one_epoch_and_the_next_one_another():
    batches = Numbers().train_dataloader()
    first, second = (torch.cat(list(batches))[:, 0].int().tolist() for _ in range(2))
    assert first == flat(expected(LENGTH, seed=0))
    assert second == flat(expected(LENGTH, seed=0, start=LENGTH))


def test_two_iterations_side_by_side_do_not_disturb_each_other():
    module = SimpleNamespace(discriminator_updates=5, run_seed=3)
    order = BatchOrder(SAMPLES, BATCH)
    samples = MemorySamples(torch.arange(SAMPLES)[:, None])
    batches = Batches(samples, order, Clock(lambda: module))
    for first, second in zip(batches, batches, strict=True):
        assert torch.equal(first, second)


def test_position_and_seed_are_read_at_the_first_batch_not_when_the_iteration_is_set_up():
    module = SimpleNamespace(discriminator_updates=0, run_seed=0)
    assert isinstance(module, CountsUpdates)
    samples = MemorySamples(torch.arange(SAMPLES)[:, None])
    iteration = iter(Batches(samples, BatchOrder(SAMPLES, BATCH), Clock(lambda: module)))
    module.discriminator_updates, module.run_seed = 9, 3
    seen = [batch[:, 0].tolist() for batch in iteration]
    assert seen == expected(LENGTH, start=9)


# Saved after so many of 33 batches: at the start, the middle and the end of epochs of 11 batches.
@pytest.mark.parametrize("saved", [1, 7, 11, 12, 22, 23])
@pytest.mark.parametrize(
    "limits",
    [{"max_steps": 33}, {"max_epochs": 3}, {"max_steps": 33, "max_epochs": 3}],
    ids=["steps", "epochs", "both"],
)
@pytest.mark.parametrize("kind", [CountingRecorder, Recorder], ids=["counting", "foreign"])
def test_a_resumed_run_sees_the_batches_of_an_uninterrupted_one(tmp_path, saved, limits, kind):
    path = tmp_path / "saved.ckpt"
    limits = {"max_epochs": -1} | limits
    straight = fit(kind(), Numbers(), [SaveAt(saved, path)], **limits)
    assert len(straight) == 33
    assert straight == expected(33, seed=3 if kind is CountingRecorder else 0)
    resumed = fit(kind(), Numbers(), ckpt_path=path, **limits)
    assert resumed == straight[saved:]


@pytest.mark.parametrize("limits", [{"max_steps": 33}, {"max_epochs": 3}], ids=["steps", "epochs"])
@pytest.mark.parametrize("kind", [CountingRecorder, Recorder], ids=["counting", "foreign"])
def test_a_checkpoint_of_an_epochs_end_hook_resumes_likewise(tmp_path, limits, kind):
    path = tmp_path / "saved.ckpt"
    limits = {"max_epochs": -1} | limits
    straight = fit(kind(), Numbers(), [SaveAtEpochEnd(1, path)], **limits)
    assert fit(kind(), Numbers(), ckpt_path=path, **limits) == straight[22:]


def test_limited_epochs_go_through_the_whole_set_in_turn(tmp_path):
    path = tmp_path / "saved.ckpt"
    limits = {"max_epochs": 6, "limit_train_batches": 5}
    straight = fit(CountingRecorder(), Numbers(), [SaveAt(13, path)], **limits)
    assert straight == expected(30)
    assert fit(CountingRecorder(), Numbers(), ckpt_path=path, **limits) == straight[13:]


@pytest.mark.parametrize("share", [2, 0.2])
def test_overfit_batches_serves_the_same_few_batches(share):
    seen = fit(CountingRecorder(), Numbers(), overfit_batches=share, max_steps=6, max_epochs=-1)
    assert seen == expected(2) * 3


def test_a_run_longer_than_the_first_goes_on_from_its_last_checkpoint(tmp_path):
    path = tmp_path / "saved.ckpt"
    fit(CountingRecorder(), Numbers(), [SaveAt(11, path)], max_steps=11, max_epochs=-1)
    longer = fit(CountingRecorder(), Numbers(), ckpt_path=path, max_steps=30, max_epochs=-1)
    assert longer == expected(19, start=11)


def test_a_family_of_the_library_leaves_no_second_count_in_the_checkpoint(tmp_path):
    path = tmp_path / "saved.ckpt"
    fit(CountingRecorder(), Numbers(), [SaveAt(3, path)], max_steps=3)
    assert "Numbers" not in torch.load(path, weights_only=True)
    fit(Recorder(), Numbers(), [SaveAt(3, path)], max_steps=3)
    assert torch.load(path, weights_only=True)["Numbers"] == {"batches_served": 3}


def test_a_global_batch_larger_than_the_set_is_refused():
    with pytest.raises(ValueError, match=r"`batch_size` times .* at most .* 47, got 48 x 1 = 48"):
        Numbers(batch_size=48).train_dataloader()
    with pytest.raises(ValueError, match=r"got 16 x 3 = 48\."):
        BatchOrder(47, 16, 3)
    assert len(BatchOrder(48, 16, 3)) == 1


@pytest.mark.parametrize("batch_size", [0, -3, 2.5, True])
def test_a_batch_size_below_one_is_refused(batch_size):
    with pytest.raises(ValueError, match="`batch_size` must be an integer of at least 1, got"):
        Numbers(batch_size=batch_size)
