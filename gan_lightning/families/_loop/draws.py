"""Random draws as pure functions of (run seed, purpose, update, draw).

Every rank seeds a `torch.Generator` alike, draws for the global batch and keeps its own rows. So
ranks see different noise, two processes of B samples see exactly the noise of one process of 2 B,
micro-batches see the noise of the whole batch, and a resumed run needs no saved state of any
random number generator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from gan_lightning._seeds import mix


class Purpose:
    """What a draw is for; the first word of its seed after the run seed."""

    DISCRIMINATOR = 1
    GENERATOR = 2
    BOTH = 3  # simultaneous updates: both players see the same noise
    LAYERS = 4  # dropout and whatever else draws from torch's default generator


class Window(NamedTuple):
    """The rows [start, start + rows) of a global batch of `total` samples."""

    total: int
    start: int
    rows: int


class Draws:
    """Makes the draws of one turn; `begin` names the turn, `window` the rows that are wanted."""

    def __init__(self, seed: int, device: torch.device, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.window: Window | None = None
        self._generator = torch.Generator(device)
        self._seed = seed
        self._turn = (0, 0)
        self._index = 0

    def begin(self, purpose: int, update: int) -> None:
        """Start the draws of one turn (or, with the same arguments, repeat them)."""
        self._turn = (purpose, update)
        self._index = 0

    def normal(self, n: int, *shape: int) -> Tensor:
        """Standard normal rows, `(n, *shape)`."""
        return self._draw(n, shape, torch.Tensor.normal_)

    def uniform(self, n: int, *shape: int) -> Tensor:
        """Rows uniform on [0, 1), `(n, *shape)`."""
        return self._draw(n, shape, torch.Tensor.uniform_)

    def integers(self, n: int, high: int) -> Tensor:
        """Integers uniform on 0, ..., high - 1, `(n,)` int64."""
        rows, first = self._rows(n)
        generator = self._seeded()
        full = torch.randint(high, (rows,), generator=generator, device=generator.device)
        return full[first : first + n]

    def _draw(self, n: int, shape: tuple[int, ...], fill: Callable[..., Tensor]) -> Tensor:
        rows, first = self._rows(n)
        generator = self._seeded()
        full = torch.empty(rows, *shape, dtype=self.dtype, device=generator.device)
        fill(full, generator=generator)
        return full if rows == n else full[first : first + n]

    def _seeded(self) -> torch.Generator:
        self._generator.manual_seed(mix(self._seed, *self._turn, self._index))
        self._index += 1
        return self._generator

    def _rows(self, n: int) -> tuple[int, int]:
        """Rows of the global draw and the first of ours; `n` may be several rows per sample."""
        if self.window is None:  # a loss called by hand, outside of a training step
            return n, 0
        per_sample, rest = divmod(n, self.window.rows)
        if rest:
            raise ValueError(
                f"`n` must be a multiple of the {self.window.rows} samples of this (micro-)batch, "
                "because every sample of the global batch owns equally many rows of a draw, "
                f"but got {n}."
            )
        return self.window.total * per_sample, self.window.start * per_sample


@contextmanager
def seeded_layers(seed: int, update: int, rank: int, device: torch.device) -> Iterator[None]:
    """Seed torch's default generators for an update (dropout); ranks differ.

    Afterwards they go on where they were: training leaves no trace in the random numbers of others,
    who might build their next network with them.

    `torch.manual_seed` would do the same a hundred times slower: it formats a stack trace for
    CUDA's lazy initialisation on every call.
    """
    value = mix(seed, Purpose.LAYERS, update, rank)
    generators = [torch.default_generator]
    if device.type == "cuda":
        generators.append(torch.cuda.default_generators[device.index or 0])
    states = [generator.get_state() for generator in generators]
    for generator in generators:
        generator.manual_seed(value)
    if device.type == "mps":
        torch.mps.manual_seed(value)
    try:
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
