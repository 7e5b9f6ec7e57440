"""How images are brought to a network that somebody else trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_lightning.metrics.extractors.base import as_rgb, levels
from gan_lightning.metrics.extractors.resize import check_mode, resize

__all__ = ["CLIP", "IMAGENET", "Preprocess"]

Numbers = tuple[float, ...]

IMAGENET: tuple[Numbers, Numbers] = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLIP: tuple[Numbers, Numbers] = (
    (0.48145466, 0.4578275, 0.40821073),
    (0.26862954, 0.26130258, 0.27577711),
)


@dataclass(frozen=True)
class Preprocess:
    """Resize, then shift and scale: (v / 255 - mean) / std for levels v from 0 to 255.

    Args:
        size: Side of the square that images are resized to; None leaves them as they are.
        resize: The resize mode, a name of `resize.MODES`.
        mean: One number for all channels, or one for each.
        std: The same; with a mean and a std of 0.5 the network sees [-1, 1].
        rgb: Whether grey images are shown in three colours (other than 1 or 3 are then refused).

    Raises:
        ValueError: If an argument is out of range.
    """

    size: int | None = None
    resize: str = "clean"
    mean: Numbers = (0.5,)
    std: Numbers = (0.5,)
    rgb: bool = False

    def __post_init__(self) -> None:
        check_mode(self.resize)
        if self.size is not None and self.size < 1:
            raise ValueError(f"`size` must be positive or None, got {self.size}.")
        if not self.std or min(self.std) <= 0 or len(self.std) != len(self.mean):
            raise ValueError(
                f"`std` must hold a positive number for each of `mean`, got {self.mean} and "
                f"{self.std}."
            )

    def __call__(self, x: Tensor) -> Tensor:
        """Bring images to the network.

        Args:
            x: ``(N, C, H, W)`` in [-1, 1] on 8-bit levels.

        Returns:
            ``(N, C, size, size)``.

        Raises:
            ValueError: If the number of channels is wrong.
        """
        x = levels(as_rgb(x) if self.rgb else x)
        if len(self.mean) not in (1, x.shape[1]):
            raise ValueError(f"`images` must have {len(self.mean)} channels, got {x.shape[1]}.")
        if self.size is not None:
            x = resize(x, self.size, self.resize)
        mean, std = (
            torch.tensor(numbers, device=x.device).view(1, -1, 1, 1)
            for numbers in (self.mean, self.std)
        )
        return (x / 255 - mean) / std

    def __str__(self) -> str:
        size = f"{self.size}x{self.size} by {self.resize}" if self.size else "own size"
        mean, std = ("/".join(f"{n:g}" for n in numbers) for numbers in (self.mean, self.std))
        return f"{size}, {'RGB, ' if self.rgb else ''}mean {mean}, std {std}"
