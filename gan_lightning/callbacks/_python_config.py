"""A config.yaml for a model built in Python, from which `gan_lightning.load` builds it again."""

import functools
import inspect
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import yaml
from jsonargparse import ArgumentParser
from torch import nn

from gan_lightning.callbacks._facts import class_path
from gan_lightning.families.base import AbstractGAN

__all__ = ["python_config"]

_HEADER = """\
# Written by the run recorder: the model was built in Python, so data and trainer are not in this
# file. `not_recorded` lists the arguments that have no plain form; `gan_lightning.load` is given
# the networks among them as `generator=`, `discriminator=` and `encoder=`.
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
    init_args: dict[str, Any] = {}
    not_recorded: dict[str, str] = {}
    for name in _accepted(type(module)):
        try:
            value = _plain(_argument(module, name))
        except TypeError as error:
            not_recorded[name] = str(error)
            continue
        if value != []:  # none of a kind (regularizers), which is the default
            init_args[name] = value
    model = {"class_path": class_path(type(module)), "init_args": init_args}
    config = {"model": model, **({"not_recorded": not_recorded} if not_recorded else {})}
    return _HEADER + yaml.safe_dump(config, sort_keys=False)


def _accepted(family: type[AbstractGAN]) -> list[str]:
    """Names of the family's arguments, those that it hands on to its bases included."""
    names = ArgumentParser().add_class_arguments(family, "model", fail_untyped=False)
    return [name.removeprefix("model.") for name in names]


def _argument(module: AbstractGAN, name: str) -> Any:
    """What an argument was: a hyperparameter, or else the module's attribute of the same name."""
    if name in module.hparams:
        return module.hparams[name]
    try:
        return getattr(module, name)
    except AttributeError:
        raise TypeError("kept by the family under another name") from None


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
    if not isinstance(value, nn.Module):  # foreign networks hold weights, and are given to `load`
        return {"class_path": class_path(type(value)), "init_args": _attributes(value)}
    raise TypeError(class_path(type(value)))


def _attributes(value: object) -> dict[str, Any]:
    """The constructor's arguments of a regularizer or the like, which keeps them by their names."""
    try:
        parameters = inspect.signature(type(value)).parameters.values()
        if any(p.kind in (p.VAR_POSITIONAL, p.POSITIONAL_ONLY) for p in parameters):
            raise TypeError
        return {p.name: _plain(getattr(value, p.name)) for p in parameters}
    except (AttributeError, TypeError, ValueError):
        raise TypeError(class_path(type(value))) from None
