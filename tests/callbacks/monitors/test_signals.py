"""From an observation to numbers: closed forms, naive loops, and everything that is awkward."""

import math

import numpy as np
import pytest
import torch
from looks import ring, seen
from sklearn.metrics import roc_auc_score

from gan_lightning.callbacks.monitors.players import above
from gan_lightning.callbacks.monitors.signals import MEANINGS, Signals
from gan_lightning.data import Digits
from gan_lightning.metrics.extractors import DigitsClassifier
from gan_lightning.metrics.functional import mean_pairwise_distance

# --- samples --------------------------------------------------------------------------------------


def test_half_the_modes_are_half_of_the_bins():
    signals = Signals(ring(512))
    assert signals.measure(seen(ring(256, 1)))["bins"] == pytest.approx(1.0, abs=0.1)
    half = signals.measure(seen(ring(256, 1, modes=range(4))))
    assert half["bins"] == pytest.approx(0.5, abs=0.07)
    assert half["precision"] == pytest.approx(1.0, abs=0.2)
    assert half["coverage"] == pytest.approx(0.5, abs=0.1)
    one = signals.measure(seen(ring(256, 1, modes=[3])))
    assert one["bins"] == pytest.approx(1 / 8, abs=0.03)
    assert one["pairwise"] < 0.01


def test_equal_distributions_reach_the_bins_and_the_rest_is_about_one():
    found = Signals(ring(512, std=0.1), None, ring(256, 2, std=0.1)).measure(
        seen(ring(256, 1, std=0.1))
    )
    for name in ("pairwise", "precision", "recall", "coverage", "nearest", "bins"):
        assert found[name] == pytest.approx(1.0, abs=0.2), name
    # A ratio of two shares of 256 about 0.38, each with a standard error of 0.03.
    assert found["authentic"] == pytest.approx(1.0, abs=0.45)
    assert found["extent"] == pytest.approx(1.0, abs=0.05)
    assert found["distance"] < 0.03
    assert found["finite"] == 1.0


def test_recent_bins_are_those_of_five_looks_together():
    signals = Signals(ring(512))
    alone, together = [], []
    for i in range(8):
        found = signals.measure(seen(ring(256, 1, modes=[i])))
        alone.append(found["bins"])
        together.append(found["recent_bins"])
    assert alone == pytest.approx([1 / 8] * 8, abs=0.03)
    assert together == pytest.approx([1 / 8, 2 / 8, 3 / 8, 4 / 8, *[5 / 8] * 4], abs=0.06)


def test_moves_between_looks_by_hand():
    real = ring(512)
    signals = Signals(real)
    spread = float(mean_pairwise_distance(real[:256]))
    a, b = ring(256, 1), ring(256, 1, modes=range(4))
    first = signals.measure(seen(a))
    assert not {"moved", "change", "shift", "turn"} & first.keys()
    assert first["drift"] == 0.0
    found = signals.measure(seen(b))
    # Half of the samples have left their bins, which took in nobody else.
    assert found["moved"] == pytest.approx(0.5, abs=0.05)
    change = np.mean([math.dist(x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)])
    assert found["change"] == pytest.approx(change / spread, rel=1e-5)
    shift = math.dist(a.mean(0).tolist(), b.mean(0).tolist())
    assert found["shift"] == pytest.approx(shift / spread, rel=1e-4)
    again = signals.measure(seen(b))
    assert (again["moved"], again["change"], again["shift"]) == (0.0, 0.0, 0.0)
    assert again["drift"] == found["drift"] == pytest.approx(found["change"])


@pytest.mark.parametrize(("path", "turn"), [([0, 1, 2, 3, 4], 1.0), ([0, 1, 2, 1, 0], 0.0)])
def test_a_straight_way_and_one_there_and_back(path, turn):
    signals, base = Signals(ring(64)), ring(16)
    found = [signals.measure(seen(base + x)) for x in path]
    assert "turn" not in found[3]
    assert found[4]["turn"] == pytest.approx(turn, abs=1e-5)
    signals.forget()
    assert "turn" not in signals.measure(seen(base))


