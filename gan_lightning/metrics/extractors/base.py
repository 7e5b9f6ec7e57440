"""What turns images into the numbers that metrics compare."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

__all__ = ["AbstractExtractor", "digest_of"]

_SLACK = 1e-3  # of [-1, 1]: what half precisions add


class AbstractExtractor(nn.Module, ABC):
    """Images in, named outputs out, in one pass that all metrics of a suite share.

    Whatever goes in is brought to 8 bits first (clamped and rounded half up), real samples and fake
    ones alike: what a person sees, saves and compares are pictures of 8 bits. The pass runs in
    evaluation mode, without autocast and without gradients, in float32 (float64 if the weights are;
    on CUDA as precisely as torch is set up to convolve: switch TF32 off for the last digits).

    Attributes:
        name: What distinguishes a number taken with this extractor; part of the metric's name.
    """

    name: str

    @property
    @abstractmethod
    def own_outputs(self) -> tuple[str, ...]:
        """Names of what `extract` returns; metrics read "features" and "logits" where they can."""

    @property
    @abstractmethod
    def protocol(self) -> str:
        """How images are brought to the network, in words: resize mode, layer, normalisation."""

    @abstractmethod
    def extract(self, x: Tensor) -> dict[str, Tensor]:
        """The outputs of images ``(N, C, H, W)``, float32 in [-1, 1] on 8-bit levels.

        Returns:
            Each of `own_outputs`, ``(N, ...)``.
        """

    @property
    def outputs(self) -> tuple[str, ...]:
        """All names: those of `own_outputs`, and "images", the input on its 8-bit levels."""
        return *self.own_outputs, "images"

    @property
    def canonical(self) -> bool:
        """Whether numbers may bear the names FID, KID and IS."""
        return False

    @property
    def variant(self) -> str:
        """What a metric's name adds to the extractor's, such as a resize mode; often empty."""
        return ""

    @property
    def fingerprint(self) -> str:
        """Name, protocol and a digest of the weights; of a network only its code is not in it."""
        return f"{self.name} ({self.protocol}; weights {digest_of(self)})"

    @torch.no_grad()
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Check, quantise and extract.

        Args:
            images: ``(N, C, H, W)``, floats in [-1, 1] or uint8 in 0..255.

        Returns:
            Each of `outputs`.

        Raises:
            ValueError: If the shape, the number of channels or the range is wrong, or the weights
                have been brought to half precision.
        """
        x = quantise(check_images(images)).to(self._precision())
        # A frozen TorchScript module has no mode.
        modes = [(module, module.training) for module in self.modules() if _has_mode(module)]
        self.eval()
        try:
            with torch.autocast(x.device.type, enabled=False):
                return self.extract(x) | {"images": x}
        finally:
            for module, training in modes:  # some may have been in evaluation mode before
                module.training = training

    def _precision(self) -> torch.dtype:
        found = {p.dtype for p in self.parameters() if p.is_floating_point()}
        if found <= {torch.float32}:
            return torch.float32
        if found != {torch.float64}:
            raise ValueError(
                f"`{type(self).__name__}` must have weights in float32 or float64, got "
                f"{', '.join(sorted(map(str, found)))}."
            )
        return torch.float64


def _has_mode(module: nn.Module) -> bool:
    return hasattr(module, "training")


def check_images(images: Tensor) -> Tensor:
    """Refuse what are not images in [-1, 1].

    Args:
        images: ``(N, C, H, W)``, floats in [-1, 1] or uint8.

    Returns:
        Floats in [-1, 1], at least float32.

    Raises:
        ValueError: If they are something else.
    """
    if images.ndim != 4 or not images.numel():
        raise ValueError(f"`images` must be (N, C, H, W), got shape {tuple(images.shape)}.")
    if images.dtype == torch.uint8:
        return images.float() / 127.5 - 1
    if not images.is_floating_point():
        raise ValueError(f"`images` must be floats in [-1, 1] or uint8, got {images.dtype}.")
    low, high = (float(bound) for bound in images.aminmax())
    if not (low >= -1 - _SLACK and high <= 1 + _SLACK):  # also refuses NaN
        raise ValueError(f"`images` must lie in [-1, 1], got values from {low:.4g} to {high:.4g}.")
    return images.float()


def as_rgb(x: Tensor) -> Tensor:
    """Repeat the channel of grey images, which is how libraries show them to networks for colour.

    Args:
        x: ``(N, 1, H, W)`` or ``(N, 3, H, W)``.

    Returns:
        ``(N, 3, H, W)``.

    Raises:
        ValueError: If there is another number of channels.
    """
    if x.shape[1] not in (1, 3):
        raise ValueError(f"`images` must have 1 or 3 channels, got {x.shape[1]}.")
    return x.expand(-1, 3, -1, -1)


def levels(x: Tensor) -> Tensor:
    """The 8-bit levels of quantised images.

    Args:
        x: Floats in [-1, 1] on 8-bit levels.

    Returns:
        Whole numbers 0 to 255, as floats.
    """
    return ((x + 1) * 127.5).round()


def quantise(x: Tensor) -> Tensor:
    """Bring images in [-1, 1] to the 256 levels of 8 bits, rounding half up.

    Args:
        x: Floats.

    Returns:
        Multiples of 1/127.5, minus 1.
    """
    return ((x.clamp(-1, 1) + 1) * 127.5 + 0.5).floor() / 127.5 - 1


def digest_of(module: nn.Module) -> str:
    """A digest of a network's weights: the same for equal weights on any device.

    Args:
        module: The network.

    Returns:
        The first 12 hexadecimal digits of a SHA-256; "none" without weights.
    """
    digest = hashlib.sha256()
    state = module.state_dict()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        flat = tensor.detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12] if state else "none"
