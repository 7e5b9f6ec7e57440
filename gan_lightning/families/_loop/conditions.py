"""Labels: which ones `sample` takes or draws, and which ones a batch may hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gan_lightning._seeds import mix
from gan_lightning.losses.classification import UNLABELLED

if TYPE_CHECKING:
    from gan_lightning.families._loop.state import AbstractGAN

_LABELS = 5  # apart from z, which takes the seed as it is


def labels_of(
    module: AbstractGAN, n: int, labels: Tensor | Sequence[int] | int | None, seed: int | None
) -> Tensor | None:
    """The classes of n samples, int64 `(n,)`, or None for an unconditional family.

    Raises:
        ValueError: When labels are given to an unconditional family, or are not n classes.
    """
    if not module.conditional:
        if labels is not None:
            raise ValueError(
                f"`labels` must be None for {type(module).__name__}, whose samples are not "
                f"conditional, but got {_described(_tensor(labels))}."
            )
        return None
    assert module.num_classes is not None  # see checks.arguments
    if labels is None:
        return _uniform(n, module.num_classes, seed)
    labels = _tensor(labels)
    classes(labels, module.num_classes)
    if labels.shape not in {(), (n,)}:
        raise ValueError(
            f"`labels` must be one class or n = {n} of them but got {_described(labels)}."
        )
    return labels.long().expand(n)


def _tensor(labels: object) -> Tensor:
    try:
        return torch.as_tensor(labels)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"`labels` must be integers but got {labels!r}.") from error


def classes(labels: Tensor, num_classes: int, *, unlabelled: bool = False) -> None:
    """Refuse labels that are not integers from 0 (or -1, unlabelled) to num_classes - 1.

    Raises:
        ValueError: When they are not.
    """
    lowest = UNLABELLED if unlabelled else 0
    if not _integers(labels):
        raise ValueError(f"`labels` must be integers but got {_described(labels)}.")
    if labels.numel() == 0:
        return
    low, high = int(labels.min()), int(labels.max())
    if low < lowest or high >= num_classes:
        wrong = low if low < lowest else high
        raise ValueError(
            f"`labels` must lie in {lowest}, ..., {num_classes - 1} (`num_classes` - 1) but got "
            f"{wrong}."
        )


def of_batch(labels: object, n: int) -> Tensor:
    """The labels of a batch of n samples, as int64.

    Raises:
        ValueError: When they are not n integers.
    """
    if not isinstance(labels, Tensor) or labels.shape != (n,):
        found = _described(labels) if isinstance(labels, Tensor) else type(labels).__name__
        raise ValueError(
            f"`labels` of a batch must be an integer tensor of shape (N,) = ({n},) but are {found}."
        )
    if not _integers(labels):
        raise ValueError(f"`labels` must be integers but got {_described(labels)}.")
    return labels.long()


def _integers(labels: Tensor) -> bool:
    return not (labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool)


def _uniform(n: int, num_classes: int, seed: int | None) -> Tensor:
    if seed is None:
        return torch.randint(num_classes, (n,))
    generator = torch.Generator().manual_seed(mix(seed, _LABELS))
    return torch.randint(num_classes, (n,), generator=generator)


def _described(labels: Tensor) -> str:
    return f"{labels.dtype} of shape {tuple(labels.shape)}"
