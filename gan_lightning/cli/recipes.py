"""The packaged recipes, the files that `--config` names, and the runs that `--resume` names."""

import re
from pathlib import Path

import yaml

from gan_lightning.cli.errors import PROG, UsageError, did_you_mean
from gan_lightning.runs import RunDirectory

__all__ = ["check_resumable", "describe", "find_config", "recipes", "require_mapping", "run_name"]

_DATED = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d")  # a run directory's default name


def recipes() -> dict[str, Path]:
    """Find the packaged recipes: beside the package in a checkout, inside it when installed.

    Returns:
        Files by name, such as ``digits/dcgan``, sorted.
    """
    package = Path(__file__).resolve().parents[1]
    folder = package / "_experiments"
    if not folder.is_dir():
        folder = package.parent / "experiments"
    files = sorted(folder.rglob("*.yaml"))
    return {file.relative_to(folder).with_suffix("").as_posix(): file for file in files}


def find_config(name: str) -> Path:
    """Find the file that ``--config`` names.

    Args:
        name: a path, or the name of a recipe.

    Returns:
        The file.

    Raises:
        UsageError: if it is neither, with the nearest name.
    """
    if Path(name).is_file():
        return Path(name)
    if (Path(name) / "config.yaml").is_file():
        raise UsageError(
            f"`--config` must be a file, got the folder '{name}'; to go on with that run: "
            f"`{PROG} fit --resume {name}`"
        )
    known = recipes()
    if name in known:
        return known[name]
    tails = {recipe.split("/")[-1]: recipe for recipe in reversed(known)}
    hint = did_you_mean(name.removesuffix(".yaml"), known) or did_you_mean(name, tails, tails.get)
    hint = hint or f"; `{PROG} recipes` lists them"
    raise UsageError(f"`--config` must be a file or the name of a recipe, got '{name}'{hint}")


def check_resumable(run: RunDirectory) -> RunDirectory:
    """Refuse to resume what is not a run that the command line can go on with.

    Args:
        run: the folder that ``--resume`` names.

    Returns:
        The same.

    Raises:
        UsageError: with the missing part.
    """
    if not run.path.is_dir():
        raise UsageError(f"`--resume` must be a run directory, got '{run.path}', which is none")
    if not run.config.is_file():
        raise UsageError(f"`--resume` needs a config.yaml in the run directory '{run.path}'")
    if not run.last_checkpoint.is_file():
        raise UsageError(
            f"`--resume` needs a checkpoints/last.ckpt in the run directory '{run.path}'"
        )
    if "data" not in run.read_config():
        raise UsageError(
            f"`--resume` needs a run made by `{PROG} fit`, but '{run.path}' was made in Python; "
            "resume it there with `trainer.fit(..., ckpt_path=...)`"
        )
    return run


def run_name(config: str) -> str:
    """Name the folder of the runs of a configuration.

    Args:
        config: a recipe's name or a path, as typed.

    Returns:
        ``digits-dcgan`` for a recipe, else the file's stem; for the config.yaml of an earlier run,
        what this run was named after.
    """
    path = Path(config)
    if not path.is_file():
        return config.replace("/", "-")
    if path.name == "config.yaml" and RunDirectory(path.parent).run_json.is_file():
        folder = path.resolve().parent
        return folder.parent.name if _DATED.match(folder.name) else folder.name
    return path.stem


def require_mapping(file: Path) -> None:
    """Refuse a file that is no configuration, before torch is imported.

    Args:
        file: what ``--config`` names.

    Raises:
        UsageError: if it is not YAML, or holds no keys.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"'{file}' must be valid YAML, got {reason}") from error
    if not isinstance(content, dict):
        raise UsageError(f"'{file}' must hold `model`, `data` and `trainer`, got {content!r:.60}")


def describe(file: Path) -> str:
    """Read what a recipe says of itself.

    Args:
        file: the recipe.

    Returns:
        Its first line, a comment.
    """
    with open(file, encoding="utf-8") as lines:
        return next(lines, "").removeprefix("#").strip()
