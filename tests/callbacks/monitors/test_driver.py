"""Looks, verdicts and what survives a resume and a second fit."""

import io
import math
import warnings

import lightning
import numpy as np
import pytest
import torch
from families.cases import CASES
from lightning.pytorch.callbacks import Callback
from looks import Unseen
from scripted import Scripted
from support import Repeated, differences, load, mlp_game, points, trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from gan_lightning.callbacks._real_samples import kind_of
from gan_lightning.callbacks.monitors.driver import Driver
from gan_lightning.callbacks.monitors.failure_monitors import FailureMonitors
from gan_lightning.callbacks.monitors.history import History
from gan_lightning.callbacks.monitors.mode_collapse import ModeCollapseMonitor
from gan_lightning.callbacks.monitors.monitor import AbstractDriven
from gan_lightning.callbacks.monitors.observer import Observer
from gan_lightning.callbacks.monitors.overfitting import OverfittingMonitor
from gan_lightning.data import Digits, GaussianRing, SemiSupervised
from gan_lightning.data.base import AbstractGANData
from gan_lightning.data.batches import MemorySamples
from gan_lightning.families import NonSaturatingGAN

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*number of training batches"),
]


class Save(Callback):
    """Writes checkpoints after some steps."""

    def __init__(self, folder, *steps):
        self.folder, self.steps = folder, steps

    def on_train_batch_end(self, trainer, module, *args):
        if trainer.global_step in self.steps:
            trainer.save_checkpoint(self.folder / f"{trainer.global_step}.ckpt")


def fit(monitor, *more, data=None, resume=None, max_steps=12, module=None, **kwargs):
    run = trainer(max_steps=max_steps, callbacks=[monitor, *more], **kwargs)
    module = module or mlp_game(NonSaturatingGAN)
    data = data or points()
    given = {"datamodule" if isinstance(data, AbstractGANData) else "train_dataloaders": data}
    run.fit(module, ckpt_path=resume, weights_only=True if resume else None, **given)
    return run


def comparable(x):
    """NaN is equal to NaN here."""
    if isinstance(x, dict):
        return {name: comparable(value) for name, value in x.items()}
    if isinstance(x, (list, tuple)):
        return [comparable(value) for value in x]
    if isinstance(x, Tensor):
        return (str(x.dtype), x.nan_to_num(12345.0))
    return "nan" if isinstance(x, float) and math.isnan(x) else x


def same(a, b):
    return differences(comparable(a), comparable(b)) == []


def test_looks_come_at_equal_intervals_and_a_verdict_once():
    monitor = Scripted({2, 3, 4}, Observer(2, 8))
    fit(monitor)
    assert monitor.driver.history.steps == [2, 4, 6, 8, 10, 12]
    assert monitor.judged == [1, 2, 3, 4, 5, 6]
    (verdict,) = monitor.driver.verdicts
    assert (verdict.step, verdict.since, verdict.kind) == (4, 4, "mode collapse")
    assert verdict.monitor == "Scripted"
    assert verdict.note == "by hand"
    assert verdict.evidence[0].value == monitor.driver.history["pairwise"][1]
    assert type(verdict.evidence[0].value) is float


def test_recovery_is_told_after_five_looks_without_a_finding():
    monitor = Scripted({1, 2, 8}, Observer(2, 8))
    fit(monitor, max_steps=16)
    told = [(v.step, v.recovered) for v in monitor.driver.verdicts]
    assert told == [(2, False), (14, True), (16, False)]


def test_stop_ends_the_run_after_the_look():
    monitor = Scripted({3}, Observer(2, 8), action="stop")
    run = fit(monitor)
    assert run.global_step == 6
    assert monitor.driver.history.steps == [2, 4, 6]
    assert "stopped" in monitor.driver.verdicts[0].action


def test_an_interval_longer_than_the_run_and_a_fast_run_do_nothing():
    monitor = Scripted({1}, Observer(13, 8))
    fit(monitor)
    assert (len(monitor.driver.history), monitor.driver.verdicts) == (0, [])
    monitor = Scripted({1}, Observer(1, 8))
    fit(monitor, fast_dev_run=True)
    assert (len(monitor.driver.history), monitor.driver.verdicts) == (0, [])


def test_what_a_rule_raises_ends_the_run():
    with pytest.raises(ZeroDivisionError):
        fit(Scripted({2}, Observer(2, 8), fails=True))


@pytest.mark.parametrize("log_every", [0, 1, 50])
def test_any_rhythm_of_the_log(log_every):
    monitor = Scripted(set(), Observer(3, 8))
    fit(monitor, log_every_n_steps=log_every)
    history = monitor.driver.history
    assert len(history) == 4
    assert ("gradient" in history) == (log_every == 1)


