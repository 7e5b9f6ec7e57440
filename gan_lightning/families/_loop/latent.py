"""Latent codes for users, callbacks and metrics: the same on every device."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def latent(n: int, latent_dim: int, seed: int | None, truncation: float | None = None) -> Tensor:
    """Draw z ~ N(0, I) on the CPU, so that a seed gives the same z on every device.

    Args:
        n: Number of codes.
        latent_dim: Their dimension.
        seed: None takes a seed from torch's default generator.
        truncation: Draw from the normal distribution truncated to [-truncation, truncation]
            (Brock et al. 2019, section 3.1); None does not truncate.

    Returns:
        `(n, latent_dim)` float64 on the CPU.

    Raises:
        ValueError: When `n` or `truncation` is not positive.
    """
    if n < 1:
        raise ValueError(f"`n` must be at least 1 but got {n}.")
    if truncation is not None and not truncation > 0:
        raise ValueError(f"`truncation` must be positive or None but got {truncation}.")
    if seed is None:
        seed = int(torch.randint(2**62, ()))
    generator = torch.Generator().manual_seed(seed)
    if truncation is None:
        return torch.randn(n, latent_dim, generator=generator, dtype=torch.float64)
    u = torch.rand(n, latent_dim, generator=generator, dtype=torch.float64)
    mass = math.erf(truncation / math.sqrt(2))  # of N(0, 1) within the bounds
    z = math.sqrt(2) * torch.erfinv((2 * u - 1) * mass)
    return z.clamp(-truncation, truncation)
