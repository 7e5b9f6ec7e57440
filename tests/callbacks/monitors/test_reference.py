"""Fakes beside real samples, against naive loops and the package's own metrics."""

import math

import numpy as np
import pytest
import torch

from gan_lightning.callbacks.monitors.reference import Reference, distances, ratio
from gan_lightning.metrics import functional


def loops(x, y):
    """All distances in float64, pair by pair."""
    x, y = x.double().numpy(), y.double().numpy()
    return np.array([[math.sqrt(((a - b) ** 2).sum()) for b in y] for a in x])


def others(among):
    return among[~np.eye(len(among), dtype=bool)]


def median(values):
    """The lower one of two in the middle, as torch has it."""
    return np.sort(values)[(len(values) - 1) // 2]


def a_set(seed, n, d=3, offset=0.0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + offset


def naive(train, fake, unseen):
    """Every signal by its definition."""
    half = len(train) // 2
    real, other = train[:half], train[half : 2 * half]
    spread = others(loops(real, real)).mean()
    own, inner = loops(fake, fake), loops(real, real)
    cross = loops(fake, real)
    np.fill_diagonal(own, np.inf)
    neighbours = inner.copy()
    np.fill_diagonal(neighbours, np.inf)
    found = {
        "pairwise": others(own).mean() / spread,
        "duplicates": np.mean(own.min(1) < 0.1 * median(neighbours.min(1))),
    }
    np.fill_diagonal(own, 0.0)
    found["distance"] = (2 * cross.mean() - own.mean() - inner.mean()) / spread
    for name, value in manifolds(real, fake).items():
        found[name] = value / manifolds(real, other)[name]
    new = float(functional.authenticity(train, unseen))
    found["authentic"] = float(functional.authenticity(train, fake)) / new
    near, usual = (median(loops(x, train).min(1)) for x in (fake, unseen))
    found["nearest"] = near / usual
    return found


def manifolds(real, fake):
    precision, recall = functional.precision_recall(real, fake, k=5)
    coverage = functional.density_coverage(real, fake, k=5)[1]
    return {"precision": float(precision), "recall": float(recall), "coverage": float(coverage)}


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("kind", ["equal", "narrow", "shifted", "copies", "many dimensions"])
def test_all_signals_are_those_of_naive_loops(kind, offset):
    d = 40 if kind == "many dimensions" else 3
    train, unseen = a_set(0, 80, d), a_set(1, 30, d)
    fake = {
        "equal": a_set(2, 40),
        "narrow": 0.2 * a_set(2, 40),
        "shifted": a_set(2, 40) + 1.5,
        "copies": torch.cat([train[:25], a_set(2, 15) if d == 3 else train[:15]]),
        "many dimensions": a_set(2, 40, d),
    }[kind]
    train, unseen, fake = (x.double() + offset for x in (train, unseen, fake))
    found = Reference(train, unseen).compare(fake)
    assert found == pytest.approx(naive(train, fake, unseen), rel=1e-6, abs=1e-7)


def test_without_unseen_samples_authenticity_is_relative_to_one_half():
    train, fake = a_set(0, 80), a_set(1, 40)
    found = Reference(train).compare(fake)
    assert "nearest" not in found
    assert found["authentic"] == pytest.approx(2 * float(functional.authenticity(train, fake)))


def test_equal_distributions_give_about_one():
    """Over twenty draws: means within four of their own standard errors of 1, and near it."""
    draws = [
        Reference(a_set(3 * i, 512, 2), a_set(3 * i + 1, 256, 2)).compare(a_set(3 * i + 2, 256, 2))
        for i in range(20)
    ]
    for name in ("pairwise", "precision", "recall", "coverage", "authentic", "nearest"):
        values = np.array([draw[name] for draw in draws])
        assert abs(values.mean() - 1) < 4 * values.std() / math.sqrt(20) + 0.01, name
        assert abs(values.mean() - 1) < 0.1, name
    assert np.mean([draw["distance"] for draw in draws]) < 0.03
    # A neighbour within a tenth of the median distance: in two dimensions a hundredth of the area.
    expected = 1 - 2**-0.01
    assert np.mean([draw["duplicates"] for draw in draws]) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("scale", [1.0, 127.5, 1e-3])
def test_a_constant_generator_has_no_spread_and_duplicates_alone(scale):
    train = scale * (a_set(0, 512, 16) + 1)
    found = Reference(train).compare(train[3].expand(256, 16))
    assert found["pairwise"] == pytest.approx(0.0, abs=1e-6)
    assert found["duplicates"] == 1.0
    assert found["recall"] == pytest.approx(0.0, abs=0.03)
    assert found["coverage"] < 0.1
    assert found["precision"] > 0.9
    assert found["authentic"] == 0.0


def test_the_energy_distance_of_two_points_is_known():
    """Reals at 0 and 1 equally, fakes all at 0: 2 E|x-y| - E|y-y'| - E|x-x'| = 1 - 0 - 1/2."""
    train = torch.tensor([[0.0], [1.0]]).repeat(8, 1)
    reference = Reference(train)
    assert reference.spread == pytest.approx(16 / 28)
    assert reference.compare(torch.zeros(8, 1))["distance"] == pytest.approx(0.5 / (16 / 28))


@pytest.mark.parametrize("n", [2, 3, 4, 5, 10])
def test_a_few_real_samples_are_enough(n):
    train = a_set(0, n)
    found = Reference(train, a_set(1, 2)).compare(a_set(2, 8))
    assert all(map(math.isfinite, found.values()))
    same = Reference(train).compare(train[: max(2, n // 2)].repeat(4, 1))
    assert same["coverage"] >= 1.0
    assert same["precision"] >= 1.0


@pytest.mark.parametrize("value", [0.0, 0.1, 255.0])
def test_real_samples_that_are_all_alike(value):
    train = torch.full((20, 5), value)
    reference = Reference(train, train[:4])
    assert reference.spread == 0.0
    assert reference.scale == 1.0
    same, other = reference.compare(train), reference.compare(train + a_set(0, 20, 5))
    for found in (same, other):
        assert all(map(math.isfinite, found.values()))
        assert found["pairwise"] >= 1.0  # nothing is missing
    assert same["distance"] == pytest.approx(0.0, abs=1e-6)
    assert (same["precision"], same["coverage"]) == (1.0, 1.0)
    assert other["distance"] > 1.0
    assert (other["precision"], other["coverage"]) == (0.0, 0.0)


def test_huge_features_stay_finite():
    found = Reference(a_set(0, 40)).compare(1e30 * a_set(1, 20))
    assert all(map(math.isfinite, found.values()))
    assert found["distance"] > 1e25


def test_distances_tell_close_pairs_apart():
    x = a_set(0, 64, 32, offset=10.0)
    y = x + 1e-5
    found = distances(x.double(), x.double() + 1e-5).diagonal()
    assert torch.allclose(found, torch.full_like(found, 1e-5 * math.sqrt(32)), rtol=0.02)
    assert distances(x, y).dtype == torch.float64


@pytest.mark.parametrize(
    ("a", "b", "expected"), [(1.0, 2.0, 0.5), (0.0, 0.0, 1.0), (3.0, 0.0, 4.0), (0.0, 1.0, 0.0)]
)
def test_ratio(a, b, expected):
    assert ratio(a, b) == expected