def test_what_is_compared_with_the_past_survives_a_checkpoint(tmp_path):
    looks = [ring(64, i, modes=range(i + 1)) for i in range(6)]
    whole, first = Signals(ring(128)), Signals(ring(128))
    expected = [whole.measure(seen(x)) for x in looks]
    found = [first.measure(seen(x)) for x in looks[:3]]
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second = Signals(ring(128))
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert found + [second.measure(seen(x)) for x in looks[3:]] == expected
    second.forget()
    assert "moved" not in second.measure(seen(looks[0]))
    assert "moved" in second.measure(seen(looks[0]))


def test_a_resume_with_another_number_of_samples_begins_anew():
    first, second = Signals(ring(128)), Signals(ring(64))
    first.measure(seen(ring(64)))
    second.load_state_dict(first.state_dict())
    found = second.measure(seen(ring(32)))
    assert "moved" not in found
    assert found["drift"] == 0.0
    assert second.measure(seen(ring(32)))["moved"] == 0.0


def test_classes_left_are_those_that_a_classifier_finds():
    x = torch.cat([x for x, _ in Digits(image_size=8).real_chunks(512)])
    signals = Signals(x, extractor=DigitsClassifier())
    assert signals.measure(seen(x[:256]))["classes"] == 1.0
    label = DigitsClassifier()(x)["logits"].argmax(1)
    for left in (1, 3, 7):
        few = x[label < left]
        few = few.repeat(256 // len(few) + 1, 1, 1, 1)[:256]
        assert signals.measure(seen(few))["classes"] == pytest.approx(left / 10)


def test_a_class_that_no_real_sample_was_taken_for_does_not_count():
    """The classifier's tenth class may come up among the fakes alone."""
    x = torch.cat([x for x, _ in Digits(image_size=8).real_chunks(512)])
    label = DigitsClassifier()(x)["logits"].argmax(1)
    signals = Signals(x[label < 4], extractor=DigitsClassifier())
    assert signals.measure(seen(x[:256]))["classes"] == 1.0
    assert signals.measure(seen(x[label >= 4][:256]))["classes"] == 0.0


def test_the_poorest_class_by_hand():
    real, labels = ring(192), torch.arange(192) % 3
    fake, given = ring(96, 1), torch.arange(96) % 3
    fake[given == 1] *= 0.25
    found = Signals(real, labels).measure(seen(fake, labels=given))["class_pairwise"]
    halves = real[:96], labels[:96]
    ratios = [
        float(mean_pairwise_distance(fake[given == c]) / mean_pairwise_distance(x[y == c]))
        for c in range(3)
        for x, y in [halves]
    ]
    assert found == pytest.approx(min(ratios), rel=1e-6)
    assert found == pytest.approx(0.25, abs=0.05)
    assert "class_pairwise" not in Signals(real).measure(seen(fake, labels=given))
    assert "class_pairwise" not in Signals(real, labels).measure(seen(fake))


def test_classes_of_two_samples_have_no_spread():
    real, labels = ring(24), torch.arange(24) % 12
    found = Signals(real, labels).measure(seen(ring(12), labels=torch.arange(12)))
    assert "class_pairwise" not in found


# --- logits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [2, 5, 10**6])
def test_above_is_the_area_under_the_curve(levels):
    random = np.random.default_rng(0)
    a, b = random.integers(levels, size=37) + levels // 4, random.integers(levels, size=53)
    truth = roc_auc_score([1] * 37 + [0] * 53, [*a, *b])
    pairs = np.mean([(x > y) + 0.5 * (x == y) for x in a for y in b])
    found = above(torch.tensor(a), torch.tensor(b))
    assert found == pytest.approx(truth, abs=1e-12)
    assert found == pytest.approx(pairs, abs=1e-12)


def test_logits_by_the_formulas():
    """Karras et al. 2020 (arXiv:2006.06676), Eq. 1."""
    random = torch.Generator().manual_seed(0)
    logits = {
        name: torch.randn(n, generator=random) + shift
        for name, n, shift in (("real", 30, 1.0), ("fake", 20, -1.0), ("heldout", 25, 0.25))
    }
    found = Signals(ring(64)).measure(seen(ring(16), logits=logits))
    real, fake, unseen = (logits[name].double().numpy() for name in ("real", "fake", "heldout"))
    v = (real.mean() - unseen.mean()) / (real.mean() - fake.mean())
    assert found["overfit_v"] == pytest.approx(v, rel=1e-9)
    assert found["overfit_t"] == pytest.approx(np.sign(real).mean(), abs=1e-6)
    assert found["right"] == pytest.approx(above(logits["real"], logits["fake"]))
    assert found["memory"] == pytest.approx(above(logits["real"], logits["heldout"]))
    every = np.sort(np.concatenate([real, fake, unseen]))
    off = np.sort(np.abs(every - every[(len(every) - 1) // 2]))
    assert found["logit"] == pytest.approx(off[(len(off) - 1) // 2], rel=1e-6)
    drifted = {name: x + 1000 for name, x in logits.items()}  # a critic has no zero
    again = Signals(ring(64)).measure(seen(ring(16), logits=drifted))
    assert again["logit"] == pytest.approx(found["logit"], abs=1e-3)


def test_a_memory_is_seen_where_there_is_one():
    real, unseen = torch.randn(256) + 3, torch.randn(256)
    logits = {"fake": torch.randn(256) - 3, "real": real, "heldout": unseen}
    found = Signals(ring(64)).measure(seen(ring(16), logits=logits))
    assert found["memory"] > 0.95
    assert found["overfit_v"] == pytest.approx(0.5, abs=0.05)
    logits["heldout"] = torch.randn(256) + 3
    none = Signals(ring(64)).measure(seen(ring(16), logits=logits))
    assert none["memory"] == pytest.approx(0.5, abs=0.08)
    assert none["overfit_v"] == pytest.approx(0.0, abs=0.05)


def test_the_players_numbers():
    observation = seen(
        ring(16),
        losses={"generator": torch.tensor([1.0, 2.0]), "discriminator": torch.tensor([4.0])},
        rows=[
            {"grad_norm/generator": 1.0, "grad_norm/discriminator": 5.0},
            {"grad_norm/generator": 2.0},
        ],
        weights={"generator": 0.5, "discriminator": math.nan},
    )
    found = Signals(ring(64)).measure(observation)
    assert found["loss_generator"] == 1.5
    assert found["loss_discriminator"] == 4.0
    assert (found["gradient"], found["discriminator_gradient"]) == (1.5, 5.0)
    assert found["weights_generator"] == 0.5
    assert math.isnan(found["weights_discriminator"])


def test_every_signal_has_a_meaning():
    x = torch.cat([x for x, _ in Digits(image_size=8).real_chunks(64)])
    signals = Signals(x, torch.arange(64) % 3, x[:9], DigitsClassifier())
    observation = seen(
        x[:16],
        labels=torch.arange(16) % 3,
        logits={name: torch.randn(4) for name in ("real", "fake", "heldout")},
        losses={name: torch.arange(20.0) for name in ("generator", "discriminator")},
        rows=[{"grad_norm/generator": 1.0, "grad_norm/discriminator": 1.0}],
        weights={"generator": 1.0, "discriminator": 1.0},
    )
    moved = seen(x[1:17], labels=torch.arange(16) % 3)
    names = signals.measure(observation).keys()
    broken = seen(x[:16], losses={"generator": torch.tensor([0.0, math.nan])})
    names |= Signals(x).measure(broken).keys()
    for _ in range(4):
        names |= signals.measure(moved).keys()
        names |= signals.measure(observation).keys()
    assert names == MEANINGS.keys()
