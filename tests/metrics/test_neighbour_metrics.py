"""What all metrics of neighbours, bins and diversity promise alike."""

import math

import pytest
import torch

from gan_lightning.metrics.authenticity import Authenticity
from gan_lightning.metrics.birthday_paradox import BirthdayParadox
from gan_lightning.metrics.data_copying import DataCopying
from gan_lightning.metrics.density_coverage import DensityCoverage
from gan_lightning.metrics.functional.authenticity import authenticity
from gan_lightning.metrics.functional.birthday_paradox import birthday_paradox
from gan_lightning.metrics.functional.data_copying import data_copying
from gan_lightning.metrics.functional.density_coverage import density_coverage
from gan_lightning.metrics.functional.ndb import ndb
from gan_lightning.metrics.functional.one_nearest_neighbour import one_nearest_neighbour
from gan_lightning.metrics.functional.precision_recall import precision_recall, realism
from gan_lightning.metrics.functional.vendi import vendi_score
from gan_lightning.metrics.ndb import NDB
from gan_lightning.metrics.one_nearest_neighbour import OneNearestNeighbour
from gan_lightning.metrics.precision_recall import PrecisionRecall
from gan_lightning.metrics.realism import Realism
from gan_lightning.metrics.vendi_score import VendiScore

CENTRES = torch.tensor([[-1.0] * 6, [0.0] * 6, [1.0] * 6], dtype=torch.float64)


def of_birthday(real, fake):
    found = birthday_paradox(fake, real=real, relative=2.0)
    return found.support, found.pairs, found.smallest


def of_given_threshold(fake):
    found = birthday_paradox(fake, threshold=1.5)
    return found.support, found.pairs, found.smallest


def of_ndb(real, fake, bins=CENTRES):
    found = ndb(real, fake, bins)
    return found.share, found.jsd


# Name -> (class, its arguments, the same from the functional, on the sets of the class).
METRICS = {
    "precision, recall": (PrecisionRecall, {}, precision_recall),
    "strict": (
        PrecisionRecall,
        {"k": 2, "strict": True},
        lambda r, f: precision_recall(r, f, 2, strict=True),
    ),
    "realism": (Realism, {}, lambda r, f: realism(r, f).mean()),
    "capped": (Realism, {"maximum": 0.9}, lambda r, f: realism(r, f).clamp(max=0.9).mean()),
    "density, coverage": (DensityCoverage, {}, density_coverage),
    "1NN": (OneNearestNeighbour, {}, one_nearest_neighbour),
    "authenticity": (Authenticity, {}, authenticity),
    "C_T": (DataCopying, {"cells": 1}, lambda r, t, f: data_copying(r, t, f, 1)),
    "birthday": (BirthdayParadox, {"relative": 2.0}, of_birthday),
    "given threshold": (BirthdayParadox, {"threshold": 1.5}, of_given_threshold),
    "NDB": (NDB, {"bins": CENTRES}, of_ndb),
    "Vendi": (VendiScore, {"q": 2.0}, lambda f: vendi_score(f, 2.0)),
}
MOVES_WITH_THE_ORIGIN = {"NDB", "Vendi"}


@pytest.fixture(params=METRICS)
def name(request):
    return request.param


@pytest.fixture
def metric(name):
    cls, arguments, _ = METRICS[name]
    return cls(**arguments)


def samples(n=48, d=6):
    """Sets whose numbers have so few bits that half precisions hold them, and 1e3 more of them."""
    random = torch.Generator().manual_seed(0)

    def draw():
        return torch.randn(n, d, generator=random).mul(16).round().clamp(-64, 64) / 16

    return {"real": draw(), "test": draw(), "fake": draw() * 0.5}


def values(metric):
    found = metric.compute()
    numbers = [found] if isinstance(found, torch.Tensor) else list(found.values())
    assert len(numbers) == len(metric.names)
    assert all(n.dtype == torch.float64 and n.shape == () for n in numbers)
    return [n.item() for n in numbers]


def feed(metric, sets, size=1000):
    batches = [(name, b) for name, x in sets.items() for b in x.split(size)]
    for which, x in batches[::-1] if size % 2 else batches:
        metric.update(x, real=which == "real", test=which == "test")
    return values(metric)


def function_of(name, metric, sets):
    found = METRICS[name][2](*(sets[s] for s in metric.sets))
    numbers = found if isinstance(found, tuple) else (found,)
    return [float(n) for n in numbers]


