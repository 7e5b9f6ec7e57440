"""What is remembered between two looks, and where real samples come from."""

import pytest
import torch
from families.cases import CASES
from lightning.pytorch.callbacks import Callback
from looks import Unseen
from support import LabelledPoints, differences, mlp_game, points, trainer
from torch.utils.data import DataLoader, TensorDataset

from gan_lightning.callbacks.monitors.observer import Observer, default_interval
from gan_lightning.callbacks.monitors.reals import affordable
from gan_lightning.data import Digits, GaussianRing
from gan_lightning.families import NonSaturatingGAN


class Watch(Callback):
    """What an observer sees, and every cost as it is."""

    def __init__(self, observer):
        self.observer = observer
        self.seen, self.costs = [], []

    def on_train_start(self, trainer, module):
        self.observer.start(trainer, module)

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        stepped = module.generator_stepped
        self.costs.append(
            {n: float(c) for n, c in module.losses.items() if stepped or n == "discriminator"}
        )
        self.observer.watch(trainer, module, batch)
        if self.observer.due(trainer, module):
            self.seen.append(self.observer.look(module))


def fit(observer, module=None, data=None, loader=None, **kwargs):
    watch = Watch(observer)
    run = trainer(**{"max_steps": 6, "callbacks": [watch]} | kwargs)
    module = module or mlp_game(NonSaturatingGAN)
    if loader is None:
        run.fit(module, datamodule=data or points())
    else:
        run.fit(module, loader)
    return watch


@pytest.mark.parametrize(
    ("max_steps", "interval"),
    [(-1, 200), (1, 20), (999, 20), (1000, 20), (2000, 40), (50_000, 1000), (10**6, 1000)],
)
def test_default_interval(max_steps, interval):
    assert default_interval(max_steps) == interval


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"every_n_steps": 0}, "`every_n_steps` must be an integer of at least 1, got 0"),
        ({"number": 7}, "`number` must be an integer of at least 8, got 7"),
    ],
)
def test_arguments_out_of_range(arguments, match):
    with pytest.raises(ValueError, match=match):
        Observer(**arguments)


@pytest.mark.parametrize("k", [1, 3])
def test_every_players_costs_since_the_last_look(k):
    watch = fit(Observer(2, 8), mlp_game(NonSaturatingGAN, discriminator_steps=k))
    assert [seen.step for seen in watch.seen] == [2, 4, 6]
    for i, seen in enumerate(watch.seen):
        since = watch.costs[2 * k * i : 2 * k * (i + 1)]
        for player, number in (("discriminator", 2 * k), ("generator", 2)):
            expected = [costs[player] for costs in since if player in costs]
            assert len(expected) == number
            assert seen.losses[player].tolist() == pytest.approx(expected, rel=1e-6)


def test_many_costs_become_one_tensor(monkeypatch):
    monkeypatch.setattr("gan_lightning.callbacks.monitors.observer._FOLDED", 4)
    watch = fit(Observer(6, 8))
    expected = [costs["generator"] for costs in watch.costs]
    assert watch.seen[0].losses["generator"].tolist() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("every", "rows"), [(0, 0), (1, 3), (2, 1), (3, 1), (100, 0)])
def test_rows_that_were_logged_since_the_last_look(every, rows):
    watch = fit(Observer(3, 8), log_every_n_steps=every)
    assert len(watch.seen[0].rows) == rows
    for row in watch.seen[0].rows:
        assert row["grad_norm/generator"] > 0


def test_an_interval_longer_than_the_run_looks_never():
    assert fit(Observer(7, 8)).seen == []


def test_real_samples_are_drawn_from_the_data_module_and_one_half_is_judged():
    watch = fit(Observer(6, 16))
    expected = torch.cat(list(points().real_chunks(32)))
    torch.testing.assert_close(watch.observer.real[0], expected, rtol=0, atol=0)
    assert watch.observer.real[1] is None
    assert watch.seen[0].logits["real"].shape == (16,)
    assert "heldout" not in watch.seen[0].logits


