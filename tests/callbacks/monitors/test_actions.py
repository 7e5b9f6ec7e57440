"""Stopping, functions as actions, and which checkpoint is the last healthy one."""

import re
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import WandbLogger
from support import differences, load, mlp_game, points, state_of, trainer

from gan_lightning.callbacks import GANCheckpoint, RunRecorder
from gan_lightning.callbacks.monitors import healthy as module_under_test
from gan_lightning.callbacks.monitors.actions import Call, Rollback, Stop, Warn, as_action
from gan_lightning.callbacks.monitors.healthy import Healthy
from gan_lightning.callbacks.monitors.verdict import Verdict
from gan_lightning.families import NonSaturatingGAN
from gan_lightning.runs import RunDirectory


class Act(Callback):
    """Lets an action act at a step, and says at other ones that nothing is wrong."""

    def __init__(self, action, at=None, since=None, healthy=()):
        self.action, self.at, self.since, self.healthy = action, at, since, healthy
        self.done = None
        self.looked = {}

    def on_train_start(self, trainer, module):
        self.action.start(trainer, module)

    def on_train_batch_end(self, trainer, module, *args):
        step = trainer.global_step
        if step in self.healthy:
            self.action.healthy(trainer, module)
            self.looked[step] = healthy_step(trainer.callbacks[-1].folder)
        if step == self.at:
            verdict = Verdict("mode collapse", self.since or step, (), 1.0)
            self.done = self.action.act(trainer, module, verdict)

    def state_dict(self):
        return {"action": self.action.state_dict()}

    def load_state_dict(self, state):
        self.action.load_state_dict(state["action"])


def healthy_step(folder):
    file = folder / "healthy.ckpt"
    return load(file)["global_step"] if file.exists() else None


def run(folder, *callbacks, steps=10, every=2, keep=-1, resume=None, seed=0, **kwargs):
    game = mlp_game(NonSaturatingGAN, seed=seed)
    checkpoint = GANCheckpoint(folder, every_n_steps=every, keep=keep)
    t = trainer(max_steps=steps, callbacks=[*callbacks, checkpoint], **kwargs)
    t.fit(game, points(), ckpt_path=resume, weights_only=True if resume else None)
    return game, t


# --- stop ----------------------------------------------------------------------------------------


class FakeWandb(WandbLogger):
    """Takes what W&B is told; nothing is started."""

    def __init__(self):
        self.run = SimpleNamespace(summary={})

    @property
    def experiment(self):
        return self.run

    @property
    def save_dir(self):
        return None

    name = version = save_dir

    def log_metrics(self, metrics, step=None):
        pass

    def log_hyperparams(self, params):
        pass

    def after_save_checkpoint(self, checkpoint_callback):
        pass

    def finalize(self, status):
        pass


def test_stop_ends_with_a_clean_checkpoint_and_says_why(tmp_path):
    act, wandb = Act(Stop(), at=7, since=5, healthy=[2, 4]), FakeWandb()
    _, t = run(tmp_path / "checkpoints", act, RunRecorder(tmp_path), logger=wandb)
    assert t.global_step == 7
    assert load(tmp_path / "checkpoints/last.ckpt")["global_step"] == 7
    assert act.done.words == "stopped; last healthy checkpoint step=4.ckpt"
    assert act.done.back_to is None
    outcome = "stopped: mode collapse (since step 5)"
    assert RunDirectory(tmp_path).read_run()["outcome"] == outcome
    assert wandb.run.summary == {"outcome": outcome}


def test_a_resume_after_a_stop_ends_where_the_run_would_have_and_is_finished(tmp_path):
    folder = tmp_path / "checkpoints"
    run(folder, Act(Stop(), at=7), RunRecorder(tmp_path))
    wandb = FakeWandb()
    last, again = folder / "last.ckpt", Act(Stop())
    run(folder, again, RunRecorder(tmp_path), resume=last, seed=1, logger=wandb)
    run(tmp_path / "straight", Act(Stop()), RunRecorder(tmp_path / "other"))
    ends = [load(f / "step=10.ckpt") for f in (folder, tmp_path / "straight")]
    assert differences(*(state_of(end) for end in ends)) == []
    assert RunDirectory(tmp_path).read_run()["outcome"] == "finished"
    assert wandb.run.summary == {"outcome": "finished"}