def test_two_monitors_of_a_class_are_refused():
    with pytest.raises(RuntimeError, match="more than one stateful callback of type `Scripted`"):
        trainer(max_steps=1, callbacks=[Scripted({1}), Scripted({2})])


class Other(AbstractDriven):
    """A second callback beside the first one."""

    def __init__(self):
        super().__init__()
        self.driver = Driver(Observer(3, 8), [Scripted({1})])


def test_two_monitors_have_states_of_their_own(tmp_path):
    first, second = Scripted({1}, Observer(2, 8)), Other()
    fit(first, second, Save(tmp_path, 12))
    states = load(tmp_path / "12.ckpt")["callbacks"]
    steps = [states[c.state_key]["history"]["steps"] for c in (first, second)]
    assert steps == [[2, 4, 6, 8, 10, 12], [3, 6, 9, 12]]


@pytest.mark.parametrize("name", CASES)
def test_every_family_can_be_monitored(name):
    """Packs, pairs with codes, pyramids, class logits; with held-out samples, eight at a look."""
    case = CASES[name]
    monitors = FailureMonitors(every_n_steps=1, number=8, heldout=Unseen(case.data(8, 2)))
    fit(monitors, module=case.make(), data=case.data(8, 11), max_steps=2)
    history = monitors.driver.history
    assert history.steps == [1, 2]
    for signal in ("pairwise", "bins", "moved", "right", "memory", "overfit_v", "gradient"):
        assert math.isfinite(history.last(signal)), signal
    assert ("class_pairwise" in history) <= case.make().conditional


# --- a second fit and a resume --------------------------------------------------------------------


def test_a_second_fit_starts_afresh(tmp_path):
    monitor = Scripted({1}, Observer(2, 8))
    fit(monitor, Save(tmp_path, 7))
    expected = monitor.driver.state_dict()
    fit(monitor, resume=tmp_path / "7.ckpt")
    assert same(monitor.driver.state_dict(), expected)
    monitor.judged.clear()
    fit(monitor)  # not from the checkpoint again
    assert monitor.judged == [1, 2, 3, 4, 5, 6]
    assert same(monitor.driver.state_dict(), expected)
    assert [(v.step, v.recovered) for v in monitor.driver.verdicts] == [(2, False), (12, True)]


def all_monitors(every=3, **kwargs):
    return FailureMonitors(every_n_steps=every, number=16, **kwargs)


def test_a_resumed_run_sees_what_the_uninterrupted_one_sees(tmp_path):
    """At a look (6), between two (7, 8), with all monitors and held-out samples."""

    def monitors():
        return all_monitors(heldout=Unseen(points(8, 3)))

    whole = monitors()
    fit(whole, Save(tmp_path, 6, 7, 8), max_steps=30)
    expected = whole.driver.state_dict()
    assert len(whole.driver.history) == 10
    for step in (6, 7, 8):
        part = monitors()
        fit(part, max_steps=30, resume=tmp_path / f"{step}.ckpt")
        assert same(part.driver.state_dict(), expected), step


def test_standing_verdicts_are_not_told_again(tmp_path):
    def monitor():
        return Scripted({2, 3, 4}, Observer(2, 8))

    fit(monitor(), Save(tmp_path, 5))
    part = monitor()
    fit(part, resume=tmp_path / "5.ckpt", max_steps=18)
    assert part.judged == [3, 4, 5, 6, 7, 8, 9]
    assert [(v.step, v.recovered) for v in part.driver.verdicts] == [(18, True)]


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch")
@pytest.mark.parametrize("step", [2, 3, 7, 9])
def test_a_resume_with_real_samples_of_the_batches(tmp_path, step):
    """Two steps on the reservoir is half full; it is full after four, and the look at 3 is void."""
    x = torch.randn(8, 2, dtype=torch.float64)
    whole, part = all_monitors(), all_monitors()
    fit(whole, Save(tmp_path, step), data=Repeated(x), max_steps=15)
    assert whole.driver.history.steps == [6, 9, 12, 15]
    fit(part, data=Repeated(x), resume=tmp_path / f"{step}.ckpt", max_steps=15)
    assert same(part.driver.state_dict(), whole.driver.state_dict())


