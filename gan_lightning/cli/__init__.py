"""`gan-lightning`: the front door of the command line.

It knows the commands, the recipes and the run directories, and answers what can be answered without
torch; what needs torch is imported (which takes seconds) only after the arguments have passed here.
"""

import os
import sys
from collections.abc import Callable, Sequence

from gan_lightning import __version__
from gan_lightning.cli.arguments import parse_evaluate, parse_recipes, parse_sample
from gan_lightning.cli.errors import (
    PROG,
    UsageError,
    complain,
    did_you_mean,
    is_for_the_user,
    one_line,
    root_cause,
)
from gan_lightning.cli.recipes import (
    check_resumable,
    describe,
    find_config,
    recipes,
    require_mapping,
    run_name,
)
from gan_lightning.runs import RunDirectory

__all__ = ["main"]

DEBUG = "GAN_LIGHTNING_DEBUG"

_USAGE = f"""\
usage: {PROG} COMMAND [OPTIONS]

commands:
  fit       train: {PROG} fit --config digits/dcgan (or a path), go on: {PROG} fit --resume RUN_DIR
  sample    samples of a run: {PROG} sample RUN_DIR --number 64
  evaluate  scores of a run or of images: {PROG} evaluate RUN_DIR, evaluate FOLDER --against Digits
  recipes   list the recipes that --config finds by name

options:
  --help      this text; {PROG} COMMAND --help explains a command
  --version   the version
  --debug     with any command: tracebacks instead of one-line errors (or {DEBUG}=1)
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: the arguments after the program's name, by default those of the process.

    Returns:
        The exit status: 0, 1 when the run failed on what the user can mend, 2 when the arguments
        are wrong, 130 after Ctrl-C.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    args = [arg for arg in given if arg != "--debug"]
    if len(args) < len(given):
        os.environ[DEBUG] = "1"
    try:
        return _run(args)
    except UsageError as error:
        complain(str(error))
        return 2
    except KeyboardInterrupt:  # during training it is Lightning's, which ends the command in order
        before = " before training began" if args[0] == "fit" else ""
        print(f"\nInterrupted{before}.", file=sys.stderr)
        return 130
    except Exception as error:
        cause = root_cause(error)
        if os.environ.get(DEBUG) == "1" or not is_for_the_user(cause):
            raise
        complain(one_line(cause))
        return 1


def _run(args: list[str]) -> int:
    commands: dict[str, Callable[[list[str]], int]] = {
        "fit": _fit,
        "sample": _sample,
        "evaluate": _evaluate,
        "recipes": _recipes,
    }
    if not args or args[0] in ("--help", "-h", "help"):
        print(_USAGE, end="")
        return 0
    if args[0] == "--version":
        print(f"{PROG} {__version__}")
        return 0
    if args[0] not in commands:
        hint = did_you_mean(args[0], [*commands, "--help", "--version"])
        raise UsageError(f"the command must be one of {', '.join(commands)}, got '{args[0]}'{hint}")
    # Threads that spin while they wait make training on few cores over ten times slower as soon as
    # another program wants one of them; sleeping costs about a tenth. OpenMP reads it once.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    return commands[args[0]](args[1:])


def _recipes(args: list[str]) -> int:
    parse_recipes(args)
    known = recipes()
    width = max(map(len, known), default=0)
    for name, file in known.items():
        print(f"{name:<{width}}  {describe(file)}")
    return 0


def _sample(args: list[str]) -> int:
    options = parse_sample(args)
    from gan_lightning._cli.sample import sample

    return sample(options)


def _evaluate(args: list[str]) -> int:
    options = parse_evaluate(args)
    from gan_lightning._cli.evaluate import evaluate

    return evaluate(options)


def _fit(args: list[str]) -> int:
    args, configs = _with_config_files(args)
    resumed = _value_of(args, "--resume")
    if resumed is not None:
        if configs:
            raise UsageError(
                f"`--resume` must stand without `--config`, because it takes the run's own, "
                f"got '{configs[-1]}'"
            )
        args = ["--config", str(check_resumable(RunDirectory(resumed)).config), *args]
    from gan_lightning._cli.fit import fit

    return fit(args, run_name(configs[-1]) if configs else None)


def _with_config_files(args: list[str]) -> tuple[list[str], list[str]]:
    """Put files in the place of recipe names; return also what was typed."""
    out: list[str] = []
    typed: list[str] = []
    rest = iter(args)
    for arg in rest:
        option, equals, value = arg.partition("=")
        if option not in ("--config", "-c"):
            out.append(arg)
            continue
        value = value if equals else next(rest, "")
        if not value:
            raise UsageError("`--config` must be followed by a file or the name of a recipe")
        typed.append(value)
        file = find_config(value)
        require_mapping(file)
        out += ["--config", str(file)]
    return out, typed


def _value_of(args: list[str], option: str) -> str | None:
    for i, arg in enumerate(args):
        name, equals, value = arg.partition("=")
        if name != option:
            continue
        value = value if equals else "".join(args[i + 1 : i + 2])
        if not value or value.startswith("--"):
            raise UsageError(f"`{option}` must be followed by a run directory")
        return value
    return None
