"""Which extractor and which metrics `gan-lightning evaluate` takes."""

from __future__ import annotations

import importlib
import inspect
from argparse import Namespace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gan_lightning import metrics
from gan_lightning._cli.evaluation_sets import SampleSet
from gan_lightning.metrics import extractors
from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.defaults import default_extractor, suite_for
from gan_lightning.metrics.suite import MetricSuite

__all__ = ["Sets", "choose_suite"]

_EXTRACTORS = {
    "inception": "InceptionExtractor",
    "digits": "DigitsClassifier",
    "fashion_mnist": "FashionClassifier",
    "pixels": "PixelExtractor",
    "random_conv": "RandomConvExtractor",
}


_TORCHSCRIPT = (".pt", ".ts")
# What takes images and brings Inception along, and what is the same number in a suite.
_CARRYING = {"FID": "FrechetDistance", "KID": "KernelDistanceSubsets", "IS": "InceptionScore"}


class Sets(NamedTuple):
    real: SampleSet
    fake: SampleSet
    test: SampleSet | None

    @property
    def words(self) -> str:
        held_out = "" if self.test is None else f", held out: {self.test.name}"
        return f"{self.fake.name} against {self.real.name}{held_out}"


def choose_suite(options: Namespace, sets: Sets) -> MetricSuite:
    extractor = _extractor(options, sets)
    if options.metrics is None:
        suite = suite_for(extractor, min(sets.real.number, sets.fake.number))
    else:
        chosen = [
            _metric(name.strip(), extractor, sets, has_test=options.test is not None)
            for name in options.metrics.split(",")
        ]
        suite = MetricSuite(extractor, chosen)
    if options.test is not None and "test" not in suite.sets:
        raise ValueError(
            f"`--test` must go with `--metrics` that need it, such as DataCopying, got "
            f"'{options.metrics or 'the usual ones'}'."
        )
    return suite


def _metric(
    name: str, extractor: extractors.AbstractExtractor, sets: Sets, *, has_test: bool
) -> AbstractSetMetric:
    if name in _CARRYING:
        raise ValueError(
            f"`--metrics` must be without {name}, which takes images and carries Inception itself: "
            f"{_CARRYING[name]} with `--extractor inception` is {name}."
        )
    known = {one: kind for one in metrics.__all__ if (kind := _kind(one)) is not None}
    if name not in known:
        offered = [one for one, kind in known.items() if has_test or "test" not in kind.sets]
        simple = [one for one in offered if one == "ClassCoverage" or not _required(known[one])]
        raise ValueError(f"`--metrics` must be of {', '.join(simple)}, got '{name}'.")
    if "test" in known[name].sets and not has_test:
        raise ValueError(f"`--metrics` must go with `--test`, held-out samples, for {name}.")
    arguments = {}
    if name == "ClassCoverage":
        arguments["num_classes"] = _num_classes(extractor, sets.fake.shape)
    elif missing := _required(known[name]):
        raise ValueError(
            f"`--metrics` must need no arguments of their own, got '{name}', which needs "
            f"{' and '.join(missing)}; use it in Python."
        )
    metric: AbstractSetMetric = known[name](**arguments)
    if metric.output not in extractor.outputs:
        raise ValueError(
            f"`--metrics` must read what there is of each set ({', '.join(extractor.outputs)}), "
            f"got '{name}', which reads {metric.output}."
        )
    return metric


def _kind(name: str) -> Any:
    """The class of a metric that can be chosen, else None."""
    kind = getattr(metrics, name)
    chosen = isinstance(kind, type) and issubclass(kind, AbstractSetMetric)
    return kind if chosen and not inspect.isabstract(kind) and name not in _CARRYING else None


def _required(kind: Any) -> list[str]:
    """Arguments without a default."""
    rest = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(kind).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind not in rest]


def _num_classes(extractor: extractors.AbstractExtractor, shape: tuple[int, ...]) -> int:
    known = getattr(extractor, "num_classes", None)
    if known is None and "logits" in extractor.outputs:
        known = extractor(torch.zeros(1, *shape))["logits"].shape[1]
    return int(known or 0)  # without logits the metric is refused for its output


def _extractor(options: Namespace, sets: Sets) -> extractors.AbstractExtractor:
    name = options.extractor
    values = (options.weights, options.resize, options.download or None)
    ours = zip(("--weights", "--resize", "--download"), values, strict=True)
    given = [option for option, value in ours if value is not None]
    if sets.fake.outputs:
        if name is not None or given:
            raise ValueError(
                f"`{given[0] if name is None else '--extractor'}` must be left out for features, "
                f"which were made elsewhere, as in '{sets.fake.name}'."
            )
        return _Given(sets)
    if given and name not in (None, "inception"):
        raise ValueError(f"`{given[0]}` must go with `--extractor inception`, got '{name}'.")
    if given or name == "inception":
        return extractors.InceptionExtractor(
            options.weights, resize=options.resize or "tf1", download=options.download
        )
    if name is None:
        return default_extractor(sets.real.kind, sets.fake.shape)
    if name in _EXTRACTORS:
        made: extractors.AbstractExtractor = getattr(extractors, _EXTRACTORS[name])()
        return made
    if Path(name).suffix.lower() in _TORCHSCRIPT:
        return _torchscript(name)
    return _imported(name)


def _torchscript(name: str) -> extractors.AbstractExtractor:
    try:
        return extractors.TorchScriptExtractor(name)
    except RuntimeError as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"`--extractor` must be a TorchScript file, got '{name}': {reason}"
        ) from error


def _imported(name: str) -> extractors.AbstractExtractor:
    """An extractor of the class at an import path."""
    module, _, attribute = name.rpartition(".")
    kind: Any = None
    reason = ""
    if module and all(part.isidentifier() for part in name.split(".")):
        try:
            kind = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            reason = f" ({error})"
    fits = isinstance(kind, type) and issubclass(kind, extractors.AbstractExtractor)
    if not fits or inspect.isabstract(kind) or _required(kind):
        raise ValueError(
            f"`--extractor` must be one of {', '.join(_EXTRACTORS)}, the import path of an "
            "AbstractExtractor that needs no arguments, or a TorchScript file (.pt, .ts), got "
            f"'{name}'{reason}."
        )
    made: extractors.AbstractExtractor = kind()
    return made


class _Given(extractors.AbstractExtractor):
    """What was extracted elsewhere, as far as all sets have it."""

    name = "features"

    def __init__(self, sets: Sets) -> None:
        super().__init__()
        others = [of.outputs for of in sets if of is not None]
        self._outputs = tuple(k for k in sets.fake.outputs if all(k in has for has in others))
        self.num_classes = sets.fake.num_classes

    @property
    def own_outputs(self) -> tuple[str, ...]:
        return self._outputs

    @property
    def outputs(self) -> tuple[str, ...]:
        return self._outputs

    @property
    def protocol(self) -> str:
        return "made elsewhere"

    def extract(self, x: Tensor) -> dict[str, Tensor]:
        raise NotImplementedError  # nothing is extracted here
