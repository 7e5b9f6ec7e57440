"""What every metric of samples shares: two sets that grow batch by batch, on any number of ranks.

A metric here is a `torchmetrics.Metric` around a pure function of `metrics.functional`. It keeps
the rows it is given (a list of the very tensors, so that ten metrics of one suite share their
memory), and before it computes anything it brings them into an order of their own. So a value
depends neither on the order of the batches, nor on their size, nor on the number of processes.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from gan_lightning.metrics._gather import gather_rows
from gan_lightning.metrics._order import canonical_order

__all__ = ["AbstractSetMetric"]

Value = Tensor | tuple[Tensor, ...]
SETS = ("real", "fake", "test")


class AbstractSetMetric(Metric, ABC):
    """A number, or several, that compares a set of fake samples with a set of real ones.

    Call `update` with batches of either set in any order, then `compute`. Under
    ``torch.distributed`` every rank adds its own samples, and `compute` gives the same value on all
    of them; a rank may have no samples at all.

    Subclasses set `names` and `sets` and implement `value`; everything else stands here.

    Attributes:
        names: What the values are called, one for each number that `value` returns.
        sets: The sets that are needed, of "real", "fake" and "test" (real samples that were not
            trained on). Batches of other sets are passed over.
        output: The output of an extractor that a suite feeds this metric with.
        higher_is_better: For all values alike; None where neither direction is better.
        directions: The same for values that differ in this, by name.
        keeps_rows: Whether the sets are lists of rows (else something smaller, such as moments).
    """

    names: tuple[str, ...]
    sets: tuple[str, ...] = ("real", "fake")
    higher_is_better: bool | None = None
    directions: ClassVar[Mapping[str, bool | None]] = {}
    is_differentiable = False
    full_state_update = False

    real: list[Tensor]
    fake: list[Tensor]
    test: list[Tensor]
    real_index: list[Tensor]

    def __init__(self, *, output: str = "features", **torchmetrics: Any) -> None:
        super().__init__(**torchmetrics)
        self.output = output
        self.keeps_rows = True
        for name in SETS:
            self.add_state(name, default=[], dist_reduce_fx="cat")
            self.add_state(f"{name}_index", default=[], dist_reduce_fx="cat")
        self._batches = dict.fromkeys(SETS, 0)

    @abstractmethod
    def value(self, *sets: Tensor) -> Value:
        """The numbers of whole sets.

        Args:
            sets: Rows ``(N, ...)`` of each of `sets`, in that order.

        Returns:
            One scalar for each of `names`.
        """

    def update(
        self, x: Tensor, *, real: bool = False, test: bool = False, index: Tensor | None = None
    ) -> None:
        """Add a batch.

        Args:
            x: Features ``(N, D)``, logits, images or points, as the metric wants them; any floating
                dtype, kept as it is and computed with in float64.
            real: Whether these are real samples.
            test: Whether these are real samples held out from training.
            index: Which samples these are, integers ``(N,)``: each index counts once, however often
                it comes (samplers of several processes repeat samples to even out their shares).
                Give it for all batches of a set or for none.

        Raises:
            ValueError: If x has no rows, holds a number that is not finite (the batch is named), or
                index does not fit.
        """
        name = "test" if test else "real" if real else "fake"
        if name not in self.sets:
            return
        self._batches[name] += 1
        self._check(x, name, index)
        self.add(name, x.detach())
        if index is not None:
            getattr(self, f"{name}_index").append(index.detach().to(x.device, torch.int64))

    def add(self, name: str, rows: Tensor) -> None:
        """Take the rows of a batch in; the default keeps them."""
        getattr(self, name).append(rows)

    def compute(self) -> Tensor | dict[str, Tensor]:
        """The values of all samples so far.

        Returns:
            A scalar where there is one name, else scalars by name.

        Raises:
            ValueError: If a set is empty or too small.
        """
        values = self.values()
        if isinstance(values, Tensor):
            return values
        return dict(zip(self.names, values, strict=True))

    def values(self) -> Value:
        """The numbers of what this process knows (in `compute`: of what all ranks know)."""
        return self.value(*self.rows())

    def direction(self, name: str) -> bool | None:
        """Whether a higher value of that name is better; None if neither is."""
        if name in self.directions:
            return self.directions[name]
        return None if name.endswith(("_std", "_error")) else self.higher_is_better

    def numbers(self) -> dict[str, int]:
        """How many samples of each set this process knows."""
        return {name: len(self.kept(name)) for name in self.sets}

    def arguments(self) -> str:
        """The arguments that it was made with, as they are written in Python."""
        names = dict.fromkeys(
            name
            for cls in type(self).__mro__
            if issubclass(cls, AbstractSetMetric)
            for name in inspect.signature(cls.__init__).parameters
            if name in vars(self)
        )
        shown = {name: _shown(vars(self)[name]) for name in names}
        return ", ".join(f"{name}={value}" for name, value in shown.items() if value)

    def rows(self) -> tuple[Tensor, ...]:
        """All rows of each set, every sample once, in an order that only the samples decide.

        Raises:
            ValueError: If a set is empty.
        """
        return tuple(self.kept(name) for name in self.sets)

    def kept(self, name: str) -> Tensor:
        """What is kept of one set, every sample once, in an order that only the samples decide.

        Args:
            name: One of `sets`.

        Raises:
            ValueError: If the set is empty.
        """
        kept = _whole(getattr(self, name))
        if not len(kept):
            raise ValueError(
                f"`{type(self).__name__}` needs {name} samples, got none; call "
                f"`update(x, real={name != 'fake'}{', test=True' if name == 'test' else ''})`."
            )
        index = _whole(getattr(self, f"{name}_index"))
        if not len(index):
            return kept[canonical_order(kept)]
        if len(index) != len(kept):
            raise ValueError(
                f"`index` must be given for all {len(kept)} {name} samples or for none, got "
                f"{len(index)}."
            )
        order = torch.argsort(index, stable=True)
        first = torch.ones_like(order, dtype=torch.bool)
        first[1:] = index[order][1:] != index[order][:-1]
        return kept[order[first]]

    def _check(self, x: Tensor, name: str, index: Tensor | None) -> None:
        where = f"batch {self._batches[name]} of the {name} samples"
        if x.ndim == 0 or not len(x):
            raise ValueError(f"`x` must hold samples, got shape {tuple(x.shape)} in {where}.")
        if x.is_complex() or x.dtype == torch.bool:
            raise ValueError(f"`x` must hold real numbers, got {x.dtype} in {where}.")
        if x.is_floating_point() and not bool(torch.isfinite(x).all()):
            raise ValueError(f"`x` must be finite, got NaN or infinity in {where}.")
        if index is not None and (index.shape != (len(x),) or index.is_floating_point()):
            raise ValueError(
                f"`index` must be integers of shape ({len(x)},), got {index.dtype} of shape "
                f"{tuple(index.shape)} in {where}."
            )

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: a batch of one set has no value.

        Raises:
            TypeError: Always.
        """
        raise TypeError(
            f"`{type(self).__name__}` has no value of one batch; call `update(x, real=...)` for "
            "each batch, then `compute()`."
        )

    def sync(
        self,
        dist_sync_fn: Callable[..., Any] | None = None,
        process_group: Any | None = None,
        should_sync: bool = True,
        distributed_available: Callable[..., Any] | None = None,
    ) -> None:
        """Gather the rows of all ranks; unlike torchmetrics' own way, also from an empty rank."""
        super().sync(dist_sync_fn or gather_rows, process_group, should_sync, distributed_available)

    def load_real(self, kept: Tensor) -> None:
        """Take what `kept("real")` gave, in the place of updates; on one rank only."""
        # The order that it came in is the one that only the samples decide.
        self.real, self.real_index = [kept], [torch.arange(len(kept), device=kept.device)]

    def reset(self, *, keep_real: bool = False) -> None:
        """Forget all samples, or all but the real ones."""
        real, index = list(self.real), list(self.real_index)
        super().reset()
        self._batches = dict.fromkeys(SETS, 0)
        if keep_real:
            self.real, self.real_index = real, index


def _shown(value: object) -> str:
    """An argument as it is written; tensors by their shape and sum, objects not at all."""
    if isinstance(value, Tensor):
        return f"Tensor({tuple(value.shape)}, sum {float(value.double().sum()):.9g})"
    return repr(value) if isinstance(value, bool | int | float | str | None) else ""


def _whole(rows: list[Tensor] | Tensor) -> Tensor:
    """One tensor of the kept batches; ranks without samples hold an empty one."""
    parts = [rows] if isinstance(rows, Tensor) else [part for part in rows if len(part)]
    whole: Tensor = dim_zero_cat(parts) if parts else torch.empty(0)
    return whole
