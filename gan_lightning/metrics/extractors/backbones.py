"""Published networks by name: torchvision's, timm's, DINOv2 and CLIP.

Nothing here downloads anything unless it is told to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gan_lightning.metrics.extractors.files import hub_checkpoints, load_into
from gan_lightning.metrics.extractors.modules import (
    AbstractBackbone,
    ModuleExtractor,
    TorchScriptExtractor,
)
from gan_lightning.metrics.extractors.preprocess import CLIP, IMAGENET, Preprocess

__all__ = [
    "AbstractBackbone",
    "ClipExtractor",
    "DinoV2Extractor",
    "ModuleExtractor",
    "TimmExtractor",
    "TorchScriptExtractor",
    "TorchvisionExtractor",
]

_FEATURES = ("features",)
_IMAGENET_224 = Preprocess(224, "clean", *IMAGENET, rgb=True)


class TorchvisionExtractor(AbstractBackbone):
    """A classifier of `torchvision.models`: "logits", and "features", what its last layer reads.

    Args:
        model: A name of `torchvision.models`, such as "resnet50" or "vgg16".
        weights: A file with a state_dict; None takes torchvision's default weights from
            torch.hub's folder if they have been downloaded.
        preprocess: How images are brought to it; by default 224x224 by "clean", ImageNet's moments.
        arguments: Of the model, such as `num_classes`.

    Raises:
        ValueError: If there is no such model, its last layer is not linear, or weights do not fit.
        FileNotFoundError: If there are no weights.
    """

    def __init__(
        self,
        model: str,
        weights: str | Path | None = None,
        preprocess: Preprocess | None = None,
        **arguments: Any,
    ) -> None:
        from torchvision import models

        if model not in (known := models.list_models(module=models)):
            raise ValueError(
                f"`model` must be one of torchvision's {len(known)} classifiers, got {model!r}."
            )
        name = f"torchvision-{model}"
        super().__init__(name, preprocess or _IMAGENET_224, ("features", "logits"))
        if weights is None:
            url = models.get_model_weights(model)["DEFAULT"].url
            weights = _kept(name, hub_checkpoints() / Path(url).name)
        with torch.random.fork_rng(devices=[]):  # its first weights, which are thrown away
            self.network = models.get_model(model, weights=None, **arguments)
        load_into(self.network, Path(weights), name)
        self.head = _cut(self.network, name)
        self.requires_grad_(False).eval()

    def run(self, x: Tensor) -> Mapping[str, Tensor]:
        """Both ends of the last layer."""
        features = self.network(x)
        return {"features": features, "logits": self.head(features)}


class TimmExtractor(AbstractBackbone):
    """A network of the package timm: "features", pooled, before the classes.

    Args:
        model: timm's name.
        weights: A file with a state_dict of the model.
        preprocess: How images are brought to it; None asks timm (its size and moments, no crop).
        download: Whether timm's own pretrained weights are taken, which it may download.
        arguments: Of `timm.create_model`, such as `num_classes`.

    Raises:
        ImportError: If timm is not installed.
        ValueError: If there are neither weights nor `download`, or they do not fit.
        FileNotFoundError: If there is no such file.
    """

    def __init__(
        self,
        model: str,
        weights: str | Path | None = None,
        preprocess: Preprocess | None = None,
        download: bool = False,
        **arguments: Any,
    ) -> None:
        timm = _package("timm", f"the extractor timm-{model}")
        if (weights is None) != download:
            raise ValueError(
                "`weights` must be a file, or `download` True for timm's own weights, got "
                f"{weights} and {download}."
            )
        with torch.random.fork_rng(devices=[]):
            network = timm.create_model(model, pretrained=download, **arguments)
        super().__init__(f"timm-{model}", preprocess or _timm_preprocess(timm, network), _FEATURES)
        self.network = network
        if weights is not None:
            load_into(self.network, Path(weights), self.name)
        self.requires_grad_(False).eval()

    def run(self, x: Tensor) -> Mapping[str, Tensor]:
        """The pooled features."""
        features = self.network.forward_features(x)
        return {"features": self.network.forward_head(features, pre_logits=True)}


class DinoV2Extractor(AbstractBackbone):
    """DINOv2 (Oquab et al. 2023, arXiv:2304.07193): "features", the normalised class token.

    The network of FD-DINOv2 (Stein et al. 2023, arXiv:2306.04675), which agrees with people better
    than Inception does. As in their program dgm-eval: 224x224, bicubic with antialias and rounded
    to 8 bits again ("pil"), ImageNet's moments; its option of a clean resize is
    ``resize="clean"``.

    The network comes from a copy of the repository facebookresearch/dinov2, whose code is run.

    Args:
        model: "dinov2_vits14", "dinov2_vitb14", "dinov2_vitl14" (theirs) or "dinov2_vitg14".
        weights: A file with the state_dict; None looks in torch.hub's folder.
        repo: A folder with the repository; None looks in torch.hub's folder.
        resize: The resize mode.

    Raises:
        FileNotFoundError: If the repository or the weights are missing.
        ValueError: If the weights do not fit.
    """

    def __init__(
        self,
        model: str = "dinov2_vitl14",
        weights: str | Path | None = None,
        repo: str | Path | None = None,
        resize: str = "pil",
    ) -> None:
        super().__init__("DINOv2-" + model.removeprefix("dinov2_"), _IMAGENET_224, _FEATURES)
        self.preprocess = replace(_IMAGENET_224, resize=resize)
        folder = Path(repo or Path(torch.hub.get_dir()) / "facebookresearch_dinov2_main")
        if not (folder / "hubconf.py").is_file():
            raise FileNotFoundError(
                f"`repo` must be a copy of github.com/facebookresearch/dinov2, found no hubconf.py "
                f"in {folder}."
            )
        file = weights or _kept(self.name, hub_checkpoints() / f"{model}_pretrain.pth")
        with torch.random.fork_rng(devices=[]):
            self.network = torch.hub.load(  # type: ignore[no-untyped-call]
                str(folder), model, source="local", pretrained=False
            )
        load_into(self.network, Path(file), self.name)
        self.requires_grad_(False).eval()

    @property
    def variant(self) -> str:
        """The resize mode, unless it is that of the protocol."""
        return "" if self.preprocess.resize == "pil" else f"-{self.preprocess.resize}"

    def run(self, x: Tensor) -> Mapping[str, Tensor]:
        """What the network returns."""
        return {"features": self.network(x)}


class ClipExtractor(AbstractBackbone):
    """CLIP's image encoder through the package open_clip: "features", not brought to length one.

    The network of CMMD (Jayasumana et al. 2024, arXiv:2401.09603), as there with bicubic resizing
    without antialias; the metric itself normalises the features.

    Args:
        weights: A file with the state_dict of the whole model.
        model: open_clip's name; OpenAI's weights need one that ends in "-quickgelu".
        resize: The resize mode.

    Raises:
        ImportError: If open_clip is not installed.
        FileNotFoundError: If there are no weights.
        ValueError: If they do not fit.
    """

    def __init__(
        self,
        weights: str | Path,
        model: str = "ViT-L-14-336-quickgelu",
        resize: str = "bicubic",
    ) -> None:
        open_clip = _package("open_clip", f"the extractor CLIP-{model}", "open_clip_torch")
        with torch.random.fork_rng(devices=[]):
            network = open_clip.create_model(model, pretrained=None)
        size = network.visual.image_size
        size = size if isinstance(size, int) else size[0]
        super().__init__(f"CLIP-{model}", Preprocess(size, resize, *CLIP, rgb=True), _FEATURES)
        self.network = network
        load_into(self.network, Path(weights), self.name)
        self.requires_grad_(False).eval()

    @property
    def variant(self) -> str:
        """The resize mode, unless it is that of the protocol."""
        return "" if self.preprocess.resize == "bicubic" else f"-{self.preprocess.resize}"

    def run(self, x: Tensor) -> Mapping[str, Tensor]:
        """The image embeddings."""
        return {"features": self.network.encode_image(x)}


def _package(name: str, user: str, distribution: str | None = None) -> Any:
    """A package that this one does not depend on."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{user} needs the package {name}: `pip install {distribution or name}`."
        ) from error


def _kept(name: str, file: Path) -> Path:
    """A file of torch.hub's that some program has downloaded before."""
    if not file.is_file():
        raise FileNotFoundError(
            f"{name} needs `weights` (a path), or its published weights at {file}, where they are "
            "missing."
        )
    return file


def _cut(network: nn.Module, name: str) -> nn.Linear:
    """Take the last linear layer out of a classifier, so that it returns what that layer read."""
    with_weights = [
        (path, module)
        for path, module in network.named_modules()
        if next(module.parameters(recurse=False), None) is not None
    ]
    path, head = with_weights[-1]
    if not isinstance(head, nn.Linear):
        raise ValueError(f"`model` must end in a linear layer, which {name} does not.")
    parent, _, child = path.rpartition(".")
    setattr(network.get_submodule(parent), child, nn.Identity())
    return head


def _timm_preprocess(timm: Any, network: nn.Module) -> Preprocess:
    config = timm.data.resolve_model_data_config(network)
    return Preprocess(
        config["input_size"][-1], "clean", tuple(config["mean"]), tuple(config["std"]), rgb=True
    )
