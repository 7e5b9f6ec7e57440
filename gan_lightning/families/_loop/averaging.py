"""Moving average of the generator (Karras et al. 2018), half-life in images (EDM, 2022)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def averaged_copy(generator: nn.Module) -> nn.Module:
    """A copy of `generator` that takes no gradients."""
    return copy.deepcopy(generator).requires_grad_(False)


def decay(images: int, images_seen: int, halflife: float, ramp_up: float = 0.05) -> float:
    """Share of the old average that one update keeps.

    Args:
        images: Images that the discriminator saw since the last update.
        images_seen: All images that it saw; early in a run the half-life is `ramp_up` times this,
            so that the average does not remember the initial weights.
        halflife: Half-life of the average, in images.
        ramp_up: EDM's EMA ramp-up ratio.
    """
    return float(0.5 ** (images / max(min(halflife, ramp_up * images_seen), 1e-8)))


class Averager:
    """Moves an averaged copy towards its network: parameters by lerp, buffers by copy."""

    def __init__(self, average: nn.Module, network: nn.Module) -> None:
        # Lists are walked once: walking a network's modules costs more than averaging a small one.
        self._average: list[Tensor] = list(average.parameters())
        self._network: list[Tensor] = list(network.parameters())
        self._buffers = list(zip(average.buffers(), network.buffers(), strict=True))

    @torch.no_grad()
    def update(self, beta: float) -> None:
        """average <- beta * average + (1 - beta) * network."""
        torch._foreach_lerp_(self._average, self._network, 1.0 - beta)
        for average, buffer in self._buffers:
            average.copy_(buffer)


@contextmanager
def evaluating(*networks: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, each submodule's own mode again afterwards."""
    modes = [(module, module.training) for network in networks for module in network.modules()]
    for network in networks:
        network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
