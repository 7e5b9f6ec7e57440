"""The parser: what loggers get by default, and errors in one sentence."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from lightning.pytorch.cli import LightningArgumentParser
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger, WandbLogger

from gan_lightning._cli.sentences import explain
from gan_lightning.cli.errors import complain

__all__ = ["IN_RUN_DIR", "Parser", "option_names"]

IN_RUN_DIR = ""  # a logger's `save_dir` that is to become the run directory
_FILES = (CSVLogger, TensorBoardLogger, WandbLogger)


class Parser(LightningArgumentParser):
    """LightningCLI's parser without abbreviated options and without jsonargparse's traces.

    jsonargparse builds the parsers of nested classes from the same class; these raise, and only the
    outermost one speaks to the user.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Abbreviations would take `--trainer.max_step` silently for `max_steps`.
        super().__init__(*args, **{**kwargs, "allow_abbrev": False})

    def add_class_arguments(
        self, theclass: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> list[str]:
        """As the base class; loggers write into the run directory unless told otherwise."""
        added: list[str] = super().add_class_arguments(theclass, *args, **kwargs)
        if isinstance(theclass, type) and issubclass(theclass, _FILES) and "save_dir" in added:
            self.set_defaults({"save_dir": IN_RUN_DIR})
            if issubclass(theclass, WandbLogger):
                self.set_defaults({"offline": None})  # decided by whether there is a key
        return added

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print one line and exit with status 2; a nested parser raises for the outer one."""
        if not self.exit_on_error:
            super().error(message, ex)
        complain(explain(message, option_names(self)))
        sys.exit(2)


def option_names(parser: Any) -> list[str]:
    """List the options of a parser and of its sub-commands.

    Args:
        parser: any.

    Returns:
        Options in full, such as ``--trainer.max_steps``.
    """
    names = re.findall(r"(?<![\w-])--[A-Za-z_][\w.]*", parser.format_help())
    if parser._subcommands_action is not None:
        for child in parser._subcommands_action.choices.values():
            names += option_names(child)
    return sorted(set(names))
