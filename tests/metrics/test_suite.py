"""Many metrics from one pass: names, protocols, shared rows, the cache."""

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

from gan_lightning import metrics
from gan_lightning.metrics import functional as F
from gan_lightning.metrics.cache import RealCache
from gan_lightning.metrics.extractors import (
    DigitsClassifier,
    ModuleExtractor,
    PixelExtractor,
    PointExtractor,
)
from gan_lightning.metrics.suite import MetricSuite


class Counted(PixelExtractor):
    """Pixels, and how often they were asked for."""

    passes = 0

    def extract(self, x: Tensor) -> dict[str, Tensor]:
        self.passes += 1
        return super().extract(x)


def images(n: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    levels = torch.randint(0, 256, (n, 1, 4, 4), generator=generator)
    return levels.to(torch.uint8)


def a_suite(extractor=None) -> MetricSuite:
    chosen = [
        metrics.FrechetDistance(),
        metrics.PrecisionRecall(),
        metrics.KernelDistance(),
        metrics.VendiScore(),
    ]
    return MetricSuite(extractor or Counted(), chosen)


def test_values_are_those_of_the_functions_on_all_samples():
    suite, real, fake = a_suite(), images(40, 0), images(30, 1)
    for part in real.split(16):
        suite.update(part, real=True)
    for part in fake.split(7):
        suite.update(part)
    found = suite.compute()
    x, y = (t.flatten(1).double() / 127.5 - 1 for t in (real, fake))
    precision, recall = F.precision_recall(x, y)
    expected = {
        "FD-pixels": F.frechet_distance(x, y),
        "precision-pixels": precision,
        "recall-pixels": recall,
        "KD-pixels": F.kernel_distance(x, y),
        "Vendi-pixels": F.vendi_score(y),
    }
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(float(value), rel=2e-6)  # float32 features


def test_one_pass_serves_all_metrics():
    suite = a_suite()
    suite.update(images(5, 0), real=True)
    suite.update(images(5, 1))
    assert suite.extractor.passes == 2


def test_rows_are_kept_once_and_without_a_copy():
    suite = a_suite()
    suite.update_outputs({"features": (x := torch.rand(6, 3))}, real=True)
    (store,) = suite._stores.values()
    assert store.real[0].data_ptr() == x.data_ptr()
    kept = [m for m in suite.metrics if m.keeps_rows]
    assert len(kept) == 3
    assert all(len(m.real) == 0 for m in kept)


def test_order_and_size_of_batches_do_not_matter_to_the_last_bit():
    real, fake = torch.randn(50, 3), torch.randn(40, 3)
    chosen = lambda: [metrics.KernelDistanceSubsets(subsets=5, subset_size=20), metrics.NDB(bins=4)]  # noqa: E731
    one, other = (MetricSuite(PointExtractor(), chosen()) for _ in range(2))
    one.update(real, real=True)
    one.update(fake)
    for part in fake.flip(0).split(9):
        other.update(part)
    for part in real[torch.randperm(50)].split(11):
        other.update(part, real=True)
    assert one.compute() == other.compute()


def test_score_says_how_it_was_taken():
    suite = MetricSuite(
        DigitsClassifier(), [metrics.FrechetDistance(), metrics.PrecisionRecall(k=2)]
    )
    for real in (True, False):
        suite.update(torch.rand(9, 1, 16, 16), real=real)
    found = suite.compute()
    assert set(found) == {"FD-Digits", "precision-Digits", "recall-Digits"}
    assert found["FD-Digits"].higher_is_better is False
    assert found["recall-Digits"].higher_is_better is True
    for part in (
        "PrecisionRecall(k=2, strict=False, output='features')",
        "9 real, 9 fake",
        "Digits (16x16",
        "weights ",
    ):
        assert part in found["recall-Digits"].protocol


class Canonical(ModuleExtractor):
    """As Inception with its own weights, resized another way."""

    variant = "-clean"
    canonical = True


def test_only_the_canonical_extractor_gives_canonical_names():
    chosen = [metrics.FrechetDistance(), metrics.PrecisionRecall()]
    suite = MetricSuite(Canonical(nn.Flatten(), name="Inception"), chosen)
    for real in (True, False):
        suite.update(torch.rand(9, 3, 4, 4), real=real)
    assert list(suite.compute()) == [
        "FID-clean",
        "precision-Inception-clean",
        "recall-Inception-clean",
    ]


def test_reset_keeps_the_real_samples():
    suite = a_suite()
    suite.update(images(20, 0), real=True)
    suite.update(images(20, 1))
    first = suite.compute()
    suite.reset()
    suite.update(images(20, 1))
    assert suite.compute() == first
    suite.reset(keep_real=False)
    suite.update(images(20, 1))
    with pytest.raises(ValueError, match="needs real samples, got none"):
        suite.compute()


def test_state_of_reals_takes_their_place_by_way_of_the_disk(tmp_path):
    suite, cache = a_suite(), RealCache(tmp_path)
    suite.update(images(20, 0), real=True)
    cache.write("twenty", suite.real_state())
    other = a_suite()
    other.load_real_state(cache.read("twenty"))
    for s in (suite, other):
        s.update(images(20, 1))
    assert suite.compute() == other.compute()
    assert other.extractor.passes == 1
    assert cache.read("twenty-one") is None


def test_damaged_cache_is_made_again_and_says_so(tmp_path):
    cache = RealCache(tmp_path)
    cache.write("a", {"x": torch.ones(2)})
    cache.path("a").write_bytes(b"half")
    with pytest.warns(UserWarning, match="is damaged"):
        assert cache.read("a") is None


def test_cache_of_another_fingerprint_is_none(tmp_path):
    cache = RealCache(tmp_path)
    cache.write("a", {"x": torch.ones(2)})
    cache.path("a").rename(cache.path("b"))
    assert cache.read("b") is None


def test_cache_that_cannot_be_written_costs_nothing_else(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="could not be kept"):
        RealCache(tmp_path / "file" / "below").write("a", {"x": torch.ones(2)})


def test_each_index_counts_once():
    x = torch.randn(8, 2)
    index = torch.tensor([3, 1, 0, 2, 7, 5, 4, 6])
    suite = MetricSuite(PointExtractor(), [metrics.PrecisionRecall(), metrics.KernelDistance()])
    suite.update(x, real=True, index=index)
    suite.update(x[2:5], real=True, index=index[2:5])  # a sampler evens shares out
    suite.update(x + 1)
    plain = MetricSuite(PointExtractor(), [metrics.PrecisionRecall(), metrics.KernelDistance()])
    plain.update(x, real=True)
    plain.update(x + 1)
    found, expected = suite.compute(), plain.compute()
    assert found == {k: pytest.approx(v, rel=1e-12) for k, v in expected.items()}
    assert "8 real" in found["KD-points"].protocol


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: MetricSuite(PointExtractor(), []), "`metrics` must hold at least one metric"),
        (
            lambda: MetricSuite(PointExtractor(), [metrics.InceptionScore()]),
            r"must read outputs of the extractor points \(features\), got InceptionScore",
        ),
        (
            lambda: MetricSuite(PointExtractor(), [metrics.VendiScore(), metrics.VendiScore()]),
            "values of different names",
        ),
    ],
)
def test_suites_that_make_no_sense_are_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_bad_batches_are_refused_by_number():
    suite = MetricSuite(PointExtractor(), [metrics.VendiScore(), metrics.PrecisionRecall()])
    suite.update(torch.ones(3, 2))
    bad = torch.tensor([[0.0, float("nan")]])
    with pytest.raises(ValueError, match="NaN or infinity in batch 2 of the fake samples"):
        suite.update_outputs({"features": bad})
    with pytest.raises(ValueError, match="`outputs` must have 'features', got logits"):
        suite.update_outputs({"logits": bad})
    with pytest.raises(ValueError, match="`index` must be integers of shape"):
        suite.update(torch.ones(3, 2), index=torch.ones(2, dtype=torch.int64))
    suite.update(torch.ones(2, 2), index=torch.arange(2))
    suite.update(torch.ones(2, 2), real=True)
    with pytest.raises(
        ValueError, match="`index` must be given for all 5 fake samples or for none"
    ):
        suite.compute()


