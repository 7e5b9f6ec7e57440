"""Few labels, held-out samples, two streams; shares of ranks, and where a resumed run goes on."""

from itertools import islice
from types import SimpleNamespace

import pytest
import torch
from test_batches import CountingRecorder, SaveAt, fit

from gan_lightning.data import AbstractGANData, Digits, ImageFolder
from gan_lightning.data.batches import BatchOrder, MemorySamples
from gan_lightning.data.mixed import MixedOrder, Validation
from gan_lightning.data.semi_supervised import SemiSupervised

CLASSES, EACH = 3, 20
SAMPLES = CLASSES * EACH
WHOLE = 15  # batches of 4 in an epoch of all samples


class Numbered(AbstractGANData):
    """Sample i is the number i and of class i % 3."""

    def __init__(self, batch_size=4, num_classes=CLASSES, samples=SAMPLES):
        super().__init__((1,), num_classes, batch_size, {"count": samples})
        self.count = samples

    def read(self):
        numbers = torch.arange(self.count)
        return MemorySamples(numbers[:, None].float(), numbers % CLASSES)


def few(labels=6, batch_size=4, **kwargs):
    return SemiSupervised(Numbered(batch_size), labels=labels, **kwargs)


def on_rank(data, rank, world_size, updates=0, seed=3):
    module = SimpleNamespace(discriminator_updates=updates, run_seed=seed, named_children=dict)
    data.trainer = SimpleNamespace(
        world_size=world_size, global_rank=rank, lightning_module=module, overfit_batches=0.0
    )
    return data


def served(data, batches, **place):
    """Numbers and labels of the first batches."""
    out = []
    while len(out) < batches:
        place["updates"] = len(out)
        taken = list(islice(on_rank(data, **place).train_dataloader(), batches - len(out)))
        out += [(x[:, 0].long(), y) for x, y in taken]
    return out


ALONE = {"rank": 0, "world_size": 1}


def held_out(data):
    return torch.cat([x[:, 0] for x, _ in data.val_dataloader()]).long()


# --- which labels --------------------------------------------------------------------------------


def test_labels_are_kept_equally_of_each_class_and_are_the_true_ones():
    data = few(labels=9)
    numbers, labels = map(torch.cat, zip(*served(data, 60, **ALONE), strict=True))
    shown = labels >= 0
    assert torch.equal(labels[shown], numbers[shown] % CLASSES)
    kept = numbers[shown].unique()
    assert torch.equal((kept % CLASSES).bincount(), torch.full((CLASSES,), 3))


def test_the_label_seed_chooses_them_and_the_run_seed_does_not():
    def kept(label_seed, seed):
        data = few(label_seed=label_seed)
        numbers, labels = map(torch.cat, zip(*served(data, 30, seed=seed, **ALONE), strict=True))
        return set(numbers[labels >= 0].tolist())

    draws = [kept(label_seed, 3) for label_seed in range(5)]
    assert {len(draw) for draw in draws} == {6}
    assert len({frozenset(draw) for draw in draws}) == 5
    assert kept(2, 8) == draws[2]


def test_held_out_samples_never_train_and_are_the_same_for_every_label_seed():
    draws = [few(label_seed=seed, validation=0.25) for seed in (0, 1)]
    first, second = (held_out(data) for data in draws)
    assert torch.equal(first, second)
    assert torch.equal((first % CLASSES).bincount(), torch.full((CLASSES,), 5))
    assert not torch.equal(first, held_out(few(validation=0.25, validation_seed=1)))
    trained = torch.cat([x for x, _ in served(draws[0], 60, **ALONE)]).unique()
    assert len(trained) == SAMPLES - len(first)  # all others come
    assert not set(trained.tolist()) & set(first.tolist())
    assert draws[0].samples == SAMPLES - len(first)


def test_an_epoch_of_the_stream_is_every_sample_once_without_a_label():
    batches = served(few(validation=0), WHOLE, **ALONE)
    numbers, labels = map(torch.cat, zip(*batches, strict=True))
    assert {len(x) for x, _ in batches} == {8}
    assert torch.equal(numbers[labels < 0].sort().values, torch.arange(SAMPLES))


def test_the_labelled_stream_is_a_permutation_after_the_other():
    batches = served(few(validation=0, labelled_per_batch=4), 9, **ALONE)  # 36 = 6 x 6 labelled
    numbers, labels = map(torch.cat, zip(*batches, strict=True))
    passes = numbers[labels >= 0].view(6, 6)
    assert torch.equal(passes.sort(1).values, passes[0].sort().values.expand(6, 6))
    assert len({tuple(row.tolist()) for row in passes}) > 1  # shuffled anew


