"""How evenly samples fall into classes, of which there may be a thousand."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["ClassCoverage", "class_coverage"]


@dataclass(frozen=True)
class ClassCoverage:
    """How N samples lie in K classes.

    Attributes:
        modes: Classes with at least one sample, 0 to K. Rises with N.
        kl: KL(shares || uniform) in nats, in [0, log K].
        jsd: Jensen-Shannon divergence of shares and uniform in nats, in [0, log 2].
        counts: Samples of each class, int64 ``(K,)``.
    """

    modes: int
    kl: float
    jsd: float
    counts: Tensor

    @property
    def kl_floor(self) -> float:
        """About what `kl` N samples of the uniform distribution itself have, (K - 1) / 2N."""
        return (len(self.counts) - 1) / (2 * int(self.counts.sum()))


def class_coverage(labels: Tensor, num_classes: int) -> ClassCoverage:
    r"""Count classes that samples fall into, and compare their shares with the uniform ones.

    .. math::
        \mathrm{KL} = \sum_k \hat p_k \log (K \hat p_k), \qquad
        \mathrm{JSD} = \tfrac12 \mathrm{KL}(\hat p \| m) + \tfrac12 \mathrm{KL}(u \| m), \quad
        m = \tfrac12 (\hat p + u)

    with the shares p of the predicted classes and u = 1 / K. Both divergences are biased upwards
    and fall with N: perfectly uniform samples have an expected KL of about (K - 1) / 2N (Miller
    1955), given by `ClassCoverage.kl_floor`. It holds for N well above K: with K = 1,000 the floor
    is 0.0192 at the usual N = 26,000 (measured: 0.0193, single runs 0.017 to 0.022), but at
    N = 1,000 uniform samples have a KL near 0.57 (not 0.50) and touch about 632 classes only. So N
    belongs to every such number. A mistaken classifier raises `modes` and lowers the divergences.

    For stacked data sets (three digits as the three channels, 1,000 classes) the label is
    ``100 r + 10 g + b``.

    Source: Metz et al. 2017, arXiv:1611.02163, section 3.3.1; Lin et al. 2018, arXiv:1712.04086,
    section 4 (modes and reverse KL of stacked MNIST).

    Args:
        labels: Predicted classes, integers ``(N,)`` from 0 to K - 1.
        num_classes: K.

    Returns:
        A `ClassCoverage`; all in float64.

    Raises:
        ValueError: If labels are empty, not integers or out of range, or `num_classes` is not
            positive.

    Example:
        >>> found = class_coverage(torch.tensor([0, 0, 1, 1]), 4)
        >>> found.modes, round(found.kl, 4), found.counts.tolist()
        (2, 0.6931, [2, 2, 0, 0])
    """
    if num_classes < 1:
        raise ValueError(f"`num_classes` must be at least 1, got {num_classes}.")
    if labels.ndim != 1 or not len(labels) or labels.is_floating_point() or labels.is_complex():
        raise ValueError(
            "`labels` must be integers of shape (N,), N at least 1, got "
            f"{labels.dtype} of shape {tuple(labels.shape)}."
        )
    labels = labels.detach().long()
    low, high = (int(bound) for bound in labels.aminmax())
    if low < 0 or high >= num_classes:
        raise ValueError(
            f"`labels` must lie in 0..{num_classes - 1}, got values from {low} to {high}."
        )
    counts = torch.bincount(labels, minlength=num_classes)
    share = counts.double() / len(labels)
    uniform = torch.full_like(share, 1 / num_classes)
    middle = (share + uniform) / 2
    return ClassCoverage(
        modes=int((counts > 0).sum()),
        kl=_kl(share, uniform),
        jsd=(_kl(share, middle) + _kl(uniform, middle)) / 2,
        counts=counts,
    )


def _kl(p: Tensor, q: Tensor) -> float:
    """KL(p || q) for q > 0, in nats."""
    total = float(torch.special.xlogy(p, p / q).sum())
    return max(0.0, total) if math.isfinite(total) else total
