"""A rollback puts every bit back that a checkpoint holds, and the run goes on as it says."""

from functools import partial

import pytest
import torch
from families import cases
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins import MixedPrecision
from rollbacks import SCHEDULE, Act, copy_files, run, stateful_game
from support import differences, load, mlp_game, points, state_of, trainer

from gan_lightning.callbacks import GammaAnnealing, GANCheckpoint
from gan_lightning.callbacks.monitors.actions import Rollback
from gan_lightning.callbacks.monitors.changes import (
    ScaleLearningRates,
    ScalePenalty,
    SetDiscriminatorSteps,
)
from gan_lightning.callbacks.monitors.rollback import go_back
from gan_lightning.families import WGANGP, HingeGAN, NonSaturatingGAN
from gan_lightning.regularizers import R1, R2


def test_every_bit_is_that_of_the_file_and_counters_go_on(tmp_path):
    act = Act(Rollback(), {10: 7})
    run(tmp_path, act, steps=10)
    saved, before, after = load(tmp_path / "step=6.ckpt"), act.before[0], act.after[0]
    assert differences(dict(saved["state_dict"]), after["weights"]) == []
    assert differences([o["state"] for o in saved["optimizer_states"]], after["moments"]) == []
    assert after["counters"] == before["counters"] == (10, 10, 80)
    assert after["rates"] == [[0.5 * lr for lr in rates] for rates in before["rates"]]
    # It had something to put back.
    assert len(differences(before["weights"], after["weights"])) > 10
    assert len(differences(before["moments"], after["moments"])) > 10
    assert act.done[0].back_to == 6
    g = before["rates"][1][0]
    assert act.done[0].words == (
        "rolled back to step=6.ckpt (try 1 of 3); "
        f"generator's learning rate {g:.3g} -> {g / 2:.3g}, "
        f"discriminator's learning rate {g:.3g} -> {g / 2:.3g}"
    )


@pytest.mark.parametrize("name", ["dcgan", "hinge, projection", "infogan", "bigan"])
def test_heads_encoders_and_buffers_go_back_as_well(tmp_path, name):
    case, act = cases.CASES[name], Act(Rollback(), {5: 3})
    checkpoint = GANCheckpoint(tmp_path, every_n_steps=2)
    t = trainer(max_steps=5, callbacks=[act, checkpoint])
    t.fit(case.make(), case.data(8, 11))
    saved, before, after = load(tmp_path / "step=2.ckpt"), act.before[0], act.after[0]
    assert differences(dict(saved["state_dict"]), after["weights"]) == []
    assert differences([o["state"] for o in saved["optimizer_states"]], after["moments"]) == []
    assert len(differences(before["weights"], after["weights"])) > 0.9 * len(after["weights"])


def scaler():
    return MixedPrecision(
        "16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=16.0, growth_interval=5)
    )


def spliced(old, now, g, d):
    """A checkpoint made by hand: players of one file, run of the other one, rates scaled."""
    file = dict(now)
    assert [k for k in old if "Precision" in k and not differences(old[k], now[k])] == []
    file["state_dict"] = old["state_dict"]
    factors = (d, g)
    file["optimizer_states"] = [
        {
            "state": before["state"],
            "param_groups": [
                group | {k: factor * group[k] for k in ("lr", "initial_lr")}
                for group in of_now["param_groups"]
            ],
        }
        for before, of_now, factor in zip(
            old["optimizer_states"], now["optimizer_states"], factors, strict=True
        )
    ]
    file["lr_schedulers"] = [
        schedule | {k: [factor * lr for lr in schedule[k]] for k in ("base_lrs", "_last_lr")}
        for schedule, factor in zip(now["lr_schedulers"], factors, strict=True)
    ]
    return file | {name: old[name] for name in old if "Precision" in name}


