"""What a batch holds."""

from typing import Any

from torch import Tensor


def split_batch(batch: Any) -> tuple[Tensor, Tensor | None]:
    """Take a training batch apart.

    Args:
        batch: ``x``, ``(x,)`` or ``(x, labels)``.

    Returns:
        x ``(N, ...)`` and the labels ``(N,)``, None if there are none.
    """
    if isinstance(batch, Tensor):
        return batch, None
    x, *rest = batch
    return x, rest[0] if rest else None
