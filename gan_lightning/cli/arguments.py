"""Options of the commands that need no LightningCLI."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from gan_lightning.cli.errors import PROG, UsageError, did_you_mean

__all__ = ["parse_evaluate", "parse_recipes", "parse_sample"]


def parse_recipes(args: Sequence[str]) -> None:
    """Read the options of ``recipes``; there are none but ``--help``.

    Args:
        args: after the command's name.

    Raises:
        UsageError: if there are any.
    """
    _Parser("recipes", "List the recipes that `fit --config NAME` finds.").parse_args(args)


def parse_sample(args: Sequence[str]) -> argparse.Namespace:
    """Read the options of ``sample``.

    Args:
        args: after the command's name.

    Returns:
        ``run_dir``, ``number``, ``seed``, ``labels``, ``truncation``, ``out``, ``checkpoint`` and
        ``overwrite``.

    Raises:
        UsageError: if they cannot be understood.
    """
    parser = _Parser("sample", "Draw samples of a run's averaged generator.")
    parser.add_argument("run_dir", metavar="RUN_DIR", help="the folder of the run")
    parser.add_argument("--number", type=int, default=64, help="samples to draw (64)")
    parser.add_argument("--seed", type=int, default=0, help="of the latent codes (0)")
    parser.add_argument(
        "--labels", help="a class (3) or several (0,1,2), taken in turn; for conditional families"
    )
    parser.add_argument(
        "--truncation", type=float, help="draw z from the normal distribution cut off at this value"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("samples.png"),
        help="NAME.png: one grid; a folder: a PNG per sample; NAME.npz: an array `samples`, "
        "float32 (N, C, H, W) in [-1, 1] or points (N, D), and `labels` (samples.png)",
    )
    parser.add_argument(
        "--checkpoint",
        default="last",
        help="'last', the name of another file in RUN_DIR/checkpoints, or a path (last)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    return parser.parse_args(args)


def parse_evaluate(args: Sequence[str]) -> argparse.Namespace:
    """Read the options of ``evaluate``.

    Args:
        args: after the command's name.

    Returns:
        ``target``, ``against``, ``test``, ``root``, ``split``, ``number``, ``seed``,
        ``checkpoint``, ``extractor``, ``weights``, ``resize``, ``download``, ``metrics``, ``out``
        and ``overwrite``.

    Raises:
        UsageError: if they cannot be understood.
    """
    parser = _Parser("evaluate", "Compare generated samples with real ones.")
    _add_sets(parser)
    _add_metrics(parser)
    parser.add_argument(
        "--out", type=Path, help="the JSON file (evaluation.json, of a run in its directory)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    options = parser.parse_args(args)
    if options.number is not None and options.number < 2:
        raise UsageError(f"`--number` must be at least 2, got {options.number}")
    return options


def _add_sets(parser: argparse.ArgumentParser) -> None:
    """What ``evaluate`` compares."""
    parser.add_argument(
        "target",
        metavar="TARGET",
        help="a run directory, a folder of images, an .npz (samples, images or features) or a "
        ".safetensors file of features",
    )
    parser.add_argument(
        "--against",
        help="real samples: the name of a data set (Digits), a folder, an .npz or a .safetensors "
        "file (the run's own data set)",
    )
    parser.add_argument(
        "--test", help="real samples held out from training, named likewise; DataCopying needs them"
    )
    parser.add_argument("--root", help="folder of the files of a data set in --against or --test")
    parser.add_argument(
        "--split",
        choices=("train", "test"),
        help="of a data set in --against or --test (its own default)",
    )
    parser.add_argument(
        "--number",
        type=int,
        help="samples of each set, drawn by a fixed seed (a run: 10,000 or all; else all)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of a run's latent codes (0)")
    parser.add_argument(
        "--checkpoint",
        default="last",
        help="'last', the name of another file in TARGET/checkpoints, or a path (last)",
    )


def _add_metrics(parser: argparse.ArgumentParser) -> None:
    """How ``evaluate`` compares."""
    parser.add_argument(
        "--extractor",
        help="inception, digits, fashion_mnist, pixels or random_conv, the import path of a class, "
        "or a TorchScript file, .pt or .ts (what suits the data)",
    )
    parser.add_argument(
        "--weights", type=Path, help="Inception's file of weights (the cache's); implies inception"
    )
    parser.add_argument(
        "--resize",
        help="Inception's resize mode: tf1, clean or antialias (tf1); implies inception",
    )
    parser.add_argument(
        "--download",
        action="store_true",
        help="download Inception's weights if they are missing; implies inception",
    )
    parser.add_argument(
        "--metrics", help="classes of gan_lightning.metrics, separated by commas (the usual ones)"
    )


class _Parser(argparse.ArgumentParser):
    """Options in full, errors in one line with the nearest option."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(f"{PROG} {command}", description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        hint = ""
        if message.startswith("unrecognized arguments: "):
            unknown = message.removeprefix("unrecognized arguments: ").split()[0].split("=")[0]
            options = [name for action in self._actions for name in action.option_strings]
            message = f"{self.prog} has no option '{unknown}'"
            hint = did_you_mean(unknown, options)
        raise UsageError(message + hint)