def test_global_random_state_is_untouched():
    before = torch.get_rng_state()
    suite = MetricSuite(
        PointExtractor(),
        [metrics.KernelDistanceSubsets(subsets=3, subset_size=5), metrics.NDB(bins=3)],
    )
    suite.update(torch.arange(20.0).reshape(10, 2), real=True)
    suite.update(torch.arange(20.0).reshape(10, 2) + 0.5)
    suite.compute()
    assert torch.equal(torch.get_rng_state(), before)


# --- names ---------------------------------------------------------------------------------------


class Layers(ModuleExtractor):
    """A canonical extractor with several layers."""

    canonical = True

    def __init__(self) -> None:
        names = ("features", "logits", "64")
        super().__init__(nn.Flatten(), name="Inception", outputs=names)

    def run(self, x: Tensor) -> dict[str, Tensor]:
        return {"features": x.flatten(1), "logits": x.flatten(1), "64": x.flatten(1)[:, :5]}


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        (metrics.FrechetDistance(), "FID"),
        (metrics.FrechetDistance(output="64"), "FD-Inception-64"),
        (metrics.FrechetDistance(output="logits"), "FD-Inception-logits"),
        (metrics.FrechetDistance(ddof=0), "FD-Inception"),
        (metrics.KernelDistance(), "KID"),
        (metrics.KernelDistance(degree=1), "KD-Inception"),
        (metrics.InceptionScore(splits=1), "IS"),
        (metrics.InceptionScore(splits=1, output="features"), "CS-Inception-features"),
    ],
)
def test_only_the_published_layer_and_arguments_make_fid_kid_and_is(metric, name):
    assert MetricSuite(Layers(), [metric]).names[0] == name


