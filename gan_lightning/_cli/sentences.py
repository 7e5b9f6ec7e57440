"""jsonargparse's messages as one sentence, with the nearest name for a mistyped one.

The messages are trees of lines: which class was tried, which of its arguments, what was wrong with
it. The one complaint that the user can act on is looked for, from the most to the least telling.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator, Sequence
from importlib import import_module
from types import FunctionType
from typing import Any

import lightning
from jsonargparse import ArgumentParser
from lightning.pytorch.core import LightningDataModule

from gan_lightning.cli.errors import PROG, did_you_mean
from gan_lightning.families.base import AbstractGAN

__all__ = ["explain"]

_OWNER = re.compile(r"class_path '([\w.]+)'|Namespace\(class_path='([\w.]+)'")
_KEY = re.compile(r'Parser key "([\w.]+)"')
_OPTION = re.compile(r"(?:Option|[Kk]ey) '([\w.+-]+)' is not (?:accepted|expected)")
_GROUP_OPTION = re.compile(r"'([\w.]+)' does not accept (?:option|nested key) '([\w.+-]+)'")
_NAME = re.compile(r"Expected a dot import path string: ([\w.]+)")
_NO_CLASS = re.compile(r"class_path '([\w.]+)'")
_NOT_FOUND = re.compile(r"has no attribute|No module named|[Uu]nable to import")
_TYPE = re.compile(r"Expected an? (.+?)\. Got value: (.+)")
_REQUIRED = re.compile(r"the following arguments are required: ([\w., ]+)")
_UNKNOWN = re.compile(r"unrecognized arguments: (\S+)")


def explain(message: str, options: Sequence[str]) -> str:
    """Say in one sentence what is wrong.

    Args:
        message: jsonargparse's, of many lines.
        options: the options of the command, in full.

    Returns:
        The sentence.
    """
    lines = _Lines(message)
    for attempt in (_unknown, _option, _class_name, _wrong_type, _missing):
        sentence = attempt(lines, options)
        if sentence:
            return sentence
    return _plain(message)


class _Lines:
    """A message with, for any place in it, the key and the class that it speaks of."""

    def __init__(self, message: str) -> None:
        self.text = message
        self.lines = [line for line in message.splitlines() if line.strip()]

    def find(self, pattern: re.Pattern[str]) -> list[tuple[int, re.Match[str]]]:
        """The lines where it matches; the deepest first, for it is the most telling."""
        found = [(i, m) for i, line in enumerate(self.lines) if (m := pattern.search(line))]
        return sorted(found, key=lambda item: -self.depth(item[0]))

    def depth(self, i: int) -> int:
        line = self.lines[i]
        return len(line) - len(line.lstrip(" -"))

    def above(self, i: int) -> Iterator[int]:
        """Line i and the lines it hangs from, upwards."""
        depth = self.depth(i)
        yield i
        for j in range(i - 1, -1, -1):
            if self.depth(j) < depth:
                depth = self.depth(j)
                yield j

    def owner(self, i: int) -> type | None:
        """The class that line i speaks of."""
        for j in self.above(i):
            found = _OWNER.search(self.lines[j])
            if found:
                return _load(found[1] or found[2])
        return None

    def keys(self, i: int) -> list[str]:
        """The keys from line i outwards."""
        return [found[1] for j in self.above(i) if (found := _KEY.search(self.lines[j]))]


def _unknown(lines: _Lines, options: Sequence[str]) -> str | None:
    found = _UNKNOWN.search(lines.text)
    if not found:
        return None
    option = found[1].split("=")[0]
    if not option.startswith("-"):
        return f"`{PROG} fit` takes options only, got '{found[1]}'"
    return f"`{PROG} fit` has no option '{option}'{did_you_mean(option, options)}"


def _option(lines: _Lines, options: Sequence[str]) -> str | None:
    for i, match in lines.find(_OPTION):
        owner, option = lines.owner(i), match[1]
        if owner is not None and owner is not lightning.Callback:
            hint = did_you_mean(option, _arguments(owner))
            return f"{owner.__name__} has no argument '{option}'{hint}"
    for _, match in lines.find(_GROUP_OPTION):
        prefix = f"--{match[1]}." if f"--{match[1]}" not in options and match[1] != "fit" else "--"
        where = "the configuration" if prefix == "--" else f"`{match[1]}`"
        known = [name.removeprefix(prefix) for name in options if name.startswith(prefix)]
        return f"{where} has no key '{match[2]}'{did_you_mean(match[2], known)}"
    return None


def _class_name(lines: _Lines, options: Sequence[str]) -> str | None:
    found = [(i, match[1]) for i, match in lines.find(_NAME)]
    for i, _ in lines.find(_NOT_FOUND):
        of = [match[1] for j in lines.above(i) if (match := _NO_CLASS.search(lines.lines[j]))]
        found += [(i, name) for name in of[:1] if _load(name) is None]
    for i, name in found:
        keys = lines.keys(i)
        if keys:
            bases = _bases_of(lines.owner(i), keys[0])
            hint = did_you_mean(name.rsplit(".", 1)[-1], _subclasses(bases))
            return f"`{keys[0]}` must be the name of a class, got '{name}'{hint}"
    return None


def _wrong_type(lines: _Lines, options: Sequence[str]) -> str | None:
    for i, match in lines.find(_TYPE):
        keys, owner = lines.keys(i), lines.owner(i)
        of = f" of {owner.__name__}" if owner else ""
        choices = re.findall(r"'([^']*)'", match[1]) if "Literal" in match[1] else []
        kind = re.sub(r"<class '([\w.]+)'>", r"\1", match[1])
        wanted = f"one of {', '.join(choices)}" if choices else f"of type {kind}"
        hint = did_you_mean(match[2], choices)
        return f"`{keys[0] if keys else '?'}`{of} must be {wanted}, got '{match[2]}'{hint}"
    return None


def _missing(lines: _Lines, options: Sequence[str]) -> str | None:
    for i, match in lines.find(_REQUIRED):
        names = match[1].split(", ")
        owner = lines.owner(i)
        if owner is not None:
            return f"{owner.__name__} needs a value for " + ", ".join(f"`{name}`" for name in names)
        listed = " and ".join(f"`{name.removeprefix('fit.')}`" for name in names)
        return f"a run needs {listed}: give --config with a recipe (`{PROG} recipes` lists them)"
    return None


def _plain(message: str) -> str:
    """The message without what only the parser's authors need."""
    kept = re.sub(r"\s*Given value(?: type)?: .*", "", message, flags=re.DOTALL)
    return " ".join(kept.split())


