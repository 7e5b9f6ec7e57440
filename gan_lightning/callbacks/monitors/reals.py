"""Real samples that monitors compare with: how many, from where, and how they are kept."""

from __future__ import annotations

import math
from collections.abc import Sequence

import lightning
import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from gan_lightning.callbacks._batch import split_batch
from gan_lightning.callbacks._real_samples import ServesRealSamples
from gan_lightning.families.base import AbstractGAN

__all__ = ["Reals", "affordable", "first", "heldout", "joined", "packed", "several", "unlike"]

Reals = tuple[Tensor, Tensor | None]
"""Samples `(n, ...)` and their labels `(n,)`, or None."""

_MOST_BYTES, _LEAST = 50_000_000, 64
_MOST_HALF = 65_504.0  # float16's largest number


def affordable(number: int, shape: Sequence[int]) -> int:
    """How many samples to look at, of `number` wanted ones: fewer of large images.

    Twice as many training samples and as many held-out ones are kept, in float32. All together
    shall need less than 50 MB, but 64 samples are the least that say anything.

    Args:
        number: Wanted.
        shape: Of one sample.
    """
    bytes_each = 4 * max(1, math.prod(shape))
    return min(number, max(_LEAST, _MOST_BYTES // (3 * bytes_each)))


def first(data: ServesRealSamples, number: int) -> Reals:
    """So many real samples, or as many as there are."""
    number = min(number, data.samples)
    return joined([split_batch(batch) for batch in data.real_chunks(number)], number)


def joined(batches: list[Reals], number: int) -> Reals:
    """The first samples of several batches."""
    x = torch.cat([x for x, _ in batches])[:number].clone()  # without the rest of the storage
    labels = [y for _, y in batches if y is not None]
    return x, torch.cat(labels)[:number] if len(labels) == len(batches) else None


def several(real: Reals) -> Reals:
    """The same, refused where there is nothing to compare with.

    Raises:
        ValueError: If there are fewer than two samples.
    """
    if len(real[0]) < 2:
        raise ValueError(
            "The training data must hold at least 2 samples for monitors to compare with, got "
            f"{len(real[0])}."
        )
    return real


def packed(x: Tensor) -> Tensor:
    """Images in half the bytes, more precisely than in 8 bits; all else as it is."""
    suits = x.ndim == 4 and float(x.abs().max()) <= _MOST_HALF
    return x.half() if suits else x


def heldout(
    data: lightning.LightningDataModule,
    train: lightning.LightningDataModule | None,
    module: AbstractGAN,
    number: int,
) -> Reals:
    """Held-out samples, refused where they are of no use.

    Args:
        data: What serves them.
        train: What is trained on; None for plain loaders.
        module: The family.
        number: How many, before `affordable`.

    Raises:
        ValueError: If they cannot be served, are the training set, or lack labels that are needed.
    """
    if not isinstance(data, ServesRealSamples):
        raise ValueError(
            "`heldout` must be a data module of this package, or one with `samples`, "
            f"`image_shape`, `identity` and `real_chunks`, got {type(data).__name__}."
        )
    name = data.identity.get("data")
    trained = train.identity.get("data") if isinstance(train, ServesRealSamples) else None
    if name is not None and name == trained:
        raise ValueError(
            f"`heldout` must serve samples that are not trained on, got {name!r}, which is the "
            "training set."
        )
    x, labels = first(data, affordable(number, data.image_shape))
    if module.conditional and labels is None:
        raise ValueError(
            f"`heldout` must serve labels for {type(module).__name__}, whose networks are "
            f"given them, got {type(data).__name__} without any."
        )
    return x, labels


def unlike(unseen: Reals | None, x: Tensor, whole: bool = True) -> None:
    """See to it that held-out samples are like those of training, and not the same.

    Args:
        unseen: Held-out ones, None if there are none.
        x: Of training, `(n, ...)`.
        whole: Whether these are all that will be known, so that a warning can be given if most
            held-out samples are among them.

    Raises:
        ValueError: If their shapes differ.
    """
    if unseen is None:
        return
    if unseen[0].shape[1:] != x.shape[1:]:
        raise ValueError(
            f"`heldout` must serve samples of shape {tuple(x.shape[1:])} as in training, got "
            f"{tuple(unseen[0].shape[1:])}."
        )
    if whole:
        known = set(_bytes(x))
        among = sum(sample in known for sample in _bytes(unseen[0]))
        if 2 * among > len(unseen[0]):
            rank_zero_warn(
                f"`heldout` should serve samples that are not trained on, but {among} of "
                f"{len(unseen[0])} are: overfitting will not be seen."
            )


def _bytes(x: Tensor) -> list[int]:
    """A number for each sample, the same for equal ones; images as they are kept."""
    return [hash(sample.contiguous().numpy().tobytes()) for sample in packed(x)]