def test_a_longer_run_keeps_the_interval(tmp_path, monkeypatch):
    for name, value in {"_SHARE": 5, "_LEAST": 2}.items():
        monkeypatch.setattr(f"gan_lightning.callbacks.monitors.observer.{name}", value)
    fit(all_monitors(None), Save(tmp_path, 15), max_steps=15)
    part, whole = all_monitors(None), all_monitors(3)
    fit(part, resume=tmp_path / "15.ckpt", max_steps=30)
    fit(whole, max_steps=30)
    assert part.driver.history.steps == list(range(3, 31, 3))
    assert part.driver.history.planned == 30
    assert same(part.driver.state_dict()["history"], whole.driver.state_dict()["history"])


def test_a_run_that_has_grown_does_not_get_young_again(tmp_path, monkeypatch):
    """Resumed to ten times as many steps; a verdict stands and is neither repeated nor lifted."""
    collapse = ModeCollapseMonitor(patience=1, alike=4.0, pairwise=4.0)
    fit(FailureMonitors(every_n_steps=1, number=8, monitors=[collapse]), Save(tmp_path, 12))
    collapse = ModeCollapseMonitor(patience=1, alike=4.0, pairwise=4.0)
    part = FailureMonitors(every_n_steps=1, number=8, monitors=[collapse])
    run = trainer(max_steps=200, callbacks=[part, End(20)])
    run.fit(mlp_game(NonSaturatingGAN), points(), ckpt_path=tmp_path / "12.ckpt", weights_only=True)
    assert (run.global_step, part.driver.history.planned) == (20, 200)
    assert part.driver.history.young == part.driver.history.until(7).young == 5
    assert part.verdicts == []
    assert list(part.driver.state_dict()["standing"]) == ["ModeCollapseMonitor/mode collapse"]
    young = History(1, 12)
    young.load_state_dict({"young": 5, "steps": [1, 2], "values": {}})
    young.planned = 200
    assert young.young == 20  # has not grown yet


class End(Callback):
    """Stops a run early."""

    def __init__(self, at):
        self.at = at

    def on_train_batch_end(self, trainer, module, *args):
        trainer.should_stop = trainer.global_step >= self.at


@pytest.mark.parametrize("observer", [(2, 8, 1), (3, 8, 0), (2, 9, 0), (2, 8, 0)])
def test_other_looks_than_before_the_resume_are_not_compared_with_them(tmp_path, observer):
    """An interval that is given wins; what the next look is compared with is dropped."""
    fit(Scripted(set(), Observer(2, 8)), Save(tmp_path, 6))
    part = Scripted(set(), Observer(*observer))
    every = observer[0]
    fit(part, resume=tmp_path / "6.ckpt", max_steps=6 + every)
    history = part.driver.history
    assert (history.steps, history.interval) == ([2, 4, 6, 6 + every], every)
    assert math.isnan(history.last("change")) == (observer != (2, 8, 0))
    assert (history.last("drift") == 0) == (observer != (2, 8, 0))


# --- what is refused and advised when a fit starts ------------------------------------------------


def test_overfitting_alone_needs_heldout_samples():
    alone = (
        OverfittingMonitor(observer=Observer(2, 8)),
        FailureMonitors(monitors=[OverfittingMonitor()]),
    )
    for monitor in alone:
        with pytest.raises(ValueError, match=r"`heldout` must .* for OverfittingMonitor, .* None"):
            fit(monitor)
    other = GaussianRing(samples=30, batch_size=8, data_seed=1)
    monitor = OverfittingMonitor(observer=Observer(2, 8, heldout=other))
    fit(monitor)
    assert math.isfinite(monitor.driver.history.last("memory"))
    fit(FailureMonitors(every_n_steps=2, number=8))  # with others it is silent


class Alone(lightning.LightningModule):
    """No GAN."""

    def training_step(self, batch, batch_idx):
        return None

    def configure_optimizers(self):
        return None


@pytest.mark.filterwarnings("ignore:`training_step` returned `None`")
@pytest.mark.filterwarnings("ignore:`LightningModule.configure_optimizers` returned `None`")
def test_another_module_is_refused():
    with pytest.raises(TypeError, match="`Scripted` watches GANs, got a Alone"):
        fit(Scripted(set(), Observer(2, 8)), module=Alone())