def test_class_equals_function(name, metric):
    sets = samples()
    assert feed(metric, sets) == pytest.approx(function_of(name, metric, sets), rel=1e-9)


@pytest.mark.parametrize("size", [5, 16])
def test_order_and_size_of_batches_do_not_matter(metric, size):
    whole = feed(metric, samples())
    metric.reset()
    assert feed(metric, samples(), size) == whole


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_dtype_of_features_does_not_matter(metric, dtype):
    sets = samples()
    expected = feed(metric, sets)
    metric.reset()
    converted = {key: x.to(dtype) for key, x in sets.items()}
    assert all(torch.equal(converted[key].float(), x) for key, x in sets.items())
    assert feed(metric, converted) == pytest.approx(expected, rel=1e-12)


def test_an_offset_in_float32_does_not_matter(name, metric):
    sets = samples()
    if name in MOVES_WITH_THE_ORIGIN:
        shifted = {key: (x + 1e3).double() for key, x in sets.items()}
        found = function_of(name, metric, {key: x + 1e3 for key, x in sets.items()})
        expected = function_of(name, metric, shifted)
    else:
        expected = function_of(name, metric, sets)
        found = function_of(name, metric, {key: x + 1e3 for key, x in sets.items()})
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("collapse", ["one point", "a copy of a real", "rank one", "zeros"])
def test_a_collapsed_generator_has_values(name, metric, collapse):
    sets = samples()
    line = torch.arange(-24.0, 24.0)[:, None] * sets["fake"][:1]
    point = sets["real" if collapse == "a copy of a real" else "fake"][:1].expand(48, 6)
    sets["fake"] = {"rank one": line, "zeros": torch.zeros(48, 6)}.get(collapse, point)
    found = feed(metric, sets)
    assert not any(math.isnan(v) for v in found)
    allowed = name == "realism" or name in {"birthday", "given threshold"}
    assert allowed or all(math.isfinite(v) for v in found)


def test_identical_sets_with_duplicates_have_values(metric):
    real = samples()["real"].repeat(2, 1)
    found = feed(metric, {"real": real, "test": real, "fake": real})
    assert not any(math.isnan(v) for v in found)


def test_fewer_samples_than_dimensions_and_images():
    random = torch.Generator().manual_seed(1)
    real, fake = (torch.randn(24, 3, 8, 8, generator=random).double() for _ in range(2))
    for function in (precision_recall, realism, density_coverage, one_nearest_neighbour):
        found, flat = function(real, fake), function(real.flatten(1), fake.flatten(1))
        torch.testing.assert_close(found, flat, rtol=0, atol=0)
    assert vendi_score(real).item() == pytest.approx(vendi_score(real.flatten(1)).item())


def test_one_sample_is_refused(metric):
    sets = {key: x[:1] for key, x in samples().items()}
    with pytest.raises(ValueError, match=r"^`\w+` must (be|hold|reached)"):
        feed(metric, sets)


def test_nan_is_refused(name, metric):
    sets = samples()
    sets["fake"][7, 3] = math.nan
    which = "features" if "fake" in metric.sets and len(metric.sets) == 1 else "fake"
    which = "features" if name == "birthday" else which
    with pytest.raises(ValueError, match=f"`{which}` must be finite, got NaN or infinity"):
        function_of(name, metric, sets)
    with pytest.raises(ValueError, match=r"`x` must be finite, got NaN .* batch 1 of the fake"):
        metric.update(sets["fake"])


def test_the_global_random_state_is_untouched(metric):
    before = torch.get_rng_state()
    feed(metric, samples())
    assert torch.equal(before, torch.get_rng_state())


def test_names_are_unique():
    names = [n for n, _ in {(n, cls) for cls, _, _ in METRICS.values() for n in cls.names}]
    assert len(names) == len(set(names))


def test_ndb_with_its_own_bins():
    sets = samples(300)
    found = feed(NDB(bins=4, seed=3), sets, 7)
    assert found == feed(NDB(bins=4, seed=3), sets, 50)
    assert 0 <= found[0] <= 1


def test_a_given_threshold_needs_no_reals():
    metric = BirthdayParadox(threshold=0.5)
    metric.update(samples()["fake"])
    assert len(metric.compute()) == 3


def test_realism_refuses_a_maximum_of_0():
    with pytest.raises(ValueError, match="`maximum` must be positive, got 0"):
        Realism(maximum=0)
