"""Networks of other people, with random weights and stand-ins for packages that are not there."""

import sys
import warnings
from types import ModuleType, SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from gan_lightning.metrics.extractors.backbones import (
    ClipExtractor,
    DinoV2Extractor,
    TimmExtractor,
    TorchvisionExtractor,
)
from gan_lightning.metrics.extractors.files import read_state
from gan_lightning.metrics.extractors.modules import ModuleExtractor, TorchScriptExtractor
from gan_lightning.metrics.extractors.preprocess import CLIP, IMAGENET, Preprocess

SMALL = Preprocess(32, "clean", *IMAGENET, rgb=True)


def images(n=2, channels=3, size=24, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.rand(n, channels, size, size, generator=random) * 2 - 1


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())


# --- any module ----------------------------------------------------------------------------------


class Both(nn.Module):
    def forward(self, x):
        return {"features": x.mean((2, 3)), "map": x, "tokens": x.flatten(2)}


class Joined(nn.Module):
    def forward(self, x):
        return x.reshape(1, -1)


def test_a_module_that_returns_a_tensor():
    extractor = ModuleExtractor(nn.Sequential(nn.Flatten(), nn.Linear(3 * 24 * 24, 5)), "linear")
    found = extractor(images())
    x = found["images"].flatten(1)
    expected = x @ extractor.network[1].weight.T + extractor.network[1].bias
    torch.testing.assert_close(found["features"], expected, rtol=1e-5, atol=1e-5)
    assert extractor.name == "linear"
    assert extractor.outputs == ("features", "images")


def test_a_module_that_returns_a_dict():
    extractor = ModuleExtractor(Both(), "both", outputs=("features", "map"))
    found = extractor(images())
    assert tuple(found) == ("features", "map", "images")
    torch.testing.assert_close(found["map"], found["features"], rtol=0, atol=0)  # maps are averaged


def test_outputs_that_a_module_does_not_give():
    with pytest.raises(ValueError, match=r"must be among what both returns \(features, .* got x\."):
        ModuleExtractor(Both(), "both", outputs=("x",))(images())
    with pytest.raises(ValueError, match=r"`tokens` must be \(N, D\) .* got \(2, 3, 576\)"):
        ModuleExtractor(Both(), "both", outputs=("tokens",))(images())
    with pytest.raises(ValueError, match=r"must return a tensor or a dict for .* got a Tensor"):
        ModuleExtractor(nn.Flatten(), "flat", outputs=("features", "logits"))(images())
    with pytest.raises(ValueError, match=r"`features` must be .* for N = 2, got \(1, 3456\)"):
        ModuleExtractor(Joined(), "joined")(images())


# --- TorchScript ---------------------------------------------------------------------------------


@pytest.fixture(params=["script", "frozen"])
def script(request, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        program = torch.jit.script(network().eval())
        if request.param == "frozen":
            program = torch.jit.freeze(program)
        program.save(str(tmp_path / "small.pt"))
    return tmp_path / "small.pt", program


def test_torchscript(script):
    file, program = script
    extractor = TorchScriptExtractor(file)
    found = extractor(images())
    expected = program(found["images"]).mean((2, 3))
    torch.testing.assert_close(found["features"], expected, rtol=1e-6, atol=1e-6)
    assert extractor.name == "small"
    assert TorchScriptExtractor(file, "other").name == "other"


def test_fingerprints_of_torchscript_know_the_program(tmp_path):
    prints = set()
    for i, last in enumerate((nn.ReLU(), nn.Tanh())):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.jit.script(nn.Sequential(last)).save(str(tmp_path / f"{i}.pt"))
        prints.add(TorchScriptExtractor(tmp_path / f"{i}.pt", "x").fingerprint)
    assert len(prints) == 2


def test_no_torchscript_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="`path` must be a TorchScript file, found none at"):
        TorchScriptExtractor(tmp_path / "none.pt")