@pytest.mark.parametrize(("max_epochs", "k", "planned"), [(2, 1, 22), (4, 2, 22), (-1, 1, 40)])
def test_a_run_too_short_for_any_verdict_says_so(max_epochs, k, planned):
    """Ten looks are needed: five while the run is young and five of patience."""
    limits = {"max_epochs": max_epochs, "max_steps": 40 if max_epochs < 0 else -1}

    def start(every):
        monitor = Scripted(set(), Observer(every, 8))
        fit(monitor, End(0), module=mlp_game(NonSaturatingGAN, discriminator_steps=k), **limits)
        return monitor.driver.history

    enough = planned // 10
    with pytest.warns(UserWarning, match=f"smaller than {enough + 1} in a run of {planned} steps"):
        start(enough + 1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert start(enough).planned == planned
    assert [w for w in caught if "every_n_steps" in str(w.message)] == []


def test_a_look_is_a_fiftieth_of_a_run_by_epochs():
    monitor = Scripted(set(), Observer(None, 8))
    fit(monitor, End(0), max_steps=-1, max_epochs=200)
    assert (monitor.driver.history.interval, monitor.driver.history.planned) == (44, 2200)
    fit(monitor, End(0), max_steps=-1, max_time="00:01:00:00")
    assert (monitor.driver.history.interval, monitor.driver.history.planned) == (200, None)


def test_checkpoints_hold_plain_types_only(tmp_path):
    """With a verdict whose rule has handed on NumPy's numbers."""
    fit(Scripted({2}, Observer(2, 8)), Save(tmp_path, 4))
    state = load(tmp_path / "4.ckpt")["callbacks"]["Scripted"]
    ((verdict, look),) = state["standing"].values()
    assert (verdict["since"], look) == (4, 2)


def test_the_set_inside_a_wrapper_says_what_images_are():
    assert kind_of(SemiSupervised(Digits(image_size=8), labels=100)) == "Digits"
    assert [kind_of(points()), kind_of(None)] == ["GaussianRing", "NoneType"]


# --- cost -----------------------------------------------------------------------------------------


class Noise(AbstractGANData):
    """Random images."""

    def __init__(self, shape, number=600, seed=0):
        super().__init__(shape, None, 64, {"seed": seed})
        self.number, self.seed = number, seed

    def read(self):
        random = torch.Generator().manual_seed(self.seed)
        x = torch.randint(256, (self.number, *self.image_shape), generator=random)
        return MemorySamples(x.byte())


def tiny(shape):
    """A game of images that costs hardly anything."""
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(4, math.prod(shape)), nn.Tanh(), nn.Unflatten(1, shape))
    discriminator = nn.Sequential(nn.AvgPool2d(shape[1] // 4), nn.Flatten(), nn.Linear(48, 1))
    return NonSaturatingGAN(generator, discriminator, 4, ema_halflife=None)


def nbytes(x, seen):
    """Bytes of all tensors that hang on an object, each storage once."""
    if isinstance(x, Tensor):
        storage = x.untyped_storage()
        new = storage.data_ptr() not in seen
        seen.add(storage.data_ptr())
        return storage.nbytes() if new else 0
    if isinstance(x, nn.Module):
        return sum(nbytes(t, seen) for t in x.state_dict().values())
    if id(x) in seen or isinstance(x, (str, bytes, int, float, type, np.ndarray)):
        return 0
    seen.add(id(x))
    if isinstance(x, dict):
        return sum(nbytes(value, seen) for value in x.values())
    if isinstance(x, AbstractGANData):
        return 0
    if hasattr(x, "__iter__"):
        return sum(nbytes(value, seen) for value in x)
    return nbytes(vars(x), seen) if hasattr(x, "__dict__") else 0


def test_memory_of_large_images():
    """Reals, held-out reals and their features: less than 50 MB for 3x64x64."""
    shape = (3, 64, 64)
    monitors = FailureMonitors(every_n_steps=1, heldout=Noise(shape, 300, seed=1))
    run = trainer(max_steps=2, callbacks=[monitors])
    run.fit(tiny(shape), datamodule=Noise(shape))
    assert len(monitors.driver.history) == 2
    kept = nbytes(monitors.driver, set())
    reals = (512 + 256) * math.prod(shape) * 4
    assert reals < kept < 50e6


def test_a_checkpoint_after_fifty_looks_is_small():
    """The worst case: real samples that came from batches, which have to be saved."""
    x = torch.rand(520, 3, 32, 32) * 2 - 1
    monitors = FailureMonitors(every_n_steps=9)
    run = trainer(max_steps=54, callbacks=[monitors])
    run.fit(tiny((3, 32, 32)), DataLoader(x, 65))
    driver = monitors.driver
    looks = driver.history.state_dict()
    for name, values in looks["values"].items():
        looks["values"][name] = values * 10
    looks["steps"] = looks["steps"] * 10  # as after sixty
    driver.history.load_state_dict(looks)
    file = io.BytesIO()
    torch.save(driver.state_dict(), file)
    assert 3 * 512 * 32 * 32 * 2 < file.tell() < 5e6
