"""What theory and known faults give, of `benchmarks/calibration.py` in small."""

import math
from pathlib import Path
from statistics import mean, stdev

import pytest
import torch

from gan_lightning.data import Digits, GaussianGrid, GaussianRing
from gan_lightning.data.base import to_unit_range
from gan_lightning.metrics.extractors.classifiers import DigitsClassifier
from gan_lightning.metrics.functional import (
    class_coverage,
    density_coverage,
    frechet_distance,
    kl_divergence,
    mode_coverage,
    ndb,
    ndb_bins,
    precision_recall,
)

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def network():
    return DigitsClassifier()


@pytest.fixture(scope="module")
def digits():
    """Two halves of the digits, in [-1, 1], with the labels of the second."""
    memory = Digits(image_size=16).read()
    rows = torch.randperm(len(memory.x), generator=torch.Generator().manual_seed(0))
    x, labels = to_unit_range(memory.x[rows], torch.float32), memory.labels[rows]
    return x[:898], x[898:], labels[898:]


@torch.no_grad()
def look(network, x):
    return network(x)["features"]


def noisy(x, level):
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    return (x + 2 * level * noise).clamp(-1, 1)


# --- values that theory gives -----------------------------------------------------------------


@pytest.mark.parametrize(("classes", "samples"), [(10, 1000), (1000, 26_000)])
def test_the_kl_of_perfect_labels_is_at_its_floor(classes, samples):
    found = []
    for seed in range(60):
        random = torch.Generator().manual_seed(seed)
        found.append(class_coverage(torch.randint(classes, (samples,), generator=random), classes))
    kl = [f.kl for f in found]
    floor = (classes - 1) / (2 * samples)
    assert found[0].kl_floor == pytest.approx(floor, rel=1e-12)
    # 2 N KL is about chi-square with K - 1 degrees of freedom: mean, and spread, of 60 draws.
    # The next term of the mean, with sum 1 / p_k = K^2, is K^2 / 12 N^2.
    expected = floor + classes**2 / (12 * samples**2)
    deviation = math.sqrt(2 * (classes - 1)) / (2 * samples)
    assert mean(kl) == pytest.approx(expected, abs=3 * deviation / math.sqrt(60))
    assert stdev(kl) == pytest.approx(deviation, rel=3 / math.sqrt(2 * 59))


@pytest.mark.parametrize("mixture", [GaussianRing(), GaussianGrid()], ids=["ring", "grid"])
def test_samples_of_a_mixture_are_at_the_ceiling_of_quality(mixture):
    found = []
    for seed in range(20):
        points = mixture.draw(2500, torch.Generator().manual_seed(seed))
        found.append(mode_coverage(points, mixture.centres, mixture.std))
    ceiling, count = 1 - math.exp(-4.5), len(mixture.centres)
    error = math.sqrt(ceiling * (1 - ceiling) / 50_000)
    assert mean(f.high_quality for f in found) == pytest.approx(ceiling, abs=3 * error)
    assert {f.modes for f in found} == {count}
    floor, deviation = (count - 1) / 5000, math.sqrt(2 * (count - 1)) / 5000
    assert mean(f.reverse_kl for f in found) == pytest.approx(
        floor, abs=3 * deviation / math.sqrt(20)
    )
    assert mean(f.mean_spread for f in found) == pytest.approx(1, abs=0.01)


def test_shrunken_modes_are_above_the_ceiling():
    ring = GaussianRing()
    points = ring.draw(2500, torch.Generator().manual_seed(0))
    nearest = ring.centres[torch.cdist(points, ring.centres).argmin(1)]
    found = mode_coverage(nearest + (points - nearest) / 2, ring.centres, ring.std)
    assert found.high_quality == pytest.approx(1 - math.exp(-18), abs=1e-3)
    # Cut at 6 of their own standard deviations, i.e. hardly, beside a true mode cut at 3.
    cut = 1 - 4.5 * math.exp(-4.5) / (1 - math.exp(-4.5))  # variance of a mode cut off at 3
    assert found.mean_spread == pytest.approx(0.5 / math.sqrt(cut), rel=0.05)


def test_false_alarms_of_ndb_are_near_the_level():
    random = torch.Generator().manual_seed(0)
    shares = {0.05: [], 0.2: []}
    strict = []
    for seed in range(25):
        more, real, fake = (torch.randn(1500, 8, generator=random) for _ in range(3))
        centres = ndb_bins(more, 40, seed)
        for level, found in shares.items():
            found.append(ndb(real, fake, centres, significance=level).share)
        strict.append(ndb(real, fake, centres, z_threshold=4).different)
    for level, found in shares.items():
        error = math.sqrt(level * (1 - level) / (25 * 40))
        assert mean(found) == pytest.approx(level, abs=3 * error)
    assert sum(strict) <= 1  # 1,000 bins, each with a probability of 6e-5


# --- known faults -----------------------------------------------------------------------------


def test_the_frechet_distance_rises_with_noise(network, digits):
    real, fake, _ = digits
    features = look(network, real)
    found = [
        frechet_distance(features, look(network, noisy(fake, level))).item()
        for level in (0, 0.05, 0.1, 0.2, 0.4)
    ]
    assert found == sorted(found)
    assert len(set(found)) == len(found)
    assert found[-1] > 20 * found[0]


def test_what_sees_dropped_classes_and_what_does_not(network, digits):
    real, fake, labels = digits
    features = look(network, real)
    distance, recall, coverage, precision = [], [], [], []
    for dropped in (0, 2, 4, 6):
        x = look(network, fake[labels >= dropped][:350])
        distance.append(frechet_distance(features, x).item())
        p, r = precision_recall(features, x)
        precision.append(p.item())
        recall.append(r.item())
        coverage.append(density_coverage(features, x)[1].item())
    assert distance == sorted(distance)
    assert coverage == sorted(coverage, reverse=True)
    assert recall == sorted(recall, reverse=True)
    # All remaining images are real: precision stays, within three standard errors of shares.
    error = math.sqrt(2 * precision[0] * (1 - precision[0]) / 350)
    assert precision[-1] == pytest.approx(precision[0], abs=3 * error)


@pytest.mark.parametrize("dropped", [1, 5, 8])
def test_the_class_divergence_of_dropped_classes_has_a_closed_form(dropped):
    fake = torch.full((10,), 100).index_fill(0, torch.arange(dropped), 0)
    found = kl_divergence(fake, torch.full((10,), 250)).item()
    assert found == pytest.approx(math.log(10 / (10 - dropped)), rel=1e-12)


# --- the words of the table -------------------------------------------------------------------


def test_the_words_of_the_table(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    from calibration_tables import falls, first_seen, verdict

    levels = (0, 0.5, 1, 2)
    assert falls([1, 2, 2, 1]) == [1, 2]
    assert verdict([[1, 2, 3, 4], [0, 2, 3, 5]], levels) == "yes"
    assert verdict([[1, 2, 3, 4], [0, 3, 2.5, 5]], levels) == (
        "on average, not with every seed from 0.5 to 1"
    )
    assert verdict([[1, 3, 2, 4], [0, 3, 2.5, 5]], levels) == "no: not from 0.5 to 1"
    assert first_seen([[1, 2, 3, 4], [0, 2, 3, 4]], levels) == "0.5"
    assert first_seen([[1, 2, 3, 4], [0, 1, 3, 4]], levels) == "1"
    assert first_seen([[1, 2, 0, 4], [0, 2, 3, 4]], levels) == "2"
    assert first_seen([[1, 2, 3, 1], [0, 2, 3, 0]], levels) == "never"
