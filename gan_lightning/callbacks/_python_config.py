"""A config.yaml for a model built in Python, from which `gan_lightning.load` builds it again."""

import functools
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import yaml
from jsonargparse import ArgumentParser

from gan_lightning.callbacks._facts import class_path
from gan_lightning.families.base import AbstractGAN

__all__ = ["python_config"]

_HEADER = """\
# Written by the run recorder: the model was built in Python, so data and trainer are not in this
# file. `not_recorded` lists the arguments that have no plain form; `gan_lightning.load` is given
# the networks among them as `generator=` and `discriminator=`.
"""


@runtime_checkable
class _Recorded(Protocol):
    """A network that knows how it was built."""

    recorded: dict[str, Any]


def python_config(module: AbstractGAN) -> str:
    """Write down how a model was built.

    Args:
        module: the family.

    Returns:
        YAML with ``model`` (``class_path`` and ``init_args``) and, if some arguments have no plain
        form, ``not_recorded``.
    """
    objects: dict[str, Any] = {
        "generator": module.generator,
        "discriminator": module.discriminator,
        "generator_optimizer": module.generator_optimizer,
        "discriminator_optimizer": module.discriminator_optimizer,
        "regularizers": module.regularizers,
        "generator_scheduler": module.generator_scheduler,
        "discriminator_scheduler": module.discriminator_scheduler,
    }
    init_args: dict[str, Any] = {}
    not_recorded: dict[str, str] = {}
    given = {**module.hparams, **objects}
    for name in _accepted(type(module)):
        if name not in given or given[name] == ():
            continue
        try:
            init_args[name] = _plain(given[name])
        except TypeError as error:
            not_recorded[name] = str(error)
    model = {"class_path": class_path(type(module)), "init_args": init_args}
    config = {"model": model, **({"not_recorded": not_recorded} if not_recorded else {})}
    return _HEADER + yaml.safe_dump(config, sort_keys=False)


def _accepted(family: type[AbstractGAN]) -> list[str]:
    """Names of the family's arguments, those that it hands on to its bases included."""
    names = ArgumentParser().add_class_arguments(family, "model", fail_untyped=False)
    return [name.removeprefix("model.") for name in names]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, type):
        return {"class_path": class_path(value)}
    if isinstance(value, functools.partial) and isinstance(value.func, type) and not value.args:
        return {"class_path": class_path(value.func), "init_args": _plain(value.keywords)}
    if isinstance(value, _Recorded) and value.recorded:
        return value.recorded
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    raise TypeError(class_path(type(value)))