def test_the_same_callbacks_in_a_second_fit_begin_anew(tmp_path):
    """Neither the outcome of the first one nor its checkpoints are those of the second."""
    folder = tmp_path / "checkpoints"
    game, t = run(folder, Act(Stop(), at=7), RunRecorder(tmp_path))
    assert t.callbacks[-1].steps == [2, 4, 6, 7]
    t.fit(game, points(), ckpt_path=folder / "last.ckpt", weights_only=True)
    assert (t.global_step, t.callbacks[-1].steps) == (10, [2, 4, 6, 7, 8, 10])
    assert RunDirectory(tmp_path).read_run()["outcome"] == "finished"
    alone = GANCheckpoint(tmp_path / "alone", every_n_steps=2)
    for steps, resume in ((4, None), (6, tmp_path / "alone/step=2.ckpt")):
        again = trainer(max_steps=steps, callbacks=[alone])
        again.fit(mlp_game(NonSaturatingGAN), points(), ckpt_path=resume, weights_only=True)
    assert alone.steps == [4, 6]  # nobody asked it to remember 2


def test_an_exception_after_a_stop_has_the_say(tmp_path):
    class Raise(Callback):
        def on_train_end(self, trainer, module):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(tmp_path / "checkpoints", Act(Stop(), at=3), Raise(), RunRecorder(tmp_path))
    assert RunDirectory(tmp_path).read_run()["outcome"] == "failed: ZeroDivisionError"


def test_stop_without_a_healthy_checkpoint(tmp_path):
    act = Act(Stop(), at=7, since=2)
    run(tmp_path, act)
    assert act.done.words == "stopped; no healthy checkpoint"
    act = Act(Stop(), at=7)
    t = trainer(max_steps=9, callbacks=[act])
    t.fit(mlp_game(NonSaturatingGAN), points())
    assert (act.done.words, t.global_step) == ("stopped; no healthy checkpoint", 7)


def test_the_checkpoint_that_stop_names_is_not_deleted(tmp_path):
    """The one at the end is one more than `keep`."""
    act = Act(Stop(), at=7, since=3, healthy=[1, 2])
    run(tmp_path, act, keep=3)
    assert act.done.words == "stopped; last healthy checkpoint step=2.ckpt"
    assert load(tmp_path / "step=2.ckpt")["global_step"] == 2
    assert healthy_step(tmp_path) == 2


# --- the last healthy checkpoint -----------------------------------------------------------------


TRUSTED = 7  # looks: a rule's patience of five, and two for an onset that is told late


def test_healthy_is_some_looks_old_and_outlives_keep(tmp_path):
    """A look and a checkpoint each step; one is kept."""
    looks = range(1, 30)
    act = Act(Rollback(), healthy=looks)
    run(tmp_path, act, steps=30, every=1, keep=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "healthy-next.ckpt",
        "healthy.ckpt",
        "last.ckpt",
        "step=30.ckpt",
        "untrained.ckpt",
    ]
    assert [act.looked[step] for step in looks[:TRUSTED]] == [None] * TRUSTED
    ages = [step - act.looked[step] for step in looks[TRUSTED:]]
    assert min(ages) == TRUSTED
    assert max(ages) < 2 * TRUSTED  # one waits for its day while the next one is old enough
    assert len({act.looked[step] for step in looks[TRUSTED:]}) >= 3  # it moves on


@pytest.mark.parametrize("monitors", [1, 2])
def test_with_enough_files_healthy_is_the_newest_of_some_looks_ago(tmp_path, monitors):
    """However many monitors share an action."""
    shared = Stop()
    acts = [Act(shared, healthy=range(1, 20)) for _ in range(monitors)]
    acts[1:] = [type("Other", (Act,), {})(shared, healthy=act.healthy) for act in acts[1:]]
    run(tmp_path, *acts, steps=20, every=3)
    expected = {9: None, 10: 3, 12: 3, 13: 6, 16: 9, 19: 12}
    assert {step: acts[-1].looked[step] for step in expected} == expected


def test_only_what_was_written_before_the_failure_is_found(tmp_path):
    for since, expected in {13: 12, 12: 9, 4: 3, 3: None}.items():
        act = Act(Stop(), at=14, since=since, healthy=range(2, 13, 2))
        run(tmp_path / str(since), act, steps=20, every=3)
        name = "no healthy checkpoint" if expected is None else f"step={expected}.ckpt"
        assert act.done.words.endswith(name)


