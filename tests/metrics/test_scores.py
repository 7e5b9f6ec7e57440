import importlib
import math

import numpy as np
import pytest
import torch
from scipy.special import rel_entr, softmax
from torch_fidelity.metric_isc import isc_features_to_metric

from gan_lightning.metrics.am_score import AMScore
from gan_lightning.metrics.functional.scores import am_score, inception_score, mode_score
from gan_lightning.metrics.inception_score import InceptionScore
from gan_lightning.metrics.mode_score import ModeScore

scores = importlib.import_module("gan_lightning.metrics.functional.scores")


def logits(n=53, k=7, seed=0, scale=2.0):
    random = torch.Generator().manual_seed(seed)
    return scale * torch.randn(n, k, generator=random, dtype=torch.float64)


@pytest.mark.parametrize("entries", [1, 30, 2**22])
@pytest.mark.parametrize("splits", [1, 3, 10])
def test_inception_score_against_torch_fidelity(monkeypatch, entries, splits):
    monkeypatch.setattr(scores, "_ENTRIES", entries)
    mean, std = inception_score(logits(), splits)
    theirs = isc_features_to_metric(logits(), splits, shuffle=False)
    assert mean.item() == pytest.approx(theirs["inception_score_mean"], rel=1e-12)
    assert std.item() == pytest.approx(theirs["inception_score_std"], rel=1e-10, abs=1e-14)
    assert mean.dtype == std.dtype == torch.float64


def naive(real, fake):
    p, r = softmax(fake.numpy(), 1), softmax(real.numpy(), 1)
    gain = np.mean([rel_entr(row, p.mean(0)).sum() for row in p])
    entropy = -np.mean([(row * np.log(row)).sum() for row in p])
    mode = math.exp(gain - rel_entr(p.mean(0), r.mean(0)).sum())
    return mode, rel_entr(r.mean(0), p.mean(0)).sum() + entropy


def test_mode_and_am_score_against_their_definitions():
    real, fake = logits(40, seed=1) + torch.arange(7), logits()
    mode, am = naive(real, fake)
    assert mode_score(real, fake).item() == pytest.approx(mode, rel=1e-12)
    assert am_score(real, fake).item() == pytest.approx(am, rel=1e-12)


@pytest.mark.parametrize("scale", [1e2, 1e3, 1e6])
def test_sure_classifiers(scale):
    sure = scale * torch.eye(4)
    assert inception_score(sure.repeat(5, 1), 5)[0].item() == pytest.approx(4, rel=1e-12)
    assert mode_score(sure, sure).item() == pytest.approx(4, rel=1e-12)
    assert am_score(sure, sure).item() == pytest.approx(0, abs=1e-12)
    # All fakes in one class of four: KL(fake || real) = log 4.
    one = sure[:1].expand(9, -1)
    assert inception_score(one, 3)[0].item() == pytest.approx(1, rel=1e-12)
    assert mode_score(sure, one).item() == pytest.approx(1 / 4, rel=1e-12)
    found = am_score(sure, one).item()  # 3/4 of the reals' classes are missing
    assert found == pytest.approx(0.75 * scale - math.log(4), rel=1e-12)
    half = sure[:2], sure[1:3]  # half of the fakes are of a class of no real
    expected = 2**1.5 * math.exp(-scale / 2)
    assert mode_score(*half).item() == pytest.approx(expected, rel=1e-9, abs=0)


def test_logits_whose_difference_overflows():
    sure = 1.7e308 * (2 * torch.eye(4, dtype=torch.float64) - 1)
    assert inception_score(sure, 1)[0].item() == pytest.approx(4, rel=1e-12)
    assert mode_score(sure, sure[:2]).item() == pytest.approx(1, rel=1e-12)
    assert am_score(sure, sure).item() == 0
    assert am_score(sure, sure[:2]).isfinite()


def test_unsure_classifiers():
    flat = torch.zeros(20, 5)
    mean, std = inception_score(flat)
    assert mean.item() == pytest.approx(1, rel=1e-15)
    assert std.item() == pytest.approx(0, abs=1e-15)
    assert mode_score(flat, flat).item() == pytest.approx(1, rel=1e-15)
    assert am_score(flat, flat).item() == pytest.approx(math.log(5), rel=1e-15)


def test_identical_sets_give_the_inception_score():
    x = logits()
    torch.testing.assert_close(mode_score(x, x), inception_score(x, 1)[0])


def test_logits_offset_by_a_constant():
    """Only differences of logits count; here they are exact in float32."""
    x = (logits() * 16).round() / 16
    torch.testing.assert_close(inception_score((x + 1e3).float()), inception_score(x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_dtypes(dtype):
    x, y = logits().to(dtype), logits(seed=1).to(dtype)
    for function in (mode_score, am_score):
        assert function(x, y).dtype == torch.float64
        torch.testing.assert_close(function(x, y), function(x.double(), y.double()))
    torch.testing.assert_close(inception_score(x), inception_score(x.double()))


def test_the_inception_score_rises_with_the_size_of_a_split():
    x = logits(2000, 50, scale=4)
    assert inception_score(x, 100)[0] < inception_score(x, 10)[0] < inception_score(x, 1)[0]


X = torch.zeros(4, 3)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: inception_score(X[:1], 1), r"`logits` must be \(N, K\) of at least 2 samples"),
        (lambda: inception_score(X[0], 1), r"`logits` must be \(N, K\) .* got shape \(3,\)"),
        (lambda: inception_score(X), "`splits` must be from 1 to .* 4, got 10"),
        (lambda: inception_score(X, 0), "`splits` must be from 1 to .* 4, got 0"),
        (lambda: inception_score(X * torch.nan, 2), "`logits` must be finite, got NaN"),
        (lambda: mode_score(X, X[:1]), "`fake_logits` must be .* of at least 2 samples"),
        (lambda: mode_score(X, X[:, :2]), "`fake_logits` must have as many classes .* 3, got 2"),
        (lambda: am_score(X * torch.nan, X), "`real_logits` must be finite, got NaN"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def fed(metric, size):
    for x, is_real in ((logits(40, seed=1), True), (logits(), False)):
        for batch in x.split(size)[:: 1 if size > 20 else -1]:
            metric.update(batch, real=is_real)
    return metric.compute()


@pytest.mark.parametrize(("metric", "function"), [(ModeScore(), mode_score), (AMScore(), am_score)])
def test_class_equals_function(metric, function):
    expected = function(logits(40, seed=1), logits())
    torch.testing.assert_close(fed(metric, 7), expected, rtol=1e-12, atol=0)
    assert metric.output == "logits"


def test_the_class_shuffles_by_its_own_seed():
    before = torch.get_rng_state()
    first = fed(InceptionScore(splits=4), 7)
    assert torch.equal(before, torch.get_rng_state())
    assert first == fed(InceptionScore(splits=4), 64)
    assert first.keys() == {"CS", "CS_std"}
    assert first != fed(InceptionScore(splits=4, seed=1), 7)
    whole = fed(InceptionScore(splits=1), 7)["CS"]
    torch.testing.assert_close(whole, inception_score(logits(), 1)[0], rtol=1e-12, atol=0)


def test_sorted_samples_are_shuffled_before_they_are_split():
    """In the order of their classes each split would hold one class and score 1."""
    metric = InceptionScore(splits=10)
    labels = torch.arange(1000) // 100
    metric.update(1e2 * torch.eye(10)[labels], index=torch.arange(1000))
    assert metric.compute()["CS"].item() == pytest.approx(9.5, abs=0.5)
