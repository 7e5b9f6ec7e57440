"""A run that was never seen healthy goes back to its beginning."""

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from rollbacks import Act, copy_files, run, stateful_game
from support import differences, load, mlp_game, points, state_of, trainer

from gan_lightning.callbacks import GANCheckpoint, RunRecorder
from gan_lightning.callbacks.monitors.actions import Rollback
from gan_lightning.families import NonSaturatingGAN

NEVER = ()  # at no step is it seen healthy


def test_back_at_the_beginning_every_bit_is_as_before_training(tmp_path):
    """In a folder that is not there yet. A checkpoint of before the failure is not trusted."""
    folder, act = tmp_path / "a/b", Act(Rollback(), {6: 5}, NEVER)
    run(folder, act, RunRecorder(tmp_path), steps=7)
    fresh, before, after = stateful_game().state_dict(), act.before[0], act.after[0]
    assert (folder / "step=4.ckpt").exists()
    assert differences(dict(fresh), after["weights"]) == []
    assert any(name.startswith("generator_ema.") for name in fresh)
    assert after["moments"] == [{}, {}]
    assert after["counters"] == before["counters"] == (6, 6, 48)
    assert after["rates"] == [[0.5 * lr for lr in rates] for rates in before["rates"]]
    assert len(differences(before["weights"], after["weights"])) > 10
    assert [len(moments) for moments in before["moments"]] == [4, 6]
    assert act.done[0].back_to == 0
    assert act.done[0].words.startswith(
        "rolled back to the beginning, untrained.ckpt (try 1 of 3); generator's learning rate"
    )
    # The step after it has moments of one update.
    last = load(folder / "last.ckpt")["optimizer_states"]
    assert [float(o["state"][0]["step"]) for o in last] == [1, 1]


def test_a_resume_after_going_back_to_the_beginning_is_bit_exact(tmp_path):
    at, whole = {6: 3, 10: 7}, tmp_path / "whole"
    straight = Act(Rollback(), at, NEVER)
    run(whole, straight, steps=13)
    assert [done.back_to for done in straight.done] == [0, 0]
    end = state_of(load(whole / "last.ckpt"))
    for step in (6, 8):  # at it and after it
        folder, action = tmp_path / str(step), Rollback()
        copy_files(whole, folder, step)
        again = Act(action, {10: 7}, NEVER)
        file = whole / f"step={step}.ckpt"
        run(folder, again, steps=13, game=stateful_game(seed=1), resume=file)
        assert differences(end, state_of(load(folder / "last.ckpt"))) == [], step
        assert (action.used, again.done) == (2, straight.done[1:])


def test_the_file_is_one_to_start_from(tmp_path):
    run(tmp_path / "a", Act(Rollback(), None, NEVER), steps=6)
    file = tmp_path / "a/untrained.ckpt"
    act = Act(Rollback(), None, NEVER)
    run(tmp_path / "b", act, steps=6, game=stateful_game(seed=1), resume=file)
    ends = [state_of(load(tmp_path / name / "last.ckpt")) for name in "ab"]
    assert differences(*ends) == []


def test_after_it_only_new_looks_vouch_for_checkpoints(tmp_path):
    """The look at 4 belongs to a past that is left; that at 14 is too late for a failure at 13."""
    for since, back_to in {13: 0, 15: 14}.items():
        act = Act(Rollback(), {8: 4, 16: since}, healthy=[4, 14])
        run(tmp_path / str(since), act)
        assert [done.back_to for done in act.done] == [0, back_to]


def test_after_all_tries_the_beginning_is_not_called_healthy(tmp_path):
    act = Act(Rollback(tries=1, changes=[]), {3: 2, 6: 5}, NEVER)
    _, t = run(tmp_path, act)
    assert [done.words for done in act.done] == [
        "rolled back to the beginning, untrained.ckpt (try 1 of 1)",
        "stopped after 1 rollback; no healthy checkpoint",
    ]
    assert t.global_step == 6
    assert differences(act.before[1], act.after[1]) == []


def test_without_that_file_the_run_is_stopped(tmp_path):
    class Remove(Callback):
        def on_train_batch_start(self, *args):
            (tmp_path / "untrained.ckpt").unlink(missing_ok=True)

    act = Act(Rollback(), {5: 2}, NEVER)
    _, t = run(tmp_path, act, Remove())
    assert (act.done[0].words, t.global_step) == ("stopped; no checkpoint to go back to", 5)
    assert load(tmp_path / "last.ckpt")["global_step"] == 5
    assert differences(act.before[0], act.after[0]) == []


# --- whose beginning it is ------------------------------------------------------------------------


def test_neither_a_resume_nor_a_second_run_takes_the_place_of_the_beginning(tmp_path):
    file = tmp_path / "untrained.ckpt"
    file.write_bytes(b"of a run that was killed before its first checkpoint")
    run(tmp_path, Act(Rollback()), steps=4)
    beginning = file.read_bytes()
    assert load(file)["global_step"] == 0
    run(tmp_path, Act(Rollback()), steps=6, game=stateful_game(1), resume=tmp_path / "last.ckpt")
    assert file.read_bytes() == beginning
    with pytest.raises(ValueError, match="`directory` must hold no checkpoints of another run"):
        run(tmp_path, Act(Rollback()), steps=4, game=stateful_game(2))
    assert file.read_bytes() == beginning


def test_a_resume_after_updates_of_d_alone_does_not_either(tmp_path):
    """Ctrl-C leaves such a file, whose step is 0."""

    class Save(Callback):
        def on_train_batch_end(self, trainer, module, *args):
            if module.discriminator_updates == 2:
                trainer.save_checkpoint(tmp_path / "step=0.ckpt")

    game = stateful_game(discriminator_steps=3)
    run(tmp_path, Act(Rollback()), Save(), game=game, steps=1, every=5)
    beginning = (tmp_path / "untrained.ckpt").read_bytes()
    game = stateful_game(1, discriminator_steps=3)
    run(tmp_path, Act(Rollback()), game=game, steps=1, resume=tmp_path / "step=0.ckpt")
    assert (tmp_path / "untrained.ckpt").read_bytes() == beginning


def test_another_run_with_the_same_action_begins_anew(tmp_path):
    """It has all tries, and what was seen of the first run says nothing of it."""
    action = Rollback(tries=1, changes=[])
    first = Act(action, {4: 3})
    run(tmp_path / "first", first, steps=6)
    second = Act(action, {6: 3}, NEVER)
    run(tmp_path / "second", second, steps=6, game=stateful_game(1))
    assert [done.back_to for done in first.done + second.done] == [2, 0]
    expected = dict(stateful_game(1).state_dict())
    assert differences(expected, second.after[0]["weights"]) == []


def test_a_beginning_that_is_not_finite_is_not_kept(tmp_path):
    game = mlp_game(NonSaturatingGAN)
    with torch.no_grad():
        game.discriminator.logit.weight[0, 0] = torch.nan
    checkpoint = GANCheckpoint(tmp_path, every_n_steps=2)
    act = Act(Rollback(), {1: 1}, NEVER)
    with pytest.warns(UserWarning, match="No checkpoint of step 1: .* is not finite"):
        trainer(max_steps=3, callbacks=[act, checkpoint]).fit(game, points())
    assert act.done[0].words == "stopped; no checkpoint to go back to"
    assert list(tmp_path.iterdir()) == []
