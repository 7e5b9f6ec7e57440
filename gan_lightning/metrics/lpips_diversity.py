"""How different the fakes look, as a metric."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.lpips_diversity import lpips_diversity

__all__ = ["LPIPS", "LpipsDiversity"]

_LEAST_SIDE = 32  # below it nothing is left in the networks' last layers
_BACKBONES = {
    "alex": "AlexNet_Weights",
    "vgg": "VGG16_Weights",
    "squeeze": "SqueezeNet1_1_Weights",
}


class LPIPS:
    """The perceptual distance of Zhang et al. 2018 (arXiv:1801.03924), without any state.

    The network is torchmetrics' (which brings the linear layers) on torchvision's backbone. That
    must lie in torch.hub's folder of checkpoints; nothing is downloaded unless asked for.

    Args:
        net: Backbone: "alex", "vgg" or "squeeze".
        download: Whether a missing backbone may be downloaded.

    Raises:
        FileNotFoundError: If the weights are not there and `download` is False.
        ValueError: If there is no such backbone.
    """

    def __init__(
        self, net: Literal["alex", "vgg", "squeeze"] = "alex", *, download: bool = False
    ) -> None:
        if net not in _BACKBONES:
            raise ValueError(f"`net` must be one of {', '.join(_BACKBONES)}, got '{net}'.")
        path = backbone_path(net)
        if not download and not path.is_file():
            raise FileNotFoundError(
                f"LPIPS with `net='{net}'` needs the file {path.name} in {path.parent}, which is "
                "not there; put it there, set `download=True`, or give another `distance`."
            )
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

        # Its layers get random weights before they get the right ones.
        with torch.random.fork_rng(devices=[]):
            self.net: nn.Module = LearnedPerceptualImagePatchSimilarity(net_type=net).net

    @torch.no_grad()
    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Distances of images.

        Args:
            x: ``(N, C, H, W)`` in [-1, 1], one channel or three, sides of at least 32 pixels.
            y: As x.

        Returns:
            Float32 ``(N,)``.

        Raises:
            ValueError: If the images are too small or have another number of channels.
        """
        if x.shape[1] not in (1, 3) or min(x.shape[2:]) < _LEAST_SIDE:
            raise ValueError(
                "`images` must have 1 or 3 channels and sides of at least "
                f"{_LEAST_SIDE} pixels for LPIPS, got {tuple(x.shape[1:])}."
            )
        self.net.to(x.device)
        with torch.autocast(x.device.type, enabled=False):
            a, b = (s.float().clamp(-1, 1).expand(-1, 3, -1, -1) for s in (x, y))
            found: Tensor = self.net(a, b)
        return found.flatten()


class LpipsDiversity(AbstractSetMetric):
    """Mean perceptual distance of random pairs of fakes.

    See `functional.lpips_diversity`.

    Args:
        distance: Maps two batches of images in [-1, 1] to one number a pair; None: `LPIPS`.
        net: Backbone of LPIPS: "alex", "vgg" or "squeeze".
        download: Whether a missing backbone may be downloaded.
        pairs: How many.
        seed: Of the pairs.
        chunk: Pairs at a time.
        output: The output of an extractor that holds images in [-1, 1].
        kwargs: Of `AbstractSetMetric`.

    Raises:
        FileNotFoundError: If no distance is given and the weights of the backbone are not there.
    """

    names = ("LPIPS_diversity",)
    sets = ("fake",)
    higher_is_better = True

    def __init__(
        self,
        *,
        distance: Callable[[Tensor, Tensor], Tensor] | None = None,
        net: Literal["alex", "vgg", "squeeze"] = "alex",
        download: bool = False,
        pairs: int = 10_000,
        seed: int = 0,
        chunk: int = 64,
        output: str = "images",
        **kwargs: Any,
    ) -> None:
        super().__init__(output=output, **kwargs)
        # In a tuple it is no part of the state_dict.
        self._distance = (LPIPS(net, download=download) if distance is None else distance,)
        self.net = net if distance is None else getattr(distance, "__name__", "given")
        self.pairs = pairs
        self.seed = seed
        self.chunk = chunk

    def value(self, *sets: Tensor) -> Tensor:
        """The mean over the pairs."""
        return lpips_diversity(sets[0], self._distance[0], self.pairs, self.seed, self.chunk)


def backbone_path(net: str) -> Path:
    """Where torchvision looks for the weights of a backbone.

    Args:
        net: "alex", "vgg" or "squeeze".

    Returns:
        A path in torch.hub's folder, whether or not the file is there.
    """
    from torchvision import models

    url: str = getattr(models, _BACKBONES[net]).DEFAULT.url
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