@pytest.mark.parametrize(("labels", "shown"), [("all", SAMPLES), (0, 0)])
def test_one_stream_with_all_labels_or_none(labels, shown):
    data = few(labels=labels, validation=0)
    assert data.labelled_per_batch == 0
    numbers, given = map(torch.cat, zip(*served(data, WHOLE, **ALONE), strict=True))
    assert torch.equal(numbers.sort().values, torch.arange(SAMPLES))
    assert torch.equal(given, numbers % CLASSES if shown else torch.full((SAMPLES,), -1))


def test_labels_inside_the_stream_where_no_labelled_ones_are_added():
    data = few(labelled_per_batch=0, validation=0)
    _, labels = map(torch.cat, zip(*served(data, WHOLE, **ALONE), strict=True))
    assert int((labels >= 0).sum()) == 6


# --- ranks and resumed runs ----------------------------------------------------------------------


@pytest.mark.parametrize("labelled", [0, 2, 3, 4, 8])
@pytest.mark.parametrize("world_size", [2, 3])
def test_the_ranks_batches_together_are_the_batch_of_one_process(labelled, world_size):
    whole = few(batch_size=4 * world_size, labelled_per_batch=labelled * world_size)
    alone = served(whole, 25, **ALONE)
    parts = []
    for rank in range(world_size):
        data = few(batch_size=4, labelled_per_batch=labelled)
        parts.append(served(data, 25, rank=rank, world_size=world_size))
        assert data.identity["global_batch"] == (4 + labelled) * world_size
    for (x, y), *shares in zip(alone, *parts, strict=True):
        assert torch.equal(torch.cat([x for x, _ in shares]), x)
        assert torch.equal(torch.cat([y for _, y in shares]), y)
        labelled_of = [int((y >= 0).sum()) for _, y in shares]
        assert labelled == 0 or labelled_of == [labelled] * world_size


@pytest.mark.parametrize("start", [1, 11, 12, 13, 40])
def test_batches_from_any_number_on_are_those_of_an_uninterrupted_run(start):
    order = MixedOrder(BatchOrder(SAMPLES, 5), torch.tensor([3, 7, 30]), 4)
    straight = list(islice(order.rows(9, 0), 60))
    resumed = list(islice(order.rows(9, start), 60 - start))
    assert all(torch.equal(a, b) for a, b in zip(resumed, straight[start:], strict=True))
    other = next(order.rows(8, 0))
    assert not torch.equal(other, straight[0])


class Pairs(CountingRecorder):
    def training_step(self, batch, batch_idx):
        super().training_step(batch[0], batch_idx)
        self.seen[-1] = (self.seen[-1], batch[1].tolist())


@pytest.mark.parametrize("saved", [5, 12, 17])
@pytest.mark.filterwarnings("ignore:You passed in a `val_dataloader`")
def test_a_resumed_fit_sees_the_same_batches(tmp_path, saved):
    path = tmp_path / "saved.ckpt"
    limits = {"max_epochs": -1, "max_steps": 30}
    straight = fit(Pairs(), few(), [SaveAt(saved, path)], **limits)
    assert len(straight) == 30
    assert fit(Pairs(), few(), ckpt_path=path, **limits) == straight[saved:]


# --- validation ----------------------------------------------------------------------------------


@pytest.mark.parametrize("world_size", [1, 2, 3, 5])
@pytest.mark.parametrize("samples", [1, 4, 13, 24])
def test_validation_shows_each_sample_once_on_all_ranks_together(world_size, samples):
    numbers = torch.arange(samples)
    held = MemorySamples(numbers[:, None].float(), numbers % CLASSES)
    loaders = [Validation(held, 4, world_size, rank) for rank in range(world_size)]
    batches = [list(loader) for loader in loaders]
    assert {len(loader) for loader in loaders} == {len(b) for b in batches} == {len(batches[0])}
    shapes = [[len(y) for _, y in rank] for rank in batches]
    assert shapes == [shapes[0]] * world_size  # nobody waits for a rank that has no batch
    x, labels = map(torch.cat, zip(*(pair for rank in batches for pair in rank), strict=True))
    counted = labels >= 0
    assert torch.equal(x[counted][:, 0].long(), numbers)
    assert torch.equal(labels[counted], numbers % CLASSES)


