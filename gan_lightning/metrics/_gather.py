"""Rows from all ranks."""

from typing import Any

import torch
from torch import Tensor, distributed


def gather_rows(rows: Tensor, group: Any = None) -> list[Tensor]:
    """Gather tensors that differ in their number of rows, which may be zero.

    torchmetrics' own gathering wants the same number of dimensions everywhere, and a rank without
    samples does not know how many there are.

    Args:
        rows: This rank's, ``(N, ...)``, or anything empty.
        group: The processes; None: all of them.

    Returns:
        The rows of each rank, in the order of the ranks, all of one shape and dtype.

    Raises:
        ValueError: On all ranks, if shapes or dtypes differ.
    """
    world_size = distributed.get_world_size(group)
    facts: list[Any] = [None] * world_size
    distributed.all_gather_object(facts, (len(rows), tuple(rows.shape[1:]), rows.dtype), group)
    numbers = [n for n, _, _ in facts]
    kinds = {(shape, dtype) for n, shape, dtype in facts if n}
    if not kinds:
        return [rows[:0] for _ in range(world_size)]
    if len(kinds) > 1:
        found = " and ".join(sorted(f"{dtype} of shape (N, *{shape})" for shape, dtype in kinds))
        raise ValueError(f"`x` must have one shape and dtype on all ranks, got {found}.")
    (shape, dtype) = kinds.pop()
    padded = torch.zeros(max(numbers), *shape, dtype=dtype, device=rows.device)
    if len(rows):
        padded[: len(rows)] = rows
    parts = [torch.empty_like(padded) for _ in range(world_size)]
    distributed.all_gather(parts, padded, group)
    return [part[:n] for part, n in zip(parts, numbers, strict=True)]
