"""What is done about the verdicts of a look, and by actions that monitors share."""

import pytest
from rollbacks import copy_files
from support import differences, load, mlp_game, points, state_of, trainer

from gan_lightning.callbacks import GANCheckpoint
from gan_lightning.callbacks.monitors.action import AbstractAction, Done
from gan_lightning.callbacks.monitors.actions import Rollback
from gan_lightning.callbacks.monitors.failure_monitors import FailureMonitors
from gan_lightning.callbacks.monitors.monitor import AbstractMonitor
from gan_lightning.callbacks.monitors.observer import Observer
from gan_lightning.callbacks.monitors.verdict import Finding
from gan_lightning.families import NonSaturatingGAN


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    """They take most of the time."""
    name = "gan_lightning.callbacks.monitors.announce.draw_verdict"
    monkeypatch.setattr(name, lambda *args: None)


class At(AbstractMonitor):
    """Finds failures at given steps."""

    def __init__(self, found, action="warn", alone=True):
        super().__init__(action, observer=Observer(every_n_steps=2, number=16) if alone else None)
        self.found, self.seen = found, []

    def judge(self, history):
        now = history.steps[-1]
        self.seen.append(list(history.steps))
        return [Finding(kind, now, (), 1.0) for kind in self.found.get(now, [])]


class Also(At):
    """Another one beside it."""


def fit(folder, monitor, steps, *, seed=0, resume=None):
    game = mlp_game(NonSaturatingGAN, seed=seed)
    checkpoint = GANCheckpoint(folder, every_n_steps=2, keep=-1)
    run = trainer(max_steps=steps, callbacks=[monitor, checkpoint], default_root_dir=folder)
    run.fit(game, points(), ckpt_path=resume, weights_only=True if resume else None)
    return run


def told(monitors):
    """Step, kind and what was done, up to its details."""
    verdicts = monitors.driver.verdicts
    return [(v.step, v.kind, v.action.partition("; ")[0]) for v in verdicts if not v.recovered]


def test_a_failure_in_youth_goes_back_to_the_beginning_a_later_one_to_a_checkpoint(tmp_path):
    """Young are five looks; those at 16 and 18 are the first ones that see a healthy run."""
    monitor = At({4: ["collapse"], 20: ["collapse"]}, "rollback")
    fit(tmp_path, monitor, 24)
    assert told(monitor) == [
        (4, "collapse", "rolled back to the beginning, untrained.ckpt (try 1 of 3)"),
        (20, "collapse", "rolled back to step=18.ckpt (try 2 of 3)"),
    ]
    # The history goes back with the players, and does not forget what it may keep.
    assert monitor.seen[1:3] == [[2, 4], [6]]
    assert monitor.seen[-2:] == [[*range(6, 19, 2), 22], [*range(6, 19, 2), 22, 24]]


def test_a_function_that_raises_ends_the_run_with_its_own_error(tmp_path, capfd):
    def fail(trainer, module, verdict):
        raise ZeroDivisionError("in the action")

    monitor = At({4: ["collapse", "more"]}, fail)
    with pytest.raises(ZeroDivisionError, match="in the action"):
        fit(tmp_path, monitor, 8)
    assert load(tmp_path / "last.ckpt")["global_step"] == 2
    # People hear of it first, and of what else was found.
    failed = "failed: ZeroDivisionError: in the action"
    assert told(monitor) == [(4, "collapse", failed), (4, "more", "")]
    assert f"Action: {failed}" in capfd.readouterr().err
    # Nothing has been done about it: a run that goes on from here says it again.
    crash = load(tmp_path / "crash.ckpt")["callbacks"]["At"]
    assert list(crash["standing"]) == ["At/more"]


def test_two_callbacks_that_would_go_back_are_refused(tmp_path):
    pair = [At({}, "rollback"), Also({}, "rollback")]
    run = trainer(max_steps=2, callbacks=[*pair, GANCheckpoint(tmp_path)])
    with pytest.raises(ValueError, match=r"use FailureMonitors.*, got \['At', 'Also'\]"):
        run.fit(mlp_game(NonSaturatingGAN), points())
    run = trainer(max_steps=2, callbacks=[pair[0], Also({}), GANCheckpoint(tmp_path)])
    run.fit(mlp_game(NonSaturatingGAN), points())


