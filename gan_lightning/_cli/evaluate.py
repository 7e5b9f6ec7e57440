"""`gan-lightning evaluate`: scores of a run, of a folder of images or of arrays."""

from __future__ import annotations

import importlib
import inspect
import json
from argparse import Namespace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import Tensor
from tqdm import tqdm

from gan_lightning import __version__, metrics
from gan_lightning._cli.closing import meaning
from gan_lightning._cli.evaluation_sets import (
    DATA_SETS,
    Sampled,
    SampleSet,
    accepts,
    open_set,
    set_of_run,
)
from gan_lightning.loading import load
from gan_lightning.metrics import extractors
from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.defaults import default_extractor, suite_for
from gan_lightning.metrics.score import Score
from gan_lightning.metrics.suite import MetricSuite
from gan_lightning.runs import RunDirectory, write_atomically

__all__ = ["evaluate"]

_CHUNK = 250
_MOST = 10_000

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


class _Sets(NamedTuple):
    real: SampleSet
    fake: SampleSet
    test: SampleSet | None

    @property
    def words(self) -> str:
        held_out = "" if self.test is None else f", held out: {self.test.name}"
        return f"{self.fake.name} against {self.real.name}{held_out}"


def evaluate(options: Namespace) -> int:
    """Compare two sets, print a table and write a JSON file.

    Args:
        options: As parsed by the front door.

    Returns:
        The exit status, 0.

    Raises:
        ValueError: If an option does not fit, the sets do not fit each other, or the output exists.
        FileNotFoundError: If something is missing.
    """
    out = _out(options)
    _check_options(options)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    sets = _sets(options, device)
    _check_sets(sets)
    suite = _suite(options, sets).to(device)
    for of, what in zip(sets, ("Real samples", "Samples", "Held-out samples"), strict=True):
        if of is None:
            continue
        for rows in tqdm(of.chunks(_CHUNK), what, -(-of.number // _CHUNK), leave=False, delay=3.0):
            here = {name: x.to(device) for name, x in rows.items()}
            _update(suite, here, real=of is sets.real, test=of is sets.test)
    scores = suite.compute()
    _show(scores, sets)
    write_atomically(out, json.dumps(_report(scores, sets), indent=2) + "\n")
    print(f"wrote {out}")
    return 0


def _out(options: Namespace) -> Path:
    """The file to write, which can be written as far as one can see."""
    run = RunDirectory(options.target)
    out = run.path / "evaluation.json" if run.config.is_file() else Path("evaluation.json")
    out = out if options.out is None else Path(options.out)
    if out.is_dir():
        raise ValueError(f"`--out` must be a file, got the folder '{out}'.")
    if out.exists() and not options.overwrite:
        raise ValueError(f"`--out` must not exist without --overwrite, got '{out}', which does.")
    above = next(parent for parent in out.absolute().parents if parent.exists())
    if not above.is_dir():
        raise ValueError(f"`--out` must lie in a folder, got '{out}' in the file '{above}'.")
    return out


def _check_options(options: Namespace) -> None:
    """Refuse what no data set would read."""
    named = [source for source in (options.against, options.test) if source in DATA_SETS]
    for option in ("root", "split"):
        value = getattr(options, option)
        able = [source for source in named if accepts(source, option)]
        # A root serves whom it may; a split that is not read would be another set than was asked.
        if value is not None and (not able or (option == "split" and able != named)):
            raise ValueError(
                f"`--{option}` must go with data sets in `--against` or `--test` that take one, "
                f"got '{value}' and {' and '.join(named) or 'no data set'}."
            )


def _sets(options: Namespace, device: str) -> _Sets:
    run = RunDirectory(options.target)
    if run.config.is_file():
        real, fake = _run_and_real(options, run, device)
    elif options.against is None:
        raise ValueError(
            f"`--against` must name the real samples for '{options.target}', which is no run "
            "directory: a data set, a folder of images, an .npz or a .safetensors file."
        )
    else:
        fake = open_set(options.target, options.number)
        real = _opened(options.against, options, None if fake.outputs else fake.shape)
    if options.test is None:
        return _Sets(real, fake, None)
    test = _opened(options.test, options, None if fake.outputs else fake.shape)
    if test.name == real.name:
        raise ValueError(
            f"`--test` must be held out from the real samples, got the same ones: {test.name}."
        )
    return _Sets(real, fake, test)


def _run_and_real(
    options: Namespace, run: RunDirectory, device: str
) -> tuple[SampleSet, SampleSet]:
    name = None if options.checkpoint == "last" else options.checkpoint
    model = load(run.path, checkpoint=name).to(device)
    if options.against is None:
        real = set_of_run(run, options.number or _MOST)
    else:
        shape = tuple((run.read_run().get("data_facts") or {}).get("image_shape") or ())
        real = _opened(options.against, options, shape or None)
    number = options.number or min(_MOST, real.number)
    if number > real.number:
        raise ValueError(
            f"`--number` must be at most the {real.number:,} real samples there are, got {number}."
        )
    of = f"{number:,} samples of {run.path} ({options.checkpoint})"
    return real, Sampled(of, number, model, options.seed, real)


def _opened(source: str, options: Namespace, like: tuple[int, ...] | None) -> SampleSet:
    return open_set(source, options.number, root=options.root, split=options.split, like=like)


def _check_sets(sets: _Sets) -> None:
    fake = sets.fake
    for option, of in (("--against", sets.real), ("--test", sets.test)):
        if of is None:
            continue
        if bool(of.outputs) != bool(fake.outputs):
            kinds = ["features" if one.outputs else "images or points" for one in (of, fake)]
            raise ValueError(
                f"`{option}` must hold what the target holds, got {kinds[0]} in '{of.name}' "
                f"and {kinds[1]} in '{fake.name}'."
            )
        if of.shape[:1] != fake.shape[:1]:
            raise ValueError(
                f"`{option}` must hold samples of {fake.shape[0]} channels or features as the "
                f"target does, got {of.shape[0]} in '{of.name}'."
            )


def _suite(options: Namespace, sets: _Sets) -> MetricSuite:
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
    name: str, extractor: extractors.AbstractExtractor, sets: _Sets, *, has_test: bool
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
    metric = known[name](**arguments)
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


def _extractor(options: Namespace, sets: _Sets) -> extractors.AbstractExtractor:
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

    def __init__(self, sets: _Sets) -> None:
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


def _update(suite: MetricSuite, rows: dict[str, Tensor], *, real: bool, test: bool) -> None:
    if "samples" in rows:
        suite.update(rows["samples"], real=real, test=test)
    else:
        suite.update_outputs(rows, real=real, test=test)


def _report(scores: dict[str, Score], sets: _Sets) -> dict[str, Any]:
    named = zip(("fake", "real", "test"), (sets.fake, sets.real, sets.test), strict=True)
    return {
        **{key: {"name": of.name, "samples": of.number} for key, of in named if of is not None},
        "gan_lightning": __version__,
        "scores": {
            name: {
                "value": float(score) if float(score) - float(score) == 0 else None,
                "higher_is_better": score.higher_is_better,
                "protocol": f"{score.protocol}, {sets.words}",
            }
            for name, score in scores.items()
        },
    }


def _show(scores: dict[str, Score], sets: _Sets) -> None:
    table = Table(title=Text(sets.words), title_justify="left")
    for column in ("score", "value", "what it says"):
        table.add_column(column, overflow="fold")
    for name, score in scores.items():
        table.add_row(Text(name), f"{float(score):.4g}", meaning(name))
    Console().print(table)
