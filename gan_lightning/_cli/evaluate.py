"""`gan-lightning evaluate`: scores of a run, of a folder of images or of arrays."""

from __future__ import annotations

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
from gan_lightning._cli.evaluation_sets import Sampled, SampleSet, open_set, set_of_run
from gan_lightning.loading import load
from gan_lightning.metrics import extractors
from gan_lightning.metrics.base import AbstractSetMetric
from gan_lightning.metrics.defaults import default_extractor, suite_for
from gan_lightning.metrics.suite import MetricSuite, Score
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


class _Pair(NamedTuple):
    real: SampleSet
    fake: SampleSet


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
    if out.exists() and not options.overwrite:
        raise ValueError(f"`--out` must not exist without --overwrite, got '{out}', which does.")
    pair = _sets(options)
    _check_pair(pair)
    suite = _suite(options, pair)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    suite.to(device)
    for of, kind in ((pair.real, True), (pair.fake, False)):
        what = "Real samples" if kind else "Samples"
        chunks = of.chunks(_CHUNK)
        for x in tqdm(chunks, what, -(-of.number // _CHUNK), leave=False, delay=3.0):
            _update(suite, x.to(device), real=kind, features=of.features)
    scores = suite.compute()
    _show(scores, pair)
    write_atomically(out, json.dumps(_report(scores, pair), indent=2) + "\n")
    print(f"wrote {out}")
    return 0


def _out(options: Namespace) -> Path:
    if options.out is not None:
        return Path(options.out)
    run = RunDirectory(options.target)
    return run.path / "evaluation.json" if run.config.is_file() else Path("evaluation.json")


def _sets(options: Namespace) -> _Pair:
    run = RunDirectory(options.target)
    if not run.config.is_file():
        if options.against is None:
            raise ValueError(
                f"`--against` must name the real samples for '{options.target}', which is no run "
                "directory: a data set, a folder of images, an .npz or a .safetensors file."
            )
        fake = open_set(options.target, options.number, root=None, like=None)
        return _Pair(_against(options, fake), fake)
    name = None if options.checkpoint == "last" else options.checkpoint
    model = load(run.path, checkpoint=name)
    if options.against is None:
        real = set_of_run(run, options.number or _MOST)
    else:
        shape = tuple((run.read_run().get("data_facts") or {}).get("image_shape") or ())
        real = open_set(options.against, options.number, options.root, shape or None)
    number = options.number or min(_MOST, real.number)
    of = f"{number:,} samples of {run.path} ({options.checkpoint})"
    return _Pair(real, Sampled(of, number, model, options.seed, real.labels))


def _against(options: Namespace, fake: SampleSet) -> SampleSet:
    return open_set(
        options.against, options.number, options.root, None if fake.features else fake.shape
    )


def _check_pair(pair: _Pair) -> None:
    if pair.real.features != pair.fake.features:
        kinds = ["features" if of.features else "images or points" for of in pair]
        raise ValueError(
            f"`--against` must hold what the target holds, got {kinds[0]} in '{pair.real.name}' "
            f"and {kinds[1]} in '{pair.fake.name}'."
        )
    if pair.real.shape[:1] != pair.fake.shape[:1]:
        raise ValueError(
            f"`--against` must hold samples of {pair.fake.shape[0]} channels or features as the "
            f"target does, got {pair.real.shape[0]} in '{pair.real.name}'."
        )


def _suite(options: Namespace, pair: _Pair) -> MetricSuite:
    extractor = _extractor(options, pair)
    if options.metrics is None:
        return suite_for(extractor, min(of.number for of in pair))
    chosen = []
    for name in options.metrics.split(","):
        kind = getattr(metrics, name, None) if name in metrics.__all__ else None
        if not (isinstance(kind, type) and issubclass(kind, AbstractSetMetric)):
            known = ", ".join(n for n in metrics.__all__ if _is_metric(n))
            raise ValueError(f"`--metrics` must be of {known}, got '{name}'.")
        try:
            chosen.append(kind())
        except TypeError as error:
            raise ValueError(
                f"`--metrics` must need no arguments of their own, got '{name}'; use it in Python."
            ) from error
    return MetricSuite(extractor, chosen)


def _is_metric(name: str) -> bool:
    kind = getattr(metrics, name)
    return isinstance(kind, type) and issubclass(kind, AbstractSetMetric)


def _extractor(options: Namespace, pair: _Pair) -> extractors.AbstractExtractor:
    if pair.fake.features:
        return _Given()
    if options.extractor is None:
        return default_extractor(pair.real.kind, pair.fake.shape)
    if options.extractor not in _EXTRACTORS:
        raise ValueError(
            f"`--extractor` must be one of {', '.join(_EXTRACTORS)}, got '{options.extractor}'."
        )
    if options.extractor == "inception":
        return extractors.InceptionExtractor(
            options.weights, resize=options.resize, download=options.download
        )
    kind: Any = getattr(extractors, _EXTRACTORS[options.extractor])
    made: extractors.AbstractExtractor = kind()
    return made


class _Given(extractors.AbstractExtractor):
    """Features that were made elsewhere."""

    name = "features"

    @property
    def own_outputs(self) -> tuple[str, ...]:
        return "features", "logits"

    @property
    def protocol(self) -> str:
        return "made elsewhere"

    def extract(self, x: Tensor) -> dict[str, Tensor]:
        return {"features": x, "logits": x}


def _update(suite: MetricSuite, x: Tensor, *, real: bool, features: bool) -> None:
    if features:
        suite.update_outputs({"features": x, "logits": x}, real=real)
    else:
        suite.update(x, real=real)


def _report(scores: dict[str, Score], pair: _Pair) -> dict[str, Any]:
    return {
        "fake": {"name": pair.fake.name, "samples": pair.fake.number},
        "real": {"name": pair.real.name, "samples": pair.real.number},
        "gan_lightning": __version__,
        "scores": {
            name: {
                "value": float(score) if float(score) - float(score) == 0 else None,
                "higher_is_better": score.higher_is_better,
                "protocol": score.protocol,
            }
            for name, score in scores.items()
        },
    }


def _show(scores: dict[str, Score], pair: _Pair) -> None:
    table = Table(title=f"{pair.fake.name}, against {pair.real.name}", title_justify="left")
    for column in ("score", "value", "what it says"):
        table.add_column(column, overflow="fold")
    for name, score in scores.items():
        table.add_row(Text(name), f"{float(score):.4g}", meaning(name))
    Console().print(table)
