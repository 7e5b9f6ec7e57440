"""Numerics that several objectives share."""

import torch
from torch import Tensor
from torch.nn import functional


def at_least_float32(x: Tensor) -> Tensor:
    """The same numbers, in float32 if they were in half precision, which rounds means coarsely."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x)) without torch's threshold of 20, above which float64 would lose digits."""
    return functional.softplus(at_least_float32(x), threshold=40.0)