# --- what exists ---------------------------------------------------------------------------------


def _load(path: str) -> type | None:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name, None)
    except ImportError:
        return None
    return found if isinstance(found, type) else None


def _arguments(cls: type) -> list[str]:
    """Arguments of a class, those that it hands on to its bases included."""
    return list(ArgumentParser(exit_on_error=False).add_class_arguments(cls, fail_untyped=False))


def _bases_of(owner: type | None, key: str) -> list[type]:
    """The classes of which an argument takes a subclass."""
    if owner is None:
        roots: dict[str, type] = {"model": AbstractGAN, "data": LightningDataModule}
        if key in roots:
            return [roots[key]]
        owner, key = lightning.Trainer, key.removeprefix("trainer.")
    for base in inspect.getmro(owner):  # an argument may be handed on through **kwargs
        init = vars(base).get("__init__")
        hints = typing.get_type_hints(init) if isinstance(init, FunctionType) else {}
        if key in hints:
            return list(_classes_in(hints[key]))
    return []


def _classes_in(hint: Any) -> Iterator[type]:
    """The classes inside a type hint; of a callable, what it returns."""
    parts: Any = typing.get_args(hint)
    if parts and isinstance(parts[0], list):
        parts = parts[1:]
    if isinstance(hint, type) and not parts:
        yield hint
    for part in parts:
        yield from _classes_in(part)


def _subclasses(bases: Sequence[type]) -> list[str]:
    """Names of the classes that could be meant; this library's own last, so that they win ties."""
    found: dict[type, None] = {}
    waiting = [base for base in bases if base.__module__ != "builtins"]
    while waiting:
        cls = waiting.pop()
        if cls not in found:
            found[cls] = None
            waiting += cls.__subclasses__()
    concrete = [c for c in found if not inspect.isabstract(c) and not c.__name__.startswith("_")]
    concrete.sort(key=lambda cls: cls.__module__.startswith("gan_lightning"))
    return [cls.__name__ for cls in concrete]