def test_nothing_is_healthy_before_the_run_was_seen_to_be(tmp_path):
    """A run that fails from its beginning has checkpoints from before the failure was seen."""
    for since, expected in {8: "step=6.ckpt", 7: "step=6.ckpt", 6: None, 5: None}.items():
        act = Act(Stop(), at=14, since=since, healthy=[6, 7])
        run(tmp_path / str(since), act, every=3, steps=16)
        words = (
            "no healthy checkpoint" if expected is None else f"last healthy checkpoint {expected}"
        )
        assert act.done.words == f"stopped; {words}"


def test_what_was_written_while_another_failure_stood_is_not_healthy(tmp_path):
    """Nobody said after 6 that nothing was wrong."""
    act = Act(Stop(), at=14, since=13, healthy=[2, 4, 6])
    run(tmp_path, act, steps=16)
    assert act.done.words == "stopped; last healthy checkpoint step=6.ckpt"


def test_after_a_recovery_what_was_written_in_between_is_not_healthy(tmp_path):
    act = Act(Stop(), at=16, since=13, healthy=[2, 4, 6, 12, 14])
    run(tmp_path, act, steps=20, every=1)
    assert act.done.words == "stopped; last healthy checkpoint step=12.ckpt"
    act = Act(Stop(), at=16, since=12, healthy=[2, 4, 6, 12, 14])
    run(tmp_path / "earlier", act, steps=20, every=1)
    assert act.done.words == "stopped; last healthy checkpoint step=6.ckpt"


def test_when_the_numbered_file_is_gone_healthy_is_named(tmp_path):
    act = Act(Stop(), at=22, since=17, healthy=range(2, 21, 2))
    run(tmp_path, act, steps=30, every=2, keep=1)
    found = re.fullmatch(
        r"stopped; last healthy checkpoint healthy(-next)?\.ckpt \(step (\d+)\)", act.done.words
    )
    assert found is not None
    assert int(found[2]) < 17
    assert healthy_step(tmp_path) == int(found[2])


def test_a_resume_finds_what_the_uninterrupted_run_finds(tmp_path):
    """Also where the folder holds files that are later than the one that is resumed."""
    looks = range(1, 21)
    arguments = {"steps": 30, "every": 3, "keep": -1}
    straight = Act(Stop(), at=22, since=21, healthy=looks)
    run(tmp_path / "a", straight, **arguments)
    run(tmp_path / "b", Act(Stop(), healthy=looks), **arguments)
    resumed = Act(Stop(), at=22, since=21, healthy=looks)
    run(tmp_path / "b", resumed, resume=tmp_path / "b/step=12.ckpt", **arguments)
    assert straight.done.words == "stopped; last healthy checkpoint step=18.ckpt"
    assert resumed.done == straight.done
    # Until then the resumed run has the newer one for which the one before it has vouched.
    assert [act.looked[20] for act in (straight, resumed)] == [12, 12]
    assert (straight.looked[18], resumed.looked[14]) == (9, 12)
    # Files of a future that has not come yet are not of this run's past.
    early = Act(Stop(), at=14, since=13)
    run(tmp_path / "b", early, resume=tmp_path / "b/step=6.ckpt", **{**arguments, "every": 100})
    assert early.done.words == "stopped; last healthy checkpoint step=6.ckpt"


