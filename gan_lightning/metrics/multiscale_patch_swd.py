"""ProGAN's distance of patches, as a metric."""

from typing import Any

from torch import Tensor

from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.functional.patch_swd import PatchSWD, multiscale_patch_swd

__all__ = ["MultiscalePatchSwd"]


class MultiscalePatchSwd(AbstractSetMetric):
    """Sliced Wasserstein distance of patches of images, mean over the levels of a pyramid.

    See `functional.multiscale_patch_swd`. The single levels are given by `levels`: how many there
    are depends on the images.

    Args:
        patches: From each image on each level.
        projections: Number of directions.
        seed: Of positions and directions.
        output: The output of an extractor that holds images in [-1, 1].
        kwargs: Of `AbstractSetMetric`.
    """

    names = ("patch_SWD",)
    higher_is_better = False

    def __init__(
        self,
        *,
        patches: int = 128,
        projections: int = 512,
        seed: int = 0,
        output: str = "images",
        **kwargs: Any,
    ) -> None:
        super().__init__(output=output, **kwargs)
        self.patches = patches
        self.projections = projections
        self.seed = seed

    def value(self, *sets: Tensor) -> Tensor:
        """The mean over the levels."""
        return self._found(*sets).mean

    def levels(self) -> dict[int, Tensor]:
        """The distance on each level, by the shorter side of the level in pixels."""
        with self.sync_context():
            found = self._found(*self.rows())
        return dict(zip(found.resolutions, found.levels, strict=True))

    def _found(self, real: Tensor, fake: Tensor) -> PatchSWD:
        return multiscale_patch_swd(real, fake, self.patches, self.projections, self.seed)