@pytest.mark.parametrize(
    ("arguments", "plugins", "source"),
    [
        ({}, lambda: [], "step=6"),
        ({"discriminator_steps": 3}, lambda: [], "untrained"),
        ({"updates": "simultaneous", "discriminator_steps": 2}, lambda: [scaler()], "step=6"),
    ],
)
def test_training_goes_on_as_from_a_file_made_by_hand(tmp_path, arguments, plugins, source):
    straight, back, by_hand = (tmp_path / name for name in ("straight", "back", "hand"))
    act = Act(Rollback())  # for the file of the beginning
    run(straight, act, game=stateful_game(**arguments), steps=10, plugins=plugins())
    file = spliced(load(straight / f"{source}.ckpt"), load(straight / "step=10.ckpt"), 0.25, 0.5)
    torch.save(file, tmp_path / "made.ckpt")

    action = Rollback(changes=[ScaleLearningRates(0.25, 0.5)])
    act = Act(action, {10: 7}, healthy=range(1, 7) if source == "step=6" else ())
    run(back, act, game=stateful_game(**arguments), plugins=plugins())
    same = stateful_game(seed=1, **arguments)
    run(by_hand, Act(Rollback()), game=same, resume=tmp_path / "made.ckpt", plugins=plugins())

    assert differences(state_of(load(back / "step=10.ckpt")), state_of(file)) == []
    for step in (12, 16):
        name = f"step={step}.ckpt"
        assert differences(state_of(load(back / name)), state_of(load(by_hand / name))) == []
    untouched = tmp_path / "untouched"
    run(untouched, game=stateful_game(**arguments), plugins=plugins())
    ends = [load(folder / "step=16.ckpt") for folder in (back, untouched)]
    assert len(differences(*(end["state_dict"] for end in ends))) > 10


def regularised(seed=0):
    return mlp_game(HingeGAN, seed=seed, dtype=torch.float32, regularizers=[R1(0.5), R2(2.0)])


def wgan_gp(seed=0):
    return mlp_game(WGANGP, seed=seed, dtype=torch.float32, discriminator_steps=2)