def test_a_file_that_is_seen_again_is_not_read_again(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(
        module_under_test,
        "read_checkpoint",
        lambda path, **kwargs: read.append(path) or load(path),
    )
    run(tmp_path, Act(Stop(), healthy=range(1, 20)), steps=18, every=1)
    assert read == []  # all of them were written by this run
    again = Act(Stop(), healthy=range(1, 30))
    run(tmp_path, again, steps=26, every=1, resume=tmp_path / "last.ckpt")
    assert len(read) == len({path.name for path in read}) == 2


def test_a_link_that_fails_is_a_warning(tmp_path, monkeypatch):
    def fail(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module_under_test, "link_or_copy", fail)
    with pytest.warns(UserWarning, match=r"No healthy\.ckpt could be kept: .*No space left"):
        run(tmp_path, Act(Stop(), healthy=[8]), every=1)


def test_what_goes_wrong_on_the_first_process_is_raised_on_all(tmp_path, monkeypatch):
    """The others hear of it through the broadcast, which stands in for them here."""
    _, t = run(tmp_path)
    finder, told = Healthy(), []
    finder.start(t)
    finder.look(t)
    monkeypatch.setattr(t.strategy, "broadcast", lambda obj: told.append(obj) or obj)
    monkeypatch.setattr(module_under_test, "link_or_copy", lambda *args: 1 / 0)
    monkeypatch.setattr(finder, "_link", lambda *args: load(tmp_path / "missing"))
    with pytest.raises(FileNotFoundError):
        finder.find(t, since=11)
    assert isinstance(told[0][1], FileNotFoundError)


# --- checkpoints of weights that are not finite --------------------------------------------------


class Poison(Callback):
    """One weight of D."""

    def __init__(self, at, value):
        self.at, self.value = at, value

    def on_train_batch_end(self, trainer, module, *args):
        if trainer.global_step == self.at:
            module.discriminator.logit.weight.data[0, 0] = self.value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_no_checkpoint_of_weights_that_are_not_finite(tmp_path, value):
    """D alone is hit, in the last batch: only its weights say so."""
    sentence = "No checkpoint of step 7: `discriminator.logit.weight` is not finite."
    with pytest.warns(UserWarning, match=re.escape(sentence)) as warned:
        run(tmp_path, Poison(7, value), steps=7)
    # At the batch's end; not again at the run's.
    assert [str(w.message) for w in warned].count(sentence) == 1
    names = ["last.ckpt", "step=2.ckpt", "step=4.ckpt", "step=6.ckpt"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    last = load(tmp_path / "last.ckpt")
    assert last["global_step"] == 6
    assert all(bool(x.isfinite().all()) for x in last["state_dict"].values())


def test_huge_weights_are_finite(tmp_path):
    """Their squares are not: 1e200 squared overflows float64."""
    game, _ = run(tmp_path, Poison(7, 1e200), steps=7)
    assert load(tmp_path / "last.ckpt")["global_step"] == 7
    assert float(game.discriminator.logit.weight.detach()[0, 0]) == 1e200


def test_a_crash_leaves_no_weights_that_are_not_finite(tmp_path):
    class Raise(Callback):
        def on_train_batch_start(self, trainer, module, *args):
            if trainer.global_step == 7:
                raise ZeroDivisionError

    with (
        pytest.raises(ZeroDivisionError),
        pytest.warns(UserWarning, match="No checkpoint of step 7"),
    ):
        run(tmp_path, Raise(), Poison(7, float("nan")))
    assert not (tmp_path / "crash.ckpt").exists()


# --- what an action may be -----------------------------------------------------------------------


def test_actions_by_name_and_themselves():
    assert isinstance(as_action("warn"), Warn)
    assert isinstance(as_action("stop"), Stop)
    rollback = as_action("rollback")
    assert isinstance(rollback, Rollback)
    assert as_action(rollback) is rollback
    assert isinstance(as_action(lambda trainer, module, verdict: None), Call)


@pytest.mark.parametrize("action", ["halt", "", None, 3, Stop])
def test_anything_else_is_refused(action):
    with pytest.raises(ValueError, match=r"`action` must be 'warn', 'stop', .*, got "):
        as_action(action)


def test_a_function_says_what_it_did(tmp_path):
    def lower(trainer, module, verdict):
        seen.append((trainer, module, verdict.kind))
        return "lowered"

    seen = []
    act = Act(as_action(lower), at=3)
    game, t = run(tmp_path, act, steps=4)
    assert act.done.words == "lowered"
    assert seen == [(t, game, "mode collapse")]


def test_a_function_that_says_nothing_or_nonsense(tmp_path):
    def quiet(trainer, module, verdict):
        return None

    assert as_action(quiet).act(None, None, None).words == "called quiet"
    with pytest.raises(ValueError, match="`action` must return a string or None, got a int"):
        as_action(lambda *args: 3).act(None, None, None)


def test_all_of_a_state_is_plain(tmp_path):
    """Weights-only loading is what every checkpoint is read with."""
    action = Rollback()
    run(tmp_path, Act(action, at=8, since=7, healthy=[2, 4, 6]))
    torch.save(action.state_dict(), tmp_path / "state.pt")
    assert differences(load(tmp_path / "state.pt"), action.state_dict()) == []
    assert action.state_dict()["used"] == 1