# --- torchvision ---------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["resnet18", "mobilenet_v3_small"])
def test_torchvision(model, tmp_path):
    truth = models.get_model(model, weights=None, num_classes=7).eval()
    torch.save(truth.state_dict(), tmp_path / "w.pth")
    before = torch.get_rng_state()
    extractor = TorchvisionExtractor(model, tmp_path / "w.pth", SMALL, num_classes=7)
    assert torch.equal(torch.get_rng_state(), before)
    found = extractor(images())
    with torch.no_grad():
        expected = truth(SMALL(found["images"]))
    torch.testing.assert_close(found["logits"], expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(extractor.head(found["features"]), expected, rtol=1e-5, atol=1e-5)
    assert extractor.name == f"torchvision-{model}"
    assert extractor.outputs == ("features", "logits", "images")
    assert extractor(images(channels=1))["features"].shape == found["features"].shape
    assert not any(p.requires_grad for p in extractor.parameters())


def test_torchvision_finds_the_weights_of_torch_hub(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"torchvision-resnet18 needs `weights` \(a path\)"):
        TorchvisionExtractor("resnet18")
    (tmp_path / "checkpoints").mkdir()
    state = models.resnet18(weights=None).state_dict()
    torch.save(state, tmp_path / "checkpoints" / "resnet18-f37072fd.pth")
    extractor = TorchvisionExtractor("resnet18")
    assert torch.equal(extractor.head.weight, state["fc.weight"])
    assert extractor.protocol.startswith("224x224 by clean, RGB, mean 0.485")


def test_torchvision_refuses(tmp_path):
    with pytest.raises(ValueError, match=r"`model` must be one of torchvision's \d+ classifiers"):
        TorchvisionExtractor("resnet17")
    torch.save(models.squeezenet1_1(weights=None).state_dict(), tmp_path / "w.pth")
    with pytest.raises(ValueError, match="must end in a linear layer, which torchvision-squeeze"):
        TorchvisionExtractor("squeezenet1_1", tmp_path / "w.pth")
    with pytest.raises(ValueError, match="`weights` must fit torchvision-resnet18, got"):
        TorchvisionExtractor("resnet18", tmp_path / "w.pth")


# --- files of weights ----------------------------------------------------------------------------


def test_both_kinds_of_files(tmp_path):
    state = network().state_dict()
    torch.save(state, tmp_path / "a.pth")
    save_file(state, tmp_path / "a.safetensors")
    for name in ("a.pth", "a.safetensors"):
        read = read_state(tmp_path / name)
        assert all(torch.equal(read[key], value) for key, value in state.items())


def test_what_is_no_state_dict(tmp_path):
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"a": 1}, tmp_path / "numbers.pth")
    for name in ("text.pth", "text.safetensors", "empty.pth"):
        (tmp_path / name).write_text("" if name == "empty.pth" else "no weights", "utf-8")
    for file in tmp_path.iterdir():
        with pytest.raises(ValueError, match="`weights` must be a state_dict, got") as caught:
            read_state(file)
        assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match="`weights` must be a file, found none at"):
        read_state(tmp_path / "none.pth")


# --- timm, DINOv2 and CLIP -----------------------------------------------------------------------


