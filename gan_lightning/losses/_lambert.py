"""The logarithm of Lambert's W, which the conjugate of Jeffreys' divergence needs."""

from typing import Any

import torch
from torch import Tensor

_STEPS = 6  # a test compares with scipy from y = -700 to y = 1e8


class _LogLambertW(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        # l + exp(l) = y. The left side is convex and increasing and the start lies right of the
        # root, so that Newton's steps fall towards it and never overshoot.
        log_w = torch.where(y < 1, y, y.clamp(min=1).log())
        for _ in range(_STEPS):
            w = log_w.exp()
            log_w = log_w - (log_w + w - y) / (1 + w)
        ctx.save_for_backward(log_w)
        return log_w

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (log_w,) = ctx.saved_tensors  # with its graph, so that second derivatives are right too
        slope: Tensor = 1 / (1 + log_w.exp())
        return gradients[0] * slope


def log_lambert_w(y: Tensor) -> Tensor:
    """The logarithm of W(exp(y)), with W the principal branch of w exp(w) = exp(y).

    Args:
        y: Any shape.

    Returns:
        l with l + exp(l) = y, of the same shape; twice differentiable.
    """
    result: Tensor = _LogLambertW.apply(y)  # type: ignore[no-untyped-call]
    return result
