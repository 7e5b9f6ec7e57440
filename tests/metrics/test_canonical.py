"""FID, KID and IS take images; here with drawn weights that pass for the published ones."""

import pytest
import torch
from torch import nn

from gan_lightning import metrics
from gan_lightning.metrics import functional
from gan_lightning.metrics.extractors import InceptionExtractor, inception
from gan_lightning.metrics.extractors.files import digest_of_file
from gan_lightning.metrics.suite import MetricSuite


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    network = inception._Network()
    for module in network.modules():  # torch's own would let the signal fade to denormal numbers
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    file = tmp_path_factory.mktemp("weights") / inception.FILE
    torch.save(network.state_dict(), file)
    yield file
    file.unlink()  # 96 MB


@pytest.fixture
def _passes(weights, monkeypatch):
    monkeypatch.setattr(inception, "DIGEST", digest_of_file(weights)[:8])


def images(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(3, 1, 8, 8, generator=generator) * 2 - 1


@pytest.mark.usefixtures("_passes")
def test_values_are_those_of_the_extractors_outputs(weights):
    extractor = InceptionExtractor(weights)
    real, fake = (extractor(images(seed)) for seed in (0, 1))
    fid = metrics.FID(weights=weights, keep_features=True)
    kid = metrics.KID(weights=weights, subsets=2, subset_size=3)
    score = metrics.IS(weights=weights, splits=1)
    for metric in (fid, kid, score):
        metric.update(images(0), real=True)
        metric.update(images(1))
    expected = functional.frechet_distance(real["2048"], fake["2048"])
    torch.testing.assert_close(fid.compute(), expected, rtol=1e-7, atol=0)
    mean, std = functional.kernel_distance_subsets(real["2048"], fake["2048"], 2, 3)
    found = kid.compute()
    torch.testing.assert_close(found["KID"], mean, rtol=1e-7, atol=1e-12)
    torch.testing.assert_close(found["KID_std"], std, rtol=1e-7, atol=1e-12)
    mean, _ = functional.inception_score(fake["logits_unbiased"], splits=1)
    torch.testing.assert_close(score.compute()["IS"], mean, rtol=1e-9, atol=0)


@pytest.mark.usefixtures("_passes")
def test_a_suite_gives_the_same_numbers_the_same_names(weights):
    chosen = [metrics.FrechetDistance(keep_features=True), metrics.InceptionScore(splits=1)]
    suite = MetricSuite(InceptionExtractor(weights, resize="clean"), chosen)
    for seed, real in ((0, True), (1, False)):
        suite.update(images(seed), real=real)
    assert list(suite.compute()) == ["FID-clean", "IS-clean", "IS_std-clean"]


def test_without_weights_there_is_no_such_number():
    for kind in (metrics.FID, metrics.KID, metrics.IS):
        with pytest.raises(FileNotFoundError, match=inception.FILE):
            kind()


def test_other_weights_make_no_fid(weights):
    with pytest.raises(ValueError, match="`weights` must be weights-inception"):
        metrics.FID(weights=weights, keep_features=True)
    suite = MetricSuite(
        InceptionExtractor(weights, check_hash=False), [metrics.FrechetDistance(keep_features=True)]
    )
    for seed, real in ((0, True), (1, False)):
        suite.update(images(seed), real=real)
    assert list(suite.compute()) == ["FD-Inception-unchecked"]


@pytest.mark.usefixtures("_passes")
def test_the_resize_mode_is_in_the_name_unless_it_is_the_published_one(weights):
    assert metrics.FID(weights=weights).names == ("FID",)
    assert metrics.KID(weights=weights, resize="clean").names == ("KID-clean", "KID_std-clean")
