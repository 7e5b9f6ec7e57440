"""The Inception network of 2015-12-05, in whose features FID, KID and IS are defined."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torch.nn import functional

from gan_lightning.metrics.cache import cache_folder
from gan_lightning.metrics.extractors.base import AbstractExtractor, as_rgb, levels
from gan_lightning.metrics.extractors.files import digest_of_file, hub_checkpoints, load_into
from gan_lightning.metrics.extractors.resize import check_mode, resize

__all__ = ["InceptionExtractor"]

FILE = "weights-inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"
DIGEST = "6726825d"
_SIZE = 299
_STAGES = {  # the output after which layers, named as in the file of weights
    "64": ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "MaxPool_1"),
    "192": ("Conv2d_3b_1x1", "Conv2d_4a_3x3", "MaxPool_2"),
    "768": tuple(f"Mixed_{block}" for block in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e")),
    "2048": ("Mixed_7a", "Mixed_7b", "Mixed_7c"),
}


class InceptionExtractor(AbstractExtractor):
    """Inception-2015-12-05 in torch-fidelity's translation; only its numbers are FID, KID and IS.

    Outputs: "64", "192", "768" and "2048" are layers averaged over positions, the last one under
    the name "features" too; "logits_unbiased" are the scores of 1,008 classes without the bias,
    which the original Inception score leaves out, under the name "logits" too.

    Grey images are shown in all three colours. Levels v, 0 to 255, are given as (v - 128) / 128.

    Args:
        weights: The file; None looks for it in the package's cache, then in torch.hub's.
        resize: How images are brought to 299 x 299. "tf1" is what the network was published with
            and what numbers called FID are compared in; "clean" is clean-fid's, "antialias"
            torchmetrics' (see `resize`). Numbers of different modes must not be compared.
        download: Whether a missing file may be downloaded (91 MB) into the cache.
        check_hash: Whether any other file than the published one is refused. Without it the name is
            "Inception-unchecked", and no number is called FID.

    Raises:
        FileNotFoundError: If there is no file.
        ConnectionError: If it cannot be downloaded.
        ValueError: If it is not the published file, or there is no such resize mode.
    """

    def __init__(
        self,
        weights: str | Path | None = None,
        resize: str = "tf1",
        download: bool = False,
        check_hash: bool = True,
    ) -> None:
        super().__init__()
        check_mode(resize)
        file = _find(weights, download)
        if check_hash and not (digest := digest_of_file(file)).startswith(DIGEST):
            raise ValueError(
                f"`weights` must be {FILE}, whose SHA-256 begins with {DIGEST}, got {file} with "
                f"{digest[:8]}; `check_hash=False` takes it, under another name."
            )
        with torch.device("meta"):  # weights that would be overwritten at once are not even drawn
            self.network = _Network()
        load_into(self.network, file, "torch-fidelity's InceptionV3", assign=True)
        self.requires_grad_(False).eval()
        self.name = "Inception" if check_hash else "Inception-unchecked"
        self.resize = resize
        self._canonical = check_hash

    @property
    def canonical(self) -> bool:
        """Whether these are the published weights."""
        return self._canonical

    @property
    def variant(self) -> str:
        """The resize mode, unless it is the original one."""
        return "" if self.resize == "tf1" else f"-{self.resize}"

    @property
    def own_outputs(self) -> tuple[str, ...]:
        """Four layers and the class scores, and the last layer's and the scores' usual names."""
        return *_STAGES, "logits_unbiased", "features", "logits"

    @property
    def protocol(self) -> str:
        """How images are brought to the network."""
        return f"{_SIZE}x{_SIZE} by {self.resize}, RGB, (v - 128) / 128"

    def extract(self, x: Tensor) -> dict[str, Tensor]:
        """Layers ``(N, 64)`` to ``(N, 2048)`` and logits ``(N, 1008)``."""
        x = resize(levels(as_rgb(x)), _SIZE, self.resize)
        found: dict[str, Tensor] = self.network((x - 128) / 128)
        return found | {"features": found["2048"], "logits": found["logits_unbiased"]}


class _Network(nn.Module):
    """torch-fidelity's blocks in its order, and under its names.

    Its own class reads the weights when it is made, with `torch.load` and no safeguard, and knows
    one resize mode only.
    """

    def __init__(self) -> None:
        super().__init__()
        for name, block in _blocks().items():
            self.add_module(name, block())
        self.fc = nn.Linear(2048, 1008)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        found = {}
        for name, stage in _STAGES.items():
            for layer in stage:
                x = self.get_submodule(layer)(x)
            found[name] = functional.adaptive_avg_pool2d(x, 1).flatten(1)
        found["logits_unbiased"] = found["2048"].mm(self.fc.weight.T)
        return found


def _blocks() -> dict[str, Callable[[], nn.Module]]:
    from torch_fidelity import (  # type: ignore[import-untyped]
        feature_extractor_inceptionv3 as published,
    )

    convolution = published.BasicConv2d
    return {
        "Conv2d_1a_3x3": lambda: convolution(3, 32, kernel_size=3, stride=2),
        "Conv2d_2a_3x3": lambda: convolution(32, 32, kernel_size=3),
        "Conv2d_2b_3x3": lambda: convolution(32, 64, kernel_size=3, padding=1),
        "MaxPool_1": lambda: nn.MaxPool2d(3, 2),
        "Conv2d_3b_1x1": lambda: convolution(64, 80, kernel_size=1),
        "Conv2d_4a_3x3": lambda: convolution(80, 192, kernel_size=3),
        "MaxPool_2": lambda: nn.MaxPool2d(3, 2),
        "Mixed_5b": lambda: published.InceptionA(192, pool_features=32),
        "Mixed_5c": lambda: published.InceptionA(256, pool_features=64),
        "Mixed_5d": lambda: published.InceptionA(288, pool_features=64),
        "Mixed_6a": lambda: published.InceptionB(288),
        "Mixed_6b": lambda: published.InceptionC(768, channels_7x7=128),
        "Mixed_6c": lambda: published.InceptionC(768, channels_7x7=160),
        "Mixed_6d": lambda: published.InceptionC(768, channels_7x7=160),
        "Mixed_6e": lambda: published.InceptionC(768, channels_7x7=192),
        "Mixed_7a": lambda: published.InceptionD(768),
        "Mixed_7b": lambda: published.InceptionE_1(1280),
        "Mixed_7c": lambda: published.InceptionE_2(2048),
    }


def _find(weights: str | Path | None, download: bool) -> Path:
    """The file: given, kept, or downloaded."""
    if weights is not None:
        if not (given := Path(weights)).is_file():
            raise FileNotFoundError(f"`weights` must be the file {FILE}, found none at {given}.")
        return given
    places = [cache_folder() / FILE, hub_checkpoints() / FILE]
    for place in places:
        if place.is_file():
            return place
    if not download:
        raise FileNotFoundError(
            f"Inception needs {FILE} at {places[0]} or {places[1]}, where it is missing: pass "
            "`download=True` or `weights` (a path), or use an extractor that needs no download, "
            "such as DigitsClassifier, FashionClassifier or RandomConvExtractor."
        )
    return _fetched(places[0])


def _fetched(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(URL, str(file), hash_prefix=DIGEST)
    except (URLError, OSError, RuntimeError) as error:  # RuntimeError: a wrong hash
        raise ConnectionError(
            f"{FILE} could not be downloaded from {URL} ({error}): lay it at {file}."
        ) from error
    return file