def test_a_set_smaller_than_the_reservoir_is_taken_whole():
    watch = fit(Observer(6, 256))
    assert watch.observer.real[0].shape == (8 * 11 + 3, 2)
    assert watch.seen[0].logits["real"].shape == (91,)
    assert watch.seen[0].samples.shape == (256, 2)


def loader_of(x, batch_size, labels=None):
    data = TensorDataset(x) if labels is None else TensorDataset(x, labels)
    return DataLoader(data, batch_size, shuffle=False, num_workers=0)


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
@pytest.mark.filterwarnings("ignore:.*number of training batches")
class TestPlainLoaders:
    """Without a data module the first batches of training are the reservoir."""

    def test_the_first_batches_are_kept(self):
        x = torch.randn(200, 2)
        watch = fit(Observer(3, 16), loader=loader_of(x, 7))
        torch.testing.assert_close(watch.observer.real[0], x[:32], rtol=0, atol=0)
        assert "real" not in watch.seen[0].logits  # 21 samples so far
        assert watch.seen[1].logits["real"].shape == (16,)

    def test_labels_go_with_them(self):
        labels = torch.arange(60) % 3
        watch = fit(
            Observer(3, 8),
            CASES["cgan"].make(),
            loader=loader_of(torch.randn(60, 2), 10, labels),
        )
        assert torch.equal(watch.observer.real[1], labels[:16])
        assert watch.seen[0].logits["real"].shape == (8,)

    def test_no_sample_comes_twice(self):
        x = torch.randn(20, 2)
        watch = fit(Observer(6, 16), loader=loader_of(x, 10))
        torch.testing.assert_close(watch.observer.real[0], x, rtol=0, atol=0)

    def test_two_samples_are_enough_and_one_is_not(self):
        x = torch.randn(2, 2)
        assert len(fit(Observer(6, 8), loader=loader_of(x, 2)).observer.real[0]) == 2
        with pytest.raises(ValueError, match=r"must hold at least 2 samples .* got 1"):
            fit(Observer(6, 8), loader=loader_of(x[:1], 1))


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
@pytest.mark.filterwarnings("ignore:.*number of training batches")
def test_images_of_batches_are_kept_in_half_the_bytes_more_precisely_than_8_bits():
    module = CASES["dcgan"].make()
    images = torch.rand(40, 1, 8, 8) * 2 - 1
    observer = Observer(20, 16)
    run = trainer(max_steps=3, callbacks=[Watch(observer)])
    run.fit(module, DataLoader(images, 20))
    kept = observer.state_dict()["real"][0]
    assert kept.dtype == torch.float16
    assert torch.equal(kept.float(), observer.real[0])
    assert float((observer.real[0] - images[:32]).abs().max()) < 1 / 255 / 4


def test_a_training_set_of_one_sample_is_refused():
    data = points(batch_size=1, batches=1)
    observer = Observer(6, 8)
    run = trainer(max_steps=1)
    module = mlp_game(NonSaturatingGAN)
    run.fit(module, datamodule=data)
    data._samples.x = data._samples.x[:1]
    with pytest.raises(ValueError, match=r"must hold at least 2 samples .* got 1"):
        observer.start(run, module)


def test_heldout_samples_are_judged_beside_the_others():
    heldout = GaussianRing(samples=19, batch_size=8, data_seed=1)
    watch = fit(Observer(6, 16, heldout=heldout))
    assert {name: len(x) for name, x in watch.seen[0].logits.items()} == {
        "fake": 16,
        "real": 16,
        "heldout": 16,
    }
    expected = torch.cat(list(heldout.real_chunks(16)))
    assert torch.equal(watch.observer.unseen[0], expected)


@pytest.mark.parametrize(
    ("heldout", "module", "data", "match"),
    [
        (object(), "minimax", points, "`heldout` must be a data module .* got object"),
        (Digits(image_size=8), "minimax", points, r"shape \(2,\) as in training, got \(1, 8, 8\)"),
        (points(), "cgan", LabelledPoints, "labels for CGAN.* got GaussianRing without any"),
    ],
)
def test_heldout_samples_that_cannot_be_judged_are_refused(heldout, module, data, match):
    with pytest.raises(ValueError, match=match):
        fit(Observer(6, 8, heldout=heldout), CASES[module].make(), data())