CHANGES = {
    "rates": (lambda: [ScaleLearningRates(0.5, 2.0)], stateful_game),
    "one of them": (lambda: [ScalePenalty(0.1, "r2")], regularised),
    "the family's own penalty": (lambda: [ScalePenalty(3.0)], wgan_gp),
    "all": (
        lambda: [ScalePenalty(10.0, "r1"), SetDiscriminatorSteps(2), ScaleLearningRates()],
        regularised,
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_resume_after_a_rollback_is_bit_exact(tmp_path, case):
    changes, game = CHANGES[case]
    at = {6: 5, 10: 9}
    straight = Act(Rollback(changes=changes()), at)
    run(tmp_path / "straight", straight, game=game())
    assert [done.back_to for done in straight.done] == [4, 8]
    end = state_of(load(tmp_path / "straight/last.ckpt"))
    for step in (6, 10):
        resumed = game(seed=1)
        torch.rand(step)  # the global random numbers are elsewhere
        file = tmp_path / f"straight/step={step}.ckpt"
        folder = tmp_path / f"from-{step}"
        later = {at: since for at, since in at.items() if at > step}
        copy_files(tmp_path / "straight", folder, step)
        action = Rollback(changes=changes())
        run(folder, Act(action, later), game=resumed, resume=file)
        assert differences(end, state_of(load(folder / "last.ckpt"))) == [], step
        assert action.used == 2
    fresh = Act(Rollback(changes=[]), at)
    run(tmp_path / "fresh", fresh, game=game())
    assert differences(end["state_dict"], load(tmp_path / "fresh/last.ckpt")["state_dict"])


def test_changes_add_up_and_say_what_they_did(tmp_path):
    changes = [ScalePenalty(10.0), SetDiscriminatorSteps(3)]
    act = Act(Rollback(changes=changes), {6: 5, 10: 9})
    game, _ = run(tmp_path, act, game=regularised())
    assert [done.words.partition("; ")[2] for done in act.done] == [
        "weight of r1 0.5 -> 5, weight of r2 2 -> 20, discriminator steps 1 -> 3",
        "weight of r1 5 -> 50, weight of r2 20 -> 200, discriminator steps 3 -> 3",
    ]
    assert [r.gamma for r in game.regularizers] == [50.0, 200.0]
    assert load(tmp_path / "last.ckpt")["gan_lightning"]["discriminator_steps"] == 1


def schedules():
    lr = torch.optim.lr_scheduler

    def sequence(optimizer):
        parts = [
            lr.LinearLR(optimizer, 0.1, total_iters=4),
            lr.CosineAnnealingLR(optimizer, 20),
        ]
        return lr.SequentialLR(optimizer, parts, milestones=[4])

    def chain(optimizer):
        return lr.ChainedScheduler(
            [lr.LinearLR(optimizer, 0.1, total_iters=4), lr.ExponentialLR(optimizer, 0.9)]
        )

    return {
        "step": SCHEDULE,
        "lambda": partial(lr.LambdaLR, lr_lambda=lambda step: 1 / (1 + step)),
        "cosine": partial(lr.CosineAnnealingLR, T_max=20),
        "one cycle": partial(lr.OneCycleLR, max_lr=1e-3, total_steps=40, cycle_momentum=False),
        "sequence": sequence,
        "sequence, before its milestone": sequence,
        "chain": chain,
    }


@pytest.mark.parametrize("name", schedules())
def test_a_schedule_goes_on_at_the_new_scale(tmp_path, name):
    """Whatever it computes rates from: all later ones are half of those of the run as planned."""

    class Rates(Callback):
        def __init__(self):
            self.seen = []

        def on_train_batch_end(self, trainer, *args):
            self.seen.append([o.param_groups[0]["lr"] for o in trainer.optimizers])

    planned, halved = Rates(), Rates()
    make = schedules()[name]
    arguments = {"generator_scheduler": make, "discriminator_scheduler": make}
    run(tmp_path / "a", planned, game=stateful_game(**arguments))
    at = 3 if "before" in name else 10
    act = Act(Rollback(changes=[ScaleLearningRates(0.5, 0.25)]), {at: at})
    run(tmp_path / "b", act, halved, game=stateful_game(**arguments))
    assert halved.seen[: at - 1] == planned.seen[: at - 1]
    expected = torch.tensor(planned.seen[at - 1 :]) * torch.tensor([0.25, 0.5])
    torch.testing.assert_close(torch.tensor(halved.seen[at - 1 :]), expected, rtol=1e-6, atol=0)


def test_what_a_rollback_leaves_behind_is_not_gone_back_to(tmp_path):
    """8 and 10 are of the failed branch; 12 is healthy as soon as a look has seen it so."""
    act = Act(Rollback(tries=5), {12: 7, 13: 12, 16: 15})
    run(tmp_path, act)
    assert [done.back_to for done in act.done] == [6, 6, 14]
    act = Act(Rollback(tries=5), {12: 7, 16: 14})
    run(tmp_path / "again", act)
    assert [done.back_to for done in act.done] == [6, 12]


def test_after_all_tries_the_run_is_stopped(tmp_path):
    act = Act(Rollback(tries=2), {4: 3, 8: 7, 12: 11})
    _, t = run(tmp_path, act)
    assert [done.back_to for done in act.done] == [2, 6, None]
    assert act.done[-1].words == "stopped after 2 rollbacks; last healthy checkpoint step=10.ckpt"
    assert t.global_step == 12
    assert differences(act.before[-1], act.after[-1]) == []


def test_after_a_divergence_training_is_as_if_nothing_had_been(tmp_path):
    """NaN in weights, moments and averages goes away; none of it gets into a file."""

    class Poison(Callback):
        def on_train_batch_end(self, trainer, module, *args):
            if trainer.global_step == 9:
                for x in module.state_dict().values():
                    x.fill_(torch.nan if x.is_floating_point() else 0)
                for optimizer in trainer.optimizers:
                    for state in optimizer.state.values():
                        state["exp_avg"].fill_(torch.nan)

    ends = []
    for name, poison in {"healthy": [], "poisoned": [Poison()]}.items():
        act = Act(Rollback(), {12: 9})
        if poison:
            with pytest.warns(UserWarning, match="No checkpoint of step 10: `generator.0.weight`"):
                run(tmp_path / name, *poison, act)
        else:
            run(tmp_path / name, act)
        ends.append(state_of(load(tmp_path / name / "last.ckpt")))
        assert act.done[0].back_to == 8
    assert not (tmp_path / "poisoned/step=10.ckpt").exists()
    assert differences(*ends) == []


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    game, t = run(tmp_path, steps=2)
    (tmp_path / "step=2.ckpt").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="`healthy checkpoint` must be a file that torch can read"):
        go_back(t, game, tmp_path / "step=2.ckpt")


@pytest.mark.parametrize("foreign", [True, False])
def test_a_healthy_file_that_is_torn_or_of_another_kind_is_passed_over(tmp_path, foreign):
    """Its step would fit; nothing may be raised on the first process alone."""
    for name in ("healthy.ckpt", "healthy-next.ckpt"):
        torch.save({"global_step": 2}, tmp_path / name)
        if not foreign:
            (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:100])
    act = Act(Rollback(), {14: 13})
    run(tmp_path, act, steps=14, every=4)
    assert act.done[0].back_to == 12
    for name, step in (("healthy.ckpt", 12), ("healthy-next.ckpt", 8)):
        saved = load(tmp_path / name)
        assert (saved["global_step"], "gan_lightning" in saved) == (step, True)


