"""`gan-lightning evaluate`: scores of a run, of a folder of images or of arrays."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import Tensor
from tqdm import tqdm

from gan_lightning import __version__
from gan_lightning._cli.closing import meaning
from gan_lightning._cli.evaluation_choice import Sets, choose_suite
from gan_lightning._cli.evaluation_sets import (
    DATA_SETS,
    Sampled,
    SampleSet,
    accepts,
    open_set,
    set_of_run,
)
from gan_lightning.loading import load
from gan_lightning.metrics.score import Score
from gan_lightning.metrics.suite import MetricSuite
from gan_lightning.runs import RunDirectory, write_atomically

__all__ = ["evaluate"]

_CHUNK = 250
_MOST = 10_000


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
    suite = choose_suite(options, sets).to(device)
    for of, what in zip(sets, ("Real samples", "Samples", "Held-out samples"), strict=True):
        if of is None:
            continue
        chunks = tqdm(of.chunks(_CHUNK), what, -(-of.number // _CHUNK), leave=False, delay=3.0)
        for i, rows in enumerate(chunks):
            here = {name: x.to(device) for name, x in rows.items()}
            # Numbered as during training, so that the same samples give the same numbers.
            index = torch.arange(i * _CHUNK, i * _CHUNK + len(next(iter(here.values()))))
            _update(suite, here, index, real=of is sets.real, test=of is sets.test)
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


def _sets(options: Namespace, device: str) -> Sets:
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
        return Sets(real, fake, None)
    test = _opened(options.test, options, None if fake.outputs else fake.shape)
    if test.name == real.name:
        raise ValueError(
            f"`--test` must be held out from the real samples, got the same ones: {test.name}."
        )
    return Sets(real, fake, test)


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


def _check_sets(sets: Sets) -> None:
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


def _update(
    suite: MetricSuite, rows: dict[str, Tensor], index: Tensor, *, real: bool, test: bool
) -> None:
    if "samples" in rows:
        suite.update(rows["samples"], real=real, test=test, index=index, distinct=True)
    else:
        suite.update_outputs(
            rows, real=real, test=test
        )  # given digits decide, not the file's order


def _report(scores: dict[str, Score], sets: Sets) -> dict[str, Any]:
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


def _show(scores: dict[str, Score], sets: Sets) -> None:
    table = Table(title=Text(sets.words), title_justify="left")
    for column in ("score", "value", "what it says"):
        table.add_column(column, overflow="fold")
    for name, score in scores.items():
        table.add_row(Text(name), f"{float(score):.4g}", meaning(name))
    Console().print(table)
