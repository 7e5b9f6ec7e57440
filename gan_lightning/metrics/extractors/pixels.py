"""Extractors without a network."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_lightning.metrics.extractors.base import AbstractExtractor

__all__ = ["PixelExtractor", "PointExtractor"]


class PixelExtractor(AbstractExtractor):
    """Pixels as features ``(N, C * H * W)`` in [-1, 1]; what NDB was defined in."""

    name = "pixels"

    @property
    def own_outputs(self) -> tuple[str, ...]:
        """The flattened pixels."""
        return ("features",)

    @property
    def protocol(self) -> str:
        """How images become features."""
        return "flattened, [-1, 1]"

    def extract(self, x: Tensor) -> dict[str, Tensor]:
        """Flattened pixels, a view of the images."""
        return {"features": x.flatten(1)}


class PointExtractor(AbstractExtractor):
    """Points of toy data, passed through as they are: not quantised, of any range.

    Example:
        >>> PointExtractor()(torch.tensor([[3.0, 4.0]]))
        {'features': tensor([[3., 4.]])}
    """

    name = "points"

    @property
    def own_outputs(self) -> tuple[str, ...]:
        """The points."""
        return ("features",)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The points; there are no images."""
        return self.own_outputs

    @property
    def protocol(self) -> str:
        """What is done to the points."""
        return "as they are"

    @torch.no_grad()
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Check and pass on.

        Args:
            images: Points ``(N, D)``, finite floats.

        Returns:
            The same tensor as "features".

        Raises:
            ValueError: If they are something else.
        """
        if images.ndim != 2 or not images.numel() or not images.is_floating_point():
            raise ValueError(
                f"`images` must be points (N, D) of floats, got {images.dtype} of shape "
                f"{tuple(images.shape)}."
            )
        if not bool(images.isfinite().all()):
            raise ValueError("`images` must be finite points, got NaN or infinity.")
        return self.extract(images.detach())

    def extract(self, x: Tensor) -> dict[str, Tensor]:
        """The points."""
        return {"features": x}
