"""What the command line says when something is wrong: one sentence, with the nearest name."""

import difflib
import sys
import traceback
from collections.abc import Callable, Iterable

__all__ = [
    "PROG",
    "UsageError",
    "complain",
    "did_you_mean",
    "is_for_the_user",
    "one_line",
    "root_cause",
]

PROG = "gan-lightning"


class UsageError(Exception):
    """What was typed cannot be run; the message is the sentence that the user reads."""


def did_you_mean(
    word: str, known: Iterable[str], of: Callable[[str], str | None] | None = None
) -> str:
    """Suggest the known name that is nearest to a mistyped one.

    Args:
        word: what was typed.
        known: the names that exist.
        of: what to suggest for a name, by default itself.

    Returns:
        A clause to append to a sentence, empty when nothing is near.

    Example:
        >>> did_you_mean("sampel", ["fit", "sample"])
        "; did you mean 'sample'?"
    """
    by_lower = {name.lower(): name for name in known}
    # A recipe named without its folder is nearer than any that is spelt alike.
    near = [name for name in by_lower if name.rpartition("/")[2] == word.lower()]
    near = near or difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    if not near:
        return ""
    name = by_lower[near[0]]
    return f"; did you mean '{of(name) if of else name}'?"


def complain(sentence: str) -> None:
    """Print one line about an error.

    Args:
        sentence: what is wrong.
    """
    end = "" if sentence.endswith((".", "?")) else "."
    print(f"{PROG}: error: {sentence}{end}", file=sys.stderr)


def root_cause(error: BaseException) -> BaseException:
    """Find what a constructor complained of, which jsonargparse wraps in a list of what it tried.

    Args:
        error: what ended the command.

    Returns:
        The first error of the chain that jsonargparse did not raise.
    """
    while _module(error).startswith("jsonargparse") and error.__cause__ is not None:
        error = error.__cause__
    return error


def is_for_the_user(error: BaseException) -> bool:
    """Whether an error tells the user what to mend: a file's, or a value refused by a ``raise``.

    A ValueError that no ``raise`` made (``int("x")`` deep inside) is a bug, like other types. Of
    the others only those of this package are sentences: a package that it needs and is missing.

    Args:
        error: what ended the command.

    Returns:
        Whether its message is enough, without a traceback.
    """
    if isinstance(error, OSError):
        return True
    if not isinstance(error, ValueError | TypeError | ImportError):
        return False
    *_, innermost = traceback.extract_tb(error.__traceback__)
    by_raise = (innermost.line or "").startswith("raise ")
    return by_raise and (
        isinstance(error, ValueError) or _module(error).startswith("gan_lightning")
    )


def _module(error: BaseException) -> str:
    """The module in which an error arose."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__"))


def one_line(error: BaseException) -> str:
    """Write an error down as one line.

    Args:
        error: any.

    Returns:
        Its message; of a file that failed, what failed and its path.
    """
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.strerror}: '{error.filename}'"
    return " ".join(str(error).split())
