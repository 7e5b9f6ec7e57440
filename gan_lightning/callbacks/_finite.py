"""Whether weights are numbers, in one wait for the device."""

import torch
from torch import nn


def not_finite(module: nn.Module) -> str | None:
    """Name the first parameter that has NaN or infinity; None if all are finite."""
    named = {
        name: p.detach()
        for name, p in module.named_parameters()
        if p.is_floating_point() and p.numel()
    }
    if not named:
        return None
    largest = torch._foreach_norm(list(named.values()), float("inf"))  # no squares to overflow
    if bool(torch.stack([size.double() for size in largest]).isfinite().all()):
        return None
    return next(name for name, p in named.items() if not bool(p.isfinite().all()))
