"""The trace of the root of a product of two covariances that are regular."""

import torch
from torch import Tensor

_EPSILON = torch.finfo(torch.float64).eps
_ACCURACY = 1e-8  # of the traces: the bound on the error (the error: below 1e-12)
_PIVOTS = 1e-12  # least ratio of two squared Cholesky pivots of a matrix that counts as regular
_STRIP = 256  # columns of a triangular matrix that are multiplied at a time


def by_eigenvalues(factor: Tensor | None, s: Tensor, traces: Tensor) -> Tensor | None:
    """Tr(L L^T S)^(1/2); None without L or where digits would be lost.

    Args:
        factor: L, ``(D, D)``, if there is one.
        s: S, ``(D, D)``, symmetric, float64.
        traces: Tr(L L^T + S), in whose unit the error counts.
    """
    if factor is None:
        return None
    values: Tensor = torch.linalg.eigvalsh(_congruence(factor, s))
    return values.clamp(min=0).sqrt().sum() if _is_accurate(values, traces) else None


def cholesky(s: Tensor) -> Tensor | None:
    """L with L L^T = S; None where S is singular or nearly so.

    Args:
        s: ``(D, D)``, symmetric, float64.
    """
    factor: Tensor
    factor, failed = torch.linalg.cholesky_ex(s)
    pivots = factor.diagonal().square()
    if bool(failed) or not bool(pivots.min() > _PIVOTS * pivots.max()):
        return None
    return factor


def _congruence(factor: Tensor, s: Tensor) -> Tensor:
    """L^T S L below the diagonal (all that `eigvalsh` reads), without products by L's zeros."""
    d = len(s)
    half, whole = torch.empty_like(s), torch.zeros_like(s)
    for i in range(0, d, _STRIP):
        half[i : i + _STRIP] = factor[i:, i : i + _STRIP].T @ s[i:]
    for i in range(0, d, _STRIP):
        whole[i:, i : i + _STRIP] = half[i:, i:] @ factor[i:, i : i + _STRIP]
    return whole


def _is_accurate(values: Tensor, traces: Tensor) -> bool:
    """Whether the roots of computed eigenvalues of M add up to their true sum.

    The computed ones are exact for M + E with |E| about epsilon |M| (Frobenius norms). To first
    order the sum of roots moves by tr(E M^(-1/2)) / 2, at most |E| |M^(-1/2)| / 2; an eigenvalue
    below |E| moves by less than that, its root by less than the root of it.
    """
    noise = _EPSILON * values.norm()
    above = values[values > noise]
    error = noise * (1 / above).sum().sqrt() + (len(values) - len(above)) * noise.sqrt()
    return bool(error <= _ACCURACY * traces)
