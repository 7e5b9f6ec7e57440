"""An order of samples that depends on nothing but the samples."""

import torch
from torch import Tensor

_CHUNK = 2**20  # numbers hashed at a time
_WORDS = 2**62


def canonical_order(rows: Tensor) -> Tensor:
    """Sort samples by a hash of their values.

    Integer arithmetic wraps around and is exact, so the hash does not depend on how rows are
    grouped, as a sum of floats would.

    Args:
        rows: Samples ``(N, ...)``.

    Returns:
        A permutation of ``range(N)``, int64; equal rows may come in any order.
    """
    flat = rows.reshape(len(rows), -1)
    generator = torch.Generator().manual_seed(0)
    weights = torch.randint(-_WORDS, _WORDS, (flat.shape[1],), generator=generator) * 2 + 1
    weights = weights.to(rows.device)
    parts = torch.split(flat, max(1, _CHUNK // max(1, flat.shape[1])))
    hashes = [_hash(part, weights) for part in parts]
    return torch.argsort(torch.cat(hashes), stable=True)


def _hash(rows: Tensor, weights: Tensor) -> Tensor:
    words = (rows.double() + 0.0).view(torch.int64)  # + 0.0: -0.0 is 0.0
    words = words ^ (words >> 29)  # the low bits of a short float are all zero
    return (words * weights).sum(1)
