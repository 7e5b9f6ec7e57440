"""Several metrics from one pass of one extractor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import final

from torch import Tensor, nn

from gan_lightning.metrics._names import full_name
from gan_lightning.metrics.base import SETS, AbstractSetMetric, Value
from gan_lightning.metrics.canonical import FID, IS, KID
from gan_lightning.metrics.extractors.base import AbstractExtractor
from gan_lightning.metrics.score import Score

__all__ = ["MetricSuite"]


@final
class MetricSuite(nn.Module):
    """Metrics that share one extractor, one pass over the samples and one copy of its outputs.

    The name of the extractor is part of each name that `compute` returns: ``FD-Digits``,
    ``precision-Digits``. Only with Inception and its published weights they are ``FID``, ``KID``
    and ``IS``.

    Args:
        extractor: Turns images (or points) into named outputs.
        metrics: What is computed; each reads the output that its `output` names.

    Raises:
        ValueError: If there is no metric, one wants an output that the extractor does not have or
            brings Inception along, or two give a value of the same name.

    Example:
        >>> import torch
        >>> from gan_lightning.metrics import FrechetDistance
        >>> from gan_lightning.metrics.extractors import PointExtractor
        >>> suite = MetricSuite(PointExtractor(), [FrechetDistance()])
        >>> suite.update(torch.tensor([[0.0], [2.0]]), real=True)
        >>> suite.update(torch.tensor([[1.0], [3.0]]), real=False)
        >>> suite.compute()
        {'FD-points': 1.0}
    """

    def __init__(self, extractor: AbstractExtractor, metrics: Sequence[AbstractSetMetric]) -> None:
        super().__init__()
        if not metrics:
            raise ValueError("`metrics` must hold at least one metric, got none.")
        for metric in metrics:
            if isinstance(metric, FID | KID | IS):
                raise ValueError(
                    "`metrics` must read an extractor's output, got "
                    f"{type(metric).__name__}, which takes images; in a suite with an "
                    "InceptionExtractor FrechetDistance is FID, KernelDistanceSubsets KID and "
                    "InceptionScore IS."
                )
            if metric.output not in extractor.outputs:
                raise ValueError(
                    f"`metrics` must read outputs of the extractor {extractor.name} "
                    f"({', '.join(extractor.outputs)}), got {type(metric).__name__} with "
                    f"`output='{metric.output}'`."
                )
        self.extractor = extractor.requires_grad_(False)
        self.metrics = nn.ModuleList(metrics)
        names = self.names
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"`metrics` must have values of different names, got two {twice}.")
        self._stores = nn.ModuleDict(_stores(metrics))

    @property
    def sets(self) -> tuple[str, ...]:
        """The sets that any metric needs, of "real", "fake" and "test"."""
        return _union(self._metrics())

    @property
    def names(self) -> list[str]:
        """What `compute` calls its values."""
        return [self._named(metric, name) for metric in self._metrics() for name in metric.names]

    def update(
        self,
        images: Tensor,
        *,
        real: bool = False,
        test: bool = False,
        index: Tensor | None = None,
        distinct: bool = False,
    ) -> None:
        """Extract once, and give every metric its output.

        Args:
            images: ``(N, C, H, W)``, floats in [-1, 1] or uint8; points for a `PointExtractor`.
            real: Whether these are real samples.
            test: Whether they are real samples held out from training.
            index: Which samples these are, ``(N,)``, so that none counts twice, and that their
                order does not follow from the last digits of their features.
            distinct: Whether it is certain that no index comes twice. Metrics that keep moments can
                only be given such ones.

        Raises:
            ValueError: If the images are out of range or have the wrong shape.
        """
        outputs = self.extractor(images)
        self.update_outputs(outputs, real=real, test=test, index=index, distinct=distinct)

    def update_outputs(
        self,
        outputs: Mapping[str, Tensor],
        *,
        real: bool = False,
        test: bool = False,
        index: Tensor | None = None,
        distinct: bool = False,
    ) -> None:
        """Give every metric its output of an extractor's pass, or of features made elsewhere.

        Args:
            outputs: Rows ``(N, ...)`` by the name of the output.
            real: As for `update`.
            test: As for `update`.
            index: As for `update`.
            distinct: As for `update`.

        Raises:
            ValueError: If an output is missing, or holds a number that is not finite.
        """
        for name, holder in self._holders().items():
            if holder.output not in outputs:
                raise ValueError(
                    f"`outputs` must have '{holder.output}', got {', '.join(outputs)} ({name})."
                )
            which = None if distinct and not holder.keeps_rows else index
            holder.update(outputs[holder.output], real=real, test=test, index=which)

    def compute(self) -> dict[str, Score]:
        """All values, with the extractor in their names.

        Returns:
            Scores by name; the same on every rank.

        Raises:
            ValueError: If a set is empty or too small.
        """
        scores: dict[str, Score] = {}
        extractor = self.extractor.fingerprint  # hashes all weights
        for holder in self._holders().values():
            with holder.sync_context():
                if not isinstance(holder, _Store):
                    found = holder.values(), holder.numbers()
                    scores |= self._scores(holder, *found, extractor)
                    continue
                rows = dict(zip(holder.sets, holder.rows(), strict=True))
            for metric in self._metrics():
                if metric.keeps_rows and metric.output == holder.output:
                    sets = {name: rows[name] for name in metric.sets}
                    numbers = {name: len(kept) for name, kept in sets.items()}
                    values = metric.value(*sets.values())
                    scores |= self._scores(metric, values, numbers, extractor)
        return {name: scores[name] for name in self.names}

    def reset(self, *, keep_real: bool = True) -> None:
        """Forget the fake samples, and the real ones too unless they are to be kept."""
        for holder in self._holders().values():
            holder.reset(keep_real=keep_real)

    def describe(self) -> str:
        """Everything that decides what is kept of real samples, in words."""
        network = hashlib.sha256(repr(self.extractor).encode()).hexdigest()[:12]
        return f"{self.extractor.fingerprint} | {network} | {', '.join(self._holders())}"

    def probe(self, images: Tensor) -> dict[str, Tensor]:
        """The outputs that are read, of a few images: a cache compares them, whatever has changed.

        Args:
            images: A few of the real samples.
        """
        outputs = self.extractor(images)
        names = dict.fromkeys(holder.output for holder in self._holders().values())
        return {f"probe {name}": outputs[name] for name in names}

    def real_state(self) -> dict[str, Tensor]:
        """What all ranks keep of the real samples, for a cache; called on every rank."""
        state = {}
        for name, holder in self._holders().items():
            if "real" in holder.sets:
                with holder.sync_context():
                    state[name] = holder.kept("real")
        return state

    def load_real_state(self, state: Mapping[str, Tensor]) -> None:
        """Take what `real_state` gave in the place of updates with real samples; on one rank only.

        Raises:
            ValueError: If something is missing.
        """
        for name, holder in self._holders().items():
            if "real" in holder.sets:
                if name not in state:
                    raise ValueError(f"`state` must have '{name}', got {', '.join(state)}.")
                holder.load_real(state[name].to(holder.device))

    def _scores(
        self,
        metric: AbstractSetMetric,
        values: Value,
        numbers: Mapping[str, int],
        extractor: str,
    ) -> dict[str, Score]:
        values = (values,) if isinstance(values, Tensor) else values
        counts = ", ".join(f"{n:,} {name}" for name, n in numbers.items())
        arguments = f"{type(metric).__name__}({metric.arguments()})"
        protocol = f"{arguments}, {counts}, {extractor}"
        return {
            self._named(metric, name): Score(float(value), metric.direction(name), protocol)
            for name, value in zip(metric.names, values, strict=True)
        }

    def _named(self, metric: AbstractSetMetric, name: str) -> str:
        return full_name(self.extractor, metric, name)

    def _metrics(self) -> list[AbstractSetMetric]:
        return [metric for metric in self.metrics if isinstance(metric, AbstractSetMetric)]

    def _holders(self) -> dict[str, AbstractSetMetric]:
        """Where samples go: a store for each output, and the metrics that keep something else."""
        holders: dict[str, AbstractSetMetric] = {}
        for name, store in self._stores.items():
            assert isinstance(store, _Store)
            holders[name] = store
        for i, metric in enumerate(self._metrics()):
            if not metric.keeps_rows:
                holders[f"{type(metric).__name__} {i} {metric.output}"] = metric
        return holders


@final
class _Store(AbstractSetMetric):
    """The rows of one output, for all metrics that read it."""

    names = ()

    def __init__(self, output: str, sets: tuple[str, ...]) -> None:
        super().__init__(output=output)
        self.sets = sets

    def value(self, *sets: Tensor) -> Value:
        """Nothing: the metrics compute."""
        return ()


def _stores(metrics: Iterable[AbstractSetMetric]) -> dict[str, nn.Module]:
    keeping = [metric for metric in metrics if metric.keeps_rows]
    outputs = dict.fromkeys(metric.output for metric in keeping)
    return {
        f"rows_{output}": _Store(output, _union(m for m in keeping if m.output == output))
        for output in outputs
    }


def _union(metrics: Iterable[AbstractSetMetric]) -> tuple[str, ...]:
    wanted = {name for metric in metrics for name in metric.sets}
    return tuple(name for name in SETS if name in wanted)