# --- several verdicts at a look -------------------------------------------------------------------


def test_one_way_back_is_enough_for_a_look(tmp_path):
    """Within a monitor, over monitors, and with actions of their own."""
    actions = [Rollback(changes=[]), Rollback(changes=[])]
    monitors = FailureMonitors(
        every_n_steps=2,
        number=16,
        monitors=[
            At({4: ["first", "second"]}, actions[0], alone=False),
            Also({4: ["third"]}, actions[1], alone=False),
        ],
    )
    run = fit(tmp_path, monitors, 6)
    back = "rolled back to the beginning, untrained.ckpt (try 1 of 3)"
    assert told(monitors) == [(4, "first", back), (4, "second", ""), (4, "third", "")]
    assert [action.used for action in actions] == [1, 0]
    assert run.global_step == 6
    assert monitors.driver.state_dict()["standing"] == {}  # all of them can be found again


def test_the_first_verdict_says_why_a_run_has_stopped(tmp_path):
    called = []
    note = lambda trainer, module, verdict: called.append(verdict.kind)  # noqa: E731
    for stop_first in (True, False):
        found = {4: ["stops"]}, {4: ["calls"]}
        pair = [At(found[0], "stop", alone=False), Also(found[1], note, alone=False)]
        if not stop_first:
            pair = [At(found[1], note, alone=False), Also(found[0], "stop", alone=False)]
        monitors = FailureMonitors(every_n_steps=2, number=16, monitors=pair)
        run = fit(tmp_path / str(stop_first), monitors, 6)
        assert run.global_step == 4
        done = {kind: words for _, kind, words in told(monitors)}
        assert done == {"stops": "stopped", "calls": "" if stop_first else "called <lambda>"}
    assert called == ["calls"]


# --- one action of several monitors ---------------------------------------------------------------


class Counted(AbstractAction):
    """How often it is asked."""

    def __init__(self):
        self.starts, self.looks = 0, []

    def start(self, trainer, module):
        self.starts += 1

    def healthy(self, trainer, module):
        self.looks.append(trainer.global_step)

    def act(self, trainer, module, verdict):
        return Done("")


def test_a_shared_action_is_asked_once(tmp_path):
    action = Counted()
    monitors = FailureMonitors(action, every_n_steps=2, number=16)
    for monitor in monitors.monitors:
        monitor.judge = lambda history: []
    fit(tmp_path, monitors, 16)
    assert (action.starts, action.looks) == (1, [12, 14, 16])


def scripted(**found):
    """The whole set with one rollback, and rules that find something at given steps."""
    monitors = FailureMonitors("rollback", every_n_steps=2, number=16)
    for monitor in monitors.monitors:
        steps = found.get(type(monitor).__name__, [])
        monitor.judge = lambda history, steps=steps: (
            [Finding("failure", history.steps[-1], (), 1.0)] if history.steps[-1] in steps else []
        )
    return monitors


def test_tries_count_together_and_not_twice_after_a_resume(tmp_path):
    def make():
        return scripted(DivergenceMonitor=[4, 24], OverfittingMonitor=[8, 26])

    whole = make()
    run = fit(tmp_path / "whole", whole, 30)
    assert [words for _, _, words in told(whole)] == [
        "rolled back to the beginning, untrained.ckpt (try 1 of 3)",
        "rolled back to the beginning, untrained.ckpt (try 2 of 3)",
        "rolled back to step=22.ckpt (try 3 of 3)",
        "stopped after 3 rollbacks",
    ]
    assert run.global_step == 26
    end, actions = load(tmp_path / "whole/last.ckpt"), whole.driver.state_dict()["actions"]
    assert [action["used"] for action in actions] == [3] * 5
    for step, used in ((6, 1), (8, 2)):  # between two of them, at one
        folder, part = tmp_path / str(step), make()
        copy_files(tmp_path / "whole", folder, step)
        file = folder / f"step={step}.ckpt"
        saved = load(file)["callbacks"]["FailureMonitors"]["actions"]
        assert [action["used"] for action in saved] == [used] * 5
        fit(folder, part, 30, seed=1, resume=file)
        assert told(part) == told(whole)[used:]
        assert differences(state_of(load(folder / "last.ckpt")), state_of(end)) == []
        assert differences(part.driver.state_dict()["actions"], actions) == []
