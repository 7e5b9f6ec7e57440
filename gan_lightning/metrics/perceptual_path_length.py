"""How much images change along paths in the latent space, as a metric."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from gan_lightning.metrics._gather import gather_rows
from gan_lightning.metrics.functional.path_length import path_lengths, trimmed_mean

__all__ = ["PerceptualPathLength"]


class PerceptualPathLength(Metric):
    """Mean and standard deviation of the perceptual length of paths.

    See `functional.perceptual_path_length`. torchmetrics' own class is not used: it says that
    higher is better, takes the sample below as its upper quantile, and brings its own LPIPS.
    Samples do not suffice for it: updates take the generator and pairs of latents. Under
    ``torch.distributed`` each rank adds paths of its own, or none.

    Args:
        distance: Maps two batches of images to one number a pair; grows as the square of changes.
        epsilon: Step, as a share of the path.
        lower: Share of the shortest paths that is left out.
        upper: Share up to which paths count.
        interpolation: "slerp" or "lerp".
        seed: Of the positions on the paths.
        ends: "full" or "end".
        chunk: Paths at a time.
        torchmetrics: Of `torchmetrics.Metric`.
    """

    higher_is_better = False
    is_differentiable = False
    full_state_update = False
    names = ("PPL", "PPL_std")

    lengths: list[Tensor]

    def __init__(
        self,
        distance: Callable[[Tensor, Tensor], Tensor],
        *,
        epsilon: float = 1e-4,
        lower: float = 0.01,
        upper: float = 0.99,
        interpolation: Literal["slerp", "lerp"] = "slerp",
        seed: int = 0,
        ends: Literal["full", "end"] = "full",
        chunk: int = 64,
        **torchmetrics: Any,
    ) -> None:
        super().__init__(**torchmetrics)
        self._distance = (distance,)  # a network in a tuple is no part of the state_dict
        self.epsilon = epsilon
        self.lower = lower
        self.upper = upper
        self.interpolation: Literal["slerp", "lerp"] = interpolation
        self.seed = seed
        self.ends: Literal["full", "end"] = ends
        self.chunk = chunk
        self.add_state("lengths", default=[], dist_reduce_fx="cat")

    def update(self, generate: Callable[[Tensor], Tensor], z: Tensor) -> None:
        """Add paths.

        Args:
            generate: Maps latents to images.
            z: Latents ``(2P, ...)``: rows 2i and 2i + 1 are the ends of path i.

        Raises:
            ValueError: As for `functional.perceptual_path_length`.
        """
        self.lengths.append(
            path_lengths(
                generate,
                z,
                self._distance[0],
                self.epsilon,
                self.interpolation,
                seed=self.seed,
                ends=self.ends,
                chunk=self.chunk,
            )
        )

    def compute(self) -> dict[str, Tensor]:
        """Mean and standard deviation of all paths so far.

        Raises:
            ValueError: If there is no path.
        """
        parts = [self.lengths] if isinstance(self.lengths, Tensor) else self.lengths
        if not sum(len(part) for part in parts):
            raise ValueError(
                "`PerceptualPathLength` needs paths, got none; call `update(generate, z)`."
            )
        values = trimmed_mean(dim_zero_cat(parts), self.lower, self.upper)
        return dict(zip(self.names, values, strict=True))

    def sync(
        self,
        dist_sync_fn: Callable[..., Any] | None = None,
        process_group: Any | None = None,
        should_sync: bool = True,
        distributed_available: Callable[..., Any] | None = None,
    ) -> None:
        """Gather the paths of all ranks, also from an empty one."""
        super().sync(
            dist_sync_fn=dist_sync_fn or gather_rows,
            process_group=process_group,
            should_sync=should_sync,
            distributed_available=distributed_available,
        )