class Tiny(nn.Module):
    """Stands in for a network of timm and of DINOv2, and for CLIP."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 6, 8, stride=8)
        self.visual = nn.Module()
        self.visual.image_size = (16, 16)

    def forward_features(self, x):
        return self.patches(x)

    def forward_head(self, x, pre_logits):
        assert pre_logits
        return x.mean((2, 3))

    def forward(self, x):
        return self.patches(x).mean((2, 3))

    def encode_image(self, x):
        return 3 * self(x)


def stand_in(monkeypatch, name):
    module = ModuleType(name)
    module.calls = []

    def create_model(model, pretrained, **arguments):
        module.calls.append((model, pretrained, arguments))
        return Tiny()

    module.create_model = create_model
    module.data = SimpleNamespace(
        resolve_model_data_config=lambda network: {
            "input_size": (3, 16, 16),
            "mean": (0.5, 0.4, 0.3),
            "std": (0.2, 0.3, 0.4),
        }
    )
    monkeypatch.setitem(sys.modules, name, module)
    return module


@pytest.fixture
def tiny(tmp_path):
    module = Tiny()
    torch.save(module.state_dict(), tmp_path / "tiny.pth")
    return module, tmp_path / "tiny.pth"


def test_timm(monkeypatch, tiny):
    truth, file = tiny
    timm = stand_in(monkeypatch, "timm")
    extractor = TimmExtractor("vit", file, num_classes=3)
    found = extractor(images())
    seen = Preprocess(16, "clean", (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))(found["images"])
    torch.testing.assert_close(found["features"], truth(seen), rtol=1e-5, atol=1e-5)
    assert extractor.name == "timm-vit"
    assert timm.calls == [("vit", False, {"num_classes": 3})]
    TimmExtractor("vit", download=True, preprocess=SMALL)
    assert timm.calls[1] == ("vit", True, {})
    for wrong in ({}, {"weights": file, "download": True}):
        with pytest.raises(ValueError, match="`weights` must be a file, or `download` True for"):
            TimmExtractor("vit", **wrong)


def test_clip(monkeypatch, tiny):
    truth, file = tiny
    open_clip = stand_in(monkeypatch, "open_clip")
    extractor = ClipExtractor(file)
    found = extractor(images())
    seen = Preprocess(16, "bicubic", *CLIP)(found["images"])
    torch.testing.assert_close(found["features"], 3 * truth(seen), rtol=1e-5, atol=1e-5)
    assert extractor.name == "CLIP-ViT-L-14-336-quickgelu"
    assert extractor.variant == ""
    assert ClipExtractor(file, "RN50", "clean").variant == "-clean"
    assert [call[:2] for call in open_clip.calls] == [
        ("ViT-L-14-336-quickgelu", None),
        ("RN50", None),
    ]


@pytest.mark.parametrize(
    ("package", "make", "match"),
    [
        ("timm", lambda: TimmExtractor("vit", "x"), "timm-vit needs the package timm: `pip inst"),
        ("open_clip", lambda: ClipExtractor("x"), "needs the package open_clip: `pip install open"),
    ],
)
def test_packages_that_are_missing(monkeypatch, package, make, match):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=match):
        make()


def test_dinov2(monkeypatch, tiny, tmp_path):
    truth, _ = tiny
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"`repo` must be a copy of github.com/facebook"):
        DinoV2Extractor()
    repo = tmp_path / "facebookresearch_dinov2_main"
    repo.mkdir()
    (repo / "hubconf.py").write_text(
        "import torch\n\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.patches = torch.nn.Conv2d(3, 6, 8, stride=8)\n"
        "    def forward(self, x):\n"
        "        return self.patches(x).mean((2, 3))\n\n"
        "def dinov2_vits14(pretrained):\n"
        "    assert not pretrained\n"
        "    return Net()\n",
        "utf-8",
    )
    with pytest.raises(FileNotFoundError, match=r"DINOv2-vits14 needs `weights` \(a path\), or"):
        DinoV2Extractor("dinov2_vits14")
    state = {k: v for k, v in truth.state_dict().items() if k.startswith("patches")}
    (tmp_path / "checkpoints").mkdir()
    torch.save(state, tmp_path / "checkpoints" / "dinov2_vits14_pretrain.pth")
    extractor = DinoV2Extractor("dinov2_vits14")
    found = extractor(images())
    seen = Preprocess(224, "pil", *IMAGENET)(found["images"])
    torch.testing.assert_close(found["features"], truth(seen), rtol=1e-5, atol=1e-5)
    assert extractor.name == "DINOv2-vits14"
    assert extractor.variant == ""
    clean = DinoV2Extractor("dinov2_vits14", resize="clean")
    assert clean.variant == "-clean"
    assert clean.fingerprint != extractor.fingerprint
