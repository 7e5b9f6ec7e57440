"""What an evaluation wants of a data module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from gan_lightning.metrics.defaults import default_suite
from gan_lightning.metrics.suite import MetricSuite

__all__ = ["HasModes", "ServesRealSamples", "kind_of", "suite_of"]


@runtime_checkable
class ServesRealSamples(Protocol):
    """A data module that serves real samples to compare with, as all of this package do."""

    @property
    def samples(self) -> int:
        """How many there are."""

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""

    @property
    def identity(self) -> Mapping[str, str | int]:
        """Which samples these are, under "data"."""

    def real_chunks(
        self, number: int | None = None, size: int = 250, rank: int = 0, world_size: int = 1
    ) -> Iterator[Any]:
        """This rank's chunks of `number` samples, ``x`` or ``(x, labels)``."""


@runtime_checkable
class HasModes(Protocol):
    """A mixture whose modes are known."""

    centres: Tensor
    std: float


def suite_of(data: ServesRealSamples, number: int) -> MetricSuite:
    """Choose metrics for a data module and so many samples."""
    modes = (data.centres, data.std) if isinstance(data, HasModes) else None
    return default_suite(kind_of(data), data.image_shape, number, modes)


def kind_of(data: object) -> str:
    """Name the class of the set that says what the images are: the one inside a wrapper."""
    kind = type(data).__name__
    if kind == "SemiSupervised" and isinstance(data, ServesRealSamples):
        kind = str(data.identity["data"]).partition("data=")[2].partition("(")[0]
    return kind