def test_checkpoints_after_a_rollback_are_the_runs_own(tmp_path):
    """The way back makes a gap between two looks, and so does a failure that passes by itself."""
    act = Act(Rollback(changes=[]), {12: 11}, healthy=[2, 4, 6, 8, 10, 14, 20])
    _, t = run(tmp_path, act, steps=20)
    assert act.done[0].back_to == 10
    assert t.callbacks[-1].steps == [2, 4, 6, 8, 10, 12, 14, 20]


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")
def test_a_schedule_that_was_changed_is_gone_on_with_or_not_at_all(tmp_path):
    changes = [ScalePenalty(10.0), SetDiscriminatorSteps(3)]
    game, _ = run(tmp_path / "a", Act(Rollback(changes=changes), {6: 5}), game=regularised())
    file = tmp_path / "a/last.ckpt"
    record = load(file)["gan_lightning"]
    assert (record["discriminator_steps"], record["discriminator_steps_now"]) == (1, 3)
    for k in (1, 3):
        resumed = regularised(seed=1)
        resumed.discriminator_steps = k
        if k == 1:
            with pytest.raises(
                ValueError, match=r"`discriminator_steps` must be 3 as .* got 1: re"
            ):
                run(tmp_path / "b", game=resumed, resume=file, steps=18)
        else:
            _, t = run(tmp_path / "c", game=resumed, resume=file, steps=18)
            assert t.global_step == 18
    # A new fit of the same family begins with what it was configured with.
    weights = [r.gamma for r in game.regularizers]
    assert (game.discriminator_steps, weights) == (3, [5.0, 20.0])
    run(tmp_path / "d", Act(Rollback(changes=changes)), game=game, steps=2)
    weights = [r.gamma for r in game.regularizers]
    assert (game.discriminator_steps, weights) == (1, [0.5, 2.0])


def test_no_checkpoints_at_all_are_refused_at_the_start():
    act = Act(Rollback())
    with pytest.raises(ValueError, match="`callbacks` must hold a GANCheckpoint for the action"):
        trainer(max_steps=2, callbacks=[act]).fit(mlp_game(NonSaturatingGAN), points())


@pytest.mark.parametrize(
    ("change", "callbacks", "match"),
    [
        (ScalePenalty(), [], r"a penalty with a weight, got NonSaturatingGAN with \[\]"),
        (ScalePenalty(name="r2"), ["r1"], r"a penalty 'r2', got NonSaturatingGAN with \['r1'\]"),
        (ScalePenalty(), ["r1", "annealing"], "GammaAnnealing sets that of r1 in every step"),
    ],
)
def test_changes_that_a_family_does_not_allow(tmp_path, change, callbacks, match):
    regularizers = [R1()] if "r1" in callbacks else []
    more = [GammaAnnealing(1.0, 0.1, 5)] if "annealing" in callbacks else []
    game = mlp_game(NonSaturatingGAN, regularizers=regularizers)
    with pytest.raises(ValueError, match=f"`ScalePenalty` needs .*{match}"):
        run(tmp_path, Act(Rollback(changes=[change])), *more, game=game)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Rollback(tries=0), "`tries` must be an integer of at least 1, got 0"),
        (lambda: Rollback(changes=["rates"]), "`changes` must hold changes, got 'rates'"),
        (lambda: ScaleLearningRates(0.0), "`generator` must be a positive number, got 0.0"),
        (lambda: ScaleLearningRates(1.0, -1), "`discriminator` must be a positive number, got -1"),
        (lambda: ScalePenalty(float("inf")), "`factor` must be a positive number, got inf"),
        (lambda: SetDiscriminatorSteps(0), "`discriminator_steps` must be an integer of at least"),
    ],
)
def test_arguments(make, match):
    with pytest.raises(ValueError, match=match):
        make()
