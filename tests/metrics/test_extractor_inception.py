"""Inception with random weights, beside torch-fidelity's own class with the same file."""

import hashlib
from urllib.error import URLError

import pytest
import torch
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from gan_lightning.metrics.extractors import inception
from gan_lightning.metrics.extractors.inception import FILE, InceptionExtractor, _Network

LAYERS = ("64", "192", "768", "2048", "logits_unbiased")
CAUSES = [URLError("no route"), RuntimeError('invalid hash value (expected "6726825d")')]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    random = torch.Generator().manual_seed(0)
    network = _Network()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, generator=random)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1, generator=random)
            module.running_var.uniform_(0.5, 1.5, generator=random)
    path = tmp_path_factory.mktemp("inception") / FILE
    torch.save(network.state_dict(), path)
    yield path
    path.unlink()  # 96 MB


@pytest.fixture(scope="module")
def extractor(file):
    return InceptionExtractor(file, check_hash=False)


@pytest.fixture(scope="module")
def pixels():
    random = torch.Generator().manual_seed(1)
    return torch.randint(256, (2, 3, 40, 32), generator=random, dtype=torch.uint8)


@pytest.fixture(scope="module")
def found(extractor, pixels):
    return extractor(pixels)


@pytest.fixture(autouse=True)
def _no_files(monkeypatch, tmp_path):
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))


def test_equals_torch_fidelity(file, pixels, found):
    truth = FeatureExtractorInceptionV3("x", list(LAYERS), feature_extractor_weights_path=str(file))
    for name, expected in zip(LAYERS, truth(pixels), strict=True):
        assert expected.std() > 1e-3
        torch.testing.assert_close(found[name], expected, rtol=1e-6, atol=1e-6)


def test_outputs(extractor, found):
    assert extractor.outputs == (*LAYERS, "features", "logits", "images")
    assert tuple(found) == extractor.outputs
    assert found["features"] is found["2048"]
    assert found["logits"] is found["logits_unbiased"]
    shapes = [tuple(found[name].shape) for name in LAYERS]
    assert shapes == [(2, 64), (2, 192), (2, 768), (2, 2048), (2, 1008)]


def test_grey_images_are_shown_in_three_colours(extractor, pixels):
    grey = pixels[:1, :1]
    torch.testing.assert_close(
        extractor(grey)["64"], extractor(grey.repeat(1, 3, 1, 1))["64"], rtol=1e-6, atol=1e-6
    )


def test_resize_modes_are_told_apart(extractor, found, pixels):
    # One network is enough for all of them; 91 MB are not read three times.
    prints, outputs = [extractor.fingerprint], [found["64"]]
    assert extractor.variant == ""
    try:
        for mode in ("clean", "antialias"):
            extractor.resize = mode
            assert extractor.variant == f"-{mode}"
            prints.append(extractor.fingerprint)
            outputs.append(extractor(pixels)["64"])
    finally:
        extractor.resize = "tf1"
    assert len(set(prints)) == 3
    assert all(
        float((a - b).abs().max()) > 1e-3 for i, a in enumerate(outputs) for b in outputs[:i]
    )


def test_other_weights_are_refused_or_renamed(file, extractor):
    assert extractor.name == "Inception-unchecked"
    assert not extractor.canonical
    with pytest.raises(ValueError, match=r"`weights` must be .* begins with 6726825d, got .* with"):
        InceptionExtractor(file)


def test_weights_with_the_right_digest_are_canonical(file, monkeypatch):
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(inception, "DIGEST", digest[:8])
    extractor = InceptionExtractor(file)
    assert extractor.canonical
    assert extractor.name == "Inception"
    assert not any(p.requires_grad or p.is_meta for p in extractor.parameters())


def test_where_the_file_is_looked_for(file, tmp_path):
    for place in (tmp_path / "hub" / "checkpoints" / FILE, tmp_path / "cache" / FILE):
        place.parent.mkdir(parents=True)
        place.symlink_to(file)
        assert inception._find(None, download=False) == place
    assert inception._find(file, download=False) == file


def test_without_the_file(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        InceptionExtractor()
    text = str(caught.value)
    for part in (FILE, str(tmp_path / "cache"), str(tmp_path / "hub"), "`download=True`"):
        assert part in text
    assert "DigitsClassifier" in text
    assert "\n" not in text
    with pytest.raises(FileNotFoundError, match=r"`weights` must be the file .*, found none at"):
        InceptionExtractor(tmp_path / "none.pth")


def test_download_goes_to_the_cache_with_its_hash(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *a, **k: calls.append((a, k)))
    place = tmp_path / "cache" / FILE
    assert inception._find(None, download=True) == place
    assert calls == [((inception.URL, str(place)), {"hash_prefix": "6726825d"})]


@pytest.mark.parametrize("cause", CAUSES)
def test_a_failed_download(monkeypatch, cause):
    def fail(*args, **kwargs):
        raise cause

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(ConnectionError, match=r"could not be downloaded from https://.*lay it at"):
        InceptionExtractor(download=True)


def test_files_of_something_else(tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="`weights` must fit torch-fidelity's InceptionV3, got"):
        InceptionExtractor(path, check_hash=False)
    with pytest.raises(ValueError, match="`resize` must be one of tf1, clean"):
        InceptionExtractor(path, resize="none")


def test_programs_in_a_file_are_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    torch.save({"weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match="`weights` must be a state_dict, got"):
        InceptionExtractor(tmp_path / "evil.pth", check_hash=False)
