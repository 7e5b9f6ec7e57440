"""Build the model of a run directory again, weights included."""

import copy
import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser, Namespace
from torch import nn

from gan_lightning.families.base import AbstractGAN, read_checkpoint
from gan_lightning.runs import RunDirectory

__all__ = ["load"]

_KEY = "gan_lightning"
_NETWORKS = ("generator", "discriminator", "encoder")
_STEP = re.compile(r"step=(\d+)\.ckpt")


def load(
    run_dir: str | Path,
    *,
    checkpoint: str | Path | None = None,
    generator: nn.Module | None = None,
    discriminator: nn.Module | None = None,
    encoder: nn.Module | None = None,
) -> AbstractGAN:
    """Build the model of a run directory and load its weights.

    Args:
        run_dir: a folder with config.yaml, run.json and checkpoints, as a fit leaves it.
        checkpoint: a checkpoint file, or the name of one in ``run_dir/checkpoints``; None: the last
            one.
        generator: the generator, for a run whose networks the run directory cannot describe; its
            weights are overwritten.
        discriminator: the same for the discriminator.
        encoder: the same for the encoder of a family that has one.

    Returns:
        The model on the CPU, in evaluation mode.

    Raises:
        FileNotFoundError: if the folder, its config.yaml or the checkpoint does not exist.
        ValueError: if the configuration does not describe a model, networks have to be given, or
            the checkpoint is corrupt or belongs to another family or other networks.

    Example::

        model = gan_lightning.load("runs/digits")
        images = model.sample(64, seed=0)
    """
    run = RunDirectory(run_dir)
    networks = {"generator": generator, "discriminator": discriminator, "encoder": encoder}
    given = {name: network for name, network in networks.items() if network is not None}
    module = _build(run, given)
    file = _checkpoint(run, checkpoint)
    _fill(module, _read(file), file)
    return module.eval()


def _build(run: RunDirectory, given: Mapping[str, nn.Module]) -> AbstractGAN:
    """Instantiate the model that config.yaml describes."""
    config = run.read_config()
    model = copy.deepcopy(config.get("model"))
    if not isinstance(model, dict) or not isinstance(model.get("class_path"), str):
        raise ValueError(
            f"'{run.config}' must describe a `model` with a `class_path`, got {model!r}."
        )
    facts = dict(run.read_run().get("data_facts") or {}) if run.run_json.exists() else {}
    model["init_args"] = {**(model.get("init_args") or {})}
    _refuse_unknown_networks(run, model, given, config.get("not_recorded") or {})
    _fill_facts(run, model, {k: v for k, v in facts.items() if v is not None}, given)
    parser = ArgumentParser(exit_on_error=False)
    # Not `add_subclass_arguments`: that one wraps every error in a union with None.
    parser.add_argument("--model", type=AbstractGAN, required=True)
    try:
        module = _instantiate(parser, parser.parse_object({"model": model})).model
    except (ArgumentError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"'{run.config}' must describe a `model` that can be built: {reason}"
        ) from error
    assert isinstance(module, AbstractGAN)  # jsonargparse has checked it
    return module


def _refuse_unknown_networks(
    run: RunDirectory,
    model: Mapping[str, Any],
    given: Mapping[str, nn.Module],
    not_recorded: Mapping[str, str],
) -> None:
    """Ask for networks that the configuration does not describe; refuse what is not wanted."""
    accepted, init_args = _accepted(run, model["class_path"]), model["init_args"]
    for name in _NETWORKS:
        if name in given and name not in accepted:
            raise ValueError(
                f"`{name}` must be left out for {model['class_path']}, which takes none."
            )
        unknown = init_args.get(name) is None and (name != "encoder" or name in not_recorded)
        if name in accepted and name not in given and unknown:
            raise ValueError(
                f"`{name}` must be given to `load` for '{run.path}', because it was built in "
                "Python in a way that config.yaml cannot describe."
            )


def _fill_facts(
    run: RunDirectory, model: dict[str, Any], facts: dict[str, Any], given: Mapping[str, nn.Module]
) -> None:
    """Put in what links filled in when the run began: config.yaml holds no linked arguments."""
    accepted, init_args = _accepted(run, model["class_path"]), model["init_args"]
    _fill_missing(accepted, init_args, facts)
    if "latent_dim" in init_args:
        facts = {**facts, "latent_dim": init_args["latent_dim"]}
    for name in _NETWORKS:
        if name in given:
            init_args[name] = given[name]
        elif isinstance(network := init_args.get(name), dict):
            network["init_args"] = {**(network.get("init_args") or {})}
            names = _accepted(run, network["class_path"])
            _fill_missing(names, network["init_args"], facts)


def _fill_missing(accepted: list[str], init_args: dict[str, Any], facts: dict[str, Any]) -> None:
    for name in accepted:
        if name in facts and init_args.get(name) is None:
            init_args[name] = facts[name]


def _accepted(run: RunDirectory, class_path: str) -> list[str]:
    """Names of a class's arguments, those that it hands on to its bases included."""
    parser = ArgumentParser(exit_on_error=False)
    module, _, name = class_path.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"'{run.config}' must name classes that can be imported, got '{class_path}' ({error})."
        ) from error
    names = parser.add_class_arguments(cls, "of", fail_untyped=False)
    return [name.removeprefix("of.") for name in names]


def _instantiate(parser: ArgumentParser, config: Namespace) -> Any:
    # jsonargparse 4.49 renamed the method and deprecated the old name.
    instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes
    return instantiate(config)


def _checkpoint(run: RunDirectory, checkpoint: str | Path | None) -> Path:
    if checkpoint is not None:
        for file in (Path(checkpoint), run.checkpoints / checkpoint):
            if file.is_file():
                return file
        raise FileNotFoundError(f"`checkpoint` must be an existing file, got '{checkpoint}'.")
    if run.last_checkpoint.is_file():
        return run.last_checkpoint
    found = [(m, f) for f in run.checkpoints.glob("*.ckpt") if (m := _STEP.fullmatch(f.name))]
    if not found:
        raise FileNotFoundError(
            f"`run_dir` must hold a checkpoint, got '{run.path}', which has none in checkpoints/."
        )
    return max(found, key=lambda pair: int(pair[0][1]))[1]


def _read(file: Path) -> dict[str, Any]:
    checkpoint = read_checkpoint(file)
    if _KEY not in checkpoint:
        raise ValueError(f"`checkpoint` must be one of gan_lightning's, got '{file}'.")
    return checkpoint


def _fill(module: AbstractGAN, checkpoint: dict[str, Any], file: Path) -> None:
    family = type(module).__name__
    saved = checkpoint[_KEY]["family"]
    if saved != family:
        raise ValueError(
            f"`checkpoint` must be of the family {family}, as config.yaml says, got '{file}' of "
            f"the family {saved}."
        )
    try:
        module.load_state_dict(checkpoint["state_dict"])
    except RuntimeError as error:
        # torch lists every key; the first says what kind of difference it is.
        reason = " ".join(" ".join(str(error).splitlines()[1:2]).split())
        raise ValueError(
            f"`checkpoint` must hold the weights of the networks that config.yaml describes, "
            f"got '{file}': {reason}"
        ) from error
    module.on_load_checkpoint(checkpoint)