def test_a_set_of_its_own_for_validation():
    data = few(validation=Numbered(samples=12))
    assert torch.equal(held_out(data), torch.arange(12))
    assert data.samples == SAMPLES
    assert "validation=Numbered(count=12)" in data.identity["data"]


def test_nothing_held_out():
    assert few(validation=0).val_dataloader() == []


@pytest.mark.filterwarnings("ignore:You passed in a `val_dataloader`")
def test_a_fit_without_validation():
    assert len(fit(Pairs(), few(validation=0), max_steps=3, max_epochs=-1)) == 3


# --- facts ---------------------------------------------------------------------------------------


def test_facts_are_those_of_the_inner_set_and_of_the_labels():
    data = SemiSupervised(Digits(image_size=8, batch_size=32), labels=50, label_seed=4)
    assert (data.image_shape, data.num_classes, data.batch_size) == ((1, 8, 8), 10, 64)
    assert data.identity == {
        "data": "SemiSupervised(data=Digits(image_size=8), labels=50, labelled_per_batch=32, "
        "label_seed=4, validation=0.2, validation_seed=0)",
        "samples": data.samples,
        "global_batch": 64,
    }
    x, labels = next(iter(data.val_dataloader()))
    x = data.on_after_batch_transfer(x, 0)
    assert x.shape == (32, 1, 8, 8)
    assert x.dtype == torch.float32
    assert labels.min() >= 0


def test_a_folder_on_disk(tmp_path):
    from PIL import Image

    for name, grey in (("a", 10), ("b", 200)):
        (tmp_path / name).mkdir()
        for number in range(8):
            Image.new("L", (8, 8), grey + number).save(tmp_path / name / f"{number}.png")
    folder = ImageFolder(tmp_path, image_size=8, batch_size=4, channels=1)
    data = SemiSupervised(folder, labels=4, labelled_per_batch=2, validation=0.25)
    for x, labels in data.train_dataloader():
        shown = labels >= 0
        assert int(shown.sum()) == 2
        assert torch.equal((x[shown].flatten(1)[:, 0] >= 200).long(), labels[shown])
    assert data.identity["data"].endswith(f"files={folder.digest()!r})")


def test_somebody_elses_samples_are_read_through_once():
    class Own:
        def __init__(self):
            self.inner = Numbered().read()

        def __len__(self):
            return len(self.inner)

        def batches(self, rows):
            return self.inner.batches(rows)

    class OwnData(Numbered):
        def read(self):
            return Own()

    own, usual = SemiSupervised(OwnData(), labels=6), few()
    for a, b in zip(served(own, 5, **ALONE), served(usual, 5, **ALONE), strict=True):
        assert torch.equal(a[0], b[0])
        assert torch.equal(a[1], b[1])


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"labels": 7}, "`labels` must be 'all' or a multiple of the 3 classes, .* got 7"),
        ({"labels": -3}, "`labels` must be 'all' or a multiple of the 3 classes, .* got -3"),
        ({"labels": "some"}, "`labels` must be 'all' or a multiple .* got 'some'"),
        (
            {"labelled_per_batch": -1},
            "`labelled_per_batch` must be an integer of at least 0, or None, got -1",
        ),
        (
            {"labels": 0, "labelled_per_batch": 4},
            "`labelled_per_batch` must be 0 where `labels` is 0, .* got 4",
        ),
        ({"validation": 1.0}, r"`validation` must be a share in \[0, 1\), got 1.0"),
        (
            {"validation": Digits()},
            r"`validation` must have .* of `data`, \(\(1,\), 3\), got \(\(1, 16, 16\), 10\)",
        ),
    ],
)
def test_refused_arguments(kwargs, match):
    with pytest.raises(ValueError, match=match):
        few(**kwargs)


def test_a_set_without_labels():
    with pytest.raises(ValueError, match="`data` must be a labelled set, got Numbered, which has"):
        SemiSupervised(Numbered(num_classes=None))


def test_more_labels_than_samples():
    with pytest.raises(
        ValueError,
        match="`labels` must be at most 3 times the training samples of the smallest class, but "
        "class 0 has 16, got 51",
    ):
        few(labels=51).setup()


def test_a_stream_shorter_than_a_batch():
    with pytest.raises(ValueError, match="`batch_size` times the number of processes must be at"):
        few(batch_size=50).train_dataloader()