def test_two_layers_have_two_names():
    chosen = [metrics.FrechetDistance(), metrics.FrechetDistance(output="64")]
    assert MetricSuite(Layers(), chosen).names == ["FID", "FD-Inception-64"]


def test_metrics_that_bring_inception_are_refused(monkeypatch):
    monkeypatch.setattr(metrics.canonical, "InceptionExtractor", lambda *a, **k: Layers())
    with pytest.raises(ValueError, match="got KID, which takes images"):
        MetricSuite(DigitsClassifier(), [metrics.KID()])


@pytest.mark.parametrize(
    ("metric", "directions"),
    [
        (metrics.ClassCoverage(num_classes=3), [True, False, False]),
        (metrics.ModeCoverage(torch.zeros(1, 2), 1.0), [True, None, False]),
        (metrics.DensityCoverage(), [None, True]),
        (metrics.KernelDistanceSubsets(), [False, None]),
        (metrics.DensityRatio(), [None, False]),
    ],
)
def test_each_value_has_its_direction(metric, directions):
    assert [metric.direction(name) for name in metric.names] == directions


def test_protocols_tell_tensors_and_inherited_arguments_apart():
    one, other = (metrics.ModeCoverage(x, 1.0) for x in (torch.zeros(2, 2), torch.ones(2, 2)))
    assert one.arguments() != other.arguments()
    assert "output='64'" in metrics.FrechetDistance(output="64").arguments()


# --- what torch and Python do to it --------------------------------------------------------------


def test_a_score_survives_copies_and_pickles():
    suite = a_suite()
    suite.update(images(9, 0), real=True)
    suite.update(images(9, 1))
    score = suite.compute()["FD-pixels"]
    for again in (copy.deepcopy(score), pickle.loads(pickle.dumps(score))):
        assert again == score
        assert again.protocol == score.protocol
        assert again.higher_is_better is False


def test_a_batch_has_no_value_of_its_own():
    with pytest.raises(TypeError, match="`VendiScore` has no value of one batch"):
        metrics.VendiScore()(torch.ones(2, 2))


def test_half_precision_weights_are_refused_and_double_ones_are_used():
    x = images(3, 0)
    with pytest.raises(ValueError, match="float32 or float64, got torch"):
        DigitsClassifier().half()(x)
    features = DigitsClassifier().double()(x)["features"]
    assert features.dtype == torch.float64
    torch.testing.assert_close(features.float(), DigitsClassifier()(x)["features"])


def test_a_classifier_draws_nothing_when_it_is_made():
    before = torch.get_rng_state()
    DigitsClassifier()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.bool])
def test_only_real_numbers_are_taken(dtype):
    with pytest.raises(ValueError, match="`x` must hold real numbers"):
        metrics.VendiScore().update(torch.ones(2, 2, dtype=dtype))


def test_with_an_index_the_last_digits_of_features_decide_nothing():
    """The same images one by one and all at once: features differ in the last digits."""

    def values(size: int) -> dict[str, float]:
        chosen = [metrics.KernelDistanceSubsets(subsets=5, subset_size=20), metrics.NDB(bins=5)]
        suite = MetricSuite(DigitsClassifier(), chosen)
        for seed, real in ((0, True), (1, False)):
            x = images(60, seed)
            for part, index in zip(x.split(size), torch.arange(60).split(size), strict=True):
                suite.update(part, real=real, index=index, distinct=True)
        return suite.compute()

    one, other = values(60), values(1)
    assert one == {name: pytest.approx(value, rel=1e-4) for name, value in other.items()}