def test_training_samples_are_no_heldout_ones():
    """Neither the same set in another size, nor the same samples by another name."""
    with pytest.raises(ValueError, match=r"`heldout` must .* not trained on, got 'GaussianRing\("):
        fit(Observer(6, 8, heldout=points(8, 3)))
    same = Unseen(points())
    same.real_chunks = points().real_chunks
    for given in ({}, {"loader": DataLoader(torch.cat(list(points().real_chunks())), 8)}):
        with pytest.warns(UserWarning, match="`heldout` should serve .* 16 of 16 are"):
            fit(Observer(6, 16, heldout=same), max_steps=4, **given)
        fit(Observer(6, 16, heldout=Unseen(points())), max_steps=4, **given)


def test_heldout_samples_of_another_shape_than_batches_are_refused():
    x = torch.randn(64, 2)
    with pytest.raises(ValueError, match=r"shape \(2,\) as in training, got \(1, 8, 8\)"):
        fit(Observer(6, 8, heldout=Digits(image_size=8)), loader=DataLoader(x, 8))


@pytest.mark.parametrize(
    ("shape", "number"),
    [((2,), 256), ((3, 64, 64), 256), ((3, 128, 128), 84), ((3, 256, 256), 64)],
)
def test_of_large_images_fewer_are_looked_at(shape, number):
    assert affordable(256, shape) == number
    assert affordable(16, shape) == 16
    bytes_of_all = 3 * number * 4 * torch.Size(shape).numel()
    assert bytes_of_all <= 50_000_000 or number == 64


def test_all_sets_of_a_look_are_smaller_then(monkeypatch):
    for name, value in {"_MOST_BYTES": 3 * 8 * 12, "_LEAST": 2}.items():
        monkeypatch.setattr(f"gan_lightning.callbacks.monitors.reals.{name}", value)
    heldout, x = Unseen(points()), torch.randn(64, 2)
    for given in ({}, {"loader": DataLoader(x, 8)}):
        watch = fit(Observer(6, 16, heldout=heldout), **given)
        (seen,) = watch.seen
        assert {name: len(logits) for name, logits in seen.logits.items()} == {
            "fake": 12,
            "real": 12,
            "heldout": 12,
        }
        assert (len(seen.samples), len(watch.observer.real[0])) == (12, 24)


def test_a_conditional_family_is_looked_at_in_all_of_its_classes():
    watch = fit(Observer(6, 8), CASES["cgan"].make(), LabelledPoints())
    assert watch.seen[0].labels.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert fit(Observer(6, 8)).seen[0].labels is None


def test_what_is_remembered_survives_a_checkpoint(tmp_path):
    """The state, written and read in the middle between two looks, gives the same next look."""
    observer, other = Observer(4, 8), Observer(4, 8)

    class Halfway(Watch):
        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            if trainer.global_step == 3:
                self.observer.watch(trainer, module, batch)
                torch.save(self.observer.state_dict(), tmp_path / "state.pt")
                other.start(trainer, module)
                other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
                return
            if trainer.global_step == 4:
                other.watch(trainer, module, batch)
                self.again = other.look(module)
            super().on_train_batch_end(trainer, module, outputs, batch, batch_idx)

    watch = Halfway(observer)
    trainer(max_steps=4, callbacks=[watch]).fit(mlp_game(NonSaturatingGAN), datamodule=points())
    assert len(watch.seen) == 1
    assert watch.seen[0].losses["generator"].shape == (4,)
    assert len(watch.seen[0].rows) == 4
    assert differences(vars(watch.seen[0]), vars(watch.again)) == []


def test_a_new_fit_starts_afresh():
    observer = Observer(6, 8)
    fit(observer, max_steps=3)
    assert observer.state_dict()["losses"]["generator"].shape == (3,)
    assert fit(observer, max_steps=6).seen[0].losses["generator"].shape == (6,)
