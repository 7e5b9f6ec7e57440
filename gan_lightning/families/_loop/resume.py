"""What a checkpoint says of the run, and what must agree when it is resumed."""

from __future__ import annotations

import numbers
import os
import pickle
import re
import zipfile
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

if TYPE_CHECKING:
    from gan_lightning.families._loop.state import AbstractGAN

KEY = "gan_lightning"
_LAZY = "no shape yet"
_NUMBERED = re.compile(r"step=(\d+)\.ckpt")
# What torch raises on files that are empty, cut off, or of another kind.
_UNREADABLE = (
    RuntimeError,
    EOFError,
    pickle.UnpicklingError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
)


@runtime_checkable
class HasIdentity(Protocol):
    """A data module that says what must not change when a run is resumed."""

    @property
    def identity(self) -> Mapping[str, str | int]:
        """Plain values: the data set, its size, the batch of all processes together."""


def keep_plain(values: MutableMapping[str, Any]) -> None:
    """Turn numbers of other libraries into Python's, and drop what only a pickle could hold."""
    for name, value in list(values.items()):
        if isinstance(value, numbers.Real) and not isinstance(value, bool):
            values[name] = int(value) if isinstance(value, numbers.Integral) else float(value)
        elif not _is_plain(value):
            del values[name]


def _is_plain(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(k, str) and _is_plain(v) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return all(_is_plain(v) for v in value)
    return value is None or type(value) in (bool, int, float, str)


def read_checkpoint(
    path: str | os.PathLike[str],
    *,
    argument: str = "checkpoint",
    map_location: Any = "cpu",
    weights_only: bool = True,
    mmap: bool | None = None,
) -> dict[str, Any]:
    """Read a checkpoint.

    Args:
        path: The file.
        argument: What the caller's user named it with, for the message.
        map_location: Where tensors go, as `torch.load` takes it.
        weights_only: Whether to refuse pickled code.
        mmap: Whether to leave tensors on the disk until they are used.

    Raises:
        OSError: When the file cannot be opened.
        ValueError: When torch cannot read it; names a whole checkpoint beside it if there is one.
    """
    try:
        checkpoint = torch.load(
            path, map_location=map_location, weights_only=weights_only, mmap=mmap
        )
    except (OSError, *_UNREADABLE) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # it cannot be opened; a seek in a file that is cut off names none
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ValueError(_unreadable(Path(path), argument, reason)) from error
    if not isinstance(checkpoint, dict):
        reason = f"it holds a {type(checkpoint).__name__}"
        raise ValueError(_unreadable(Path(path), argument, reason))
    return checkpoint


def _unreadable(file: Path, argument: str, reason: str) -> str:
    other = _newest_other(file)
    hint = "" if other is None else f"; the newest other one, for `{argument}`, is '{other}'"
    return f"`{argument}` must be a file that torch can read, got '{file}' ({reason}){hint}."


def _newest_other(file: Path) -> Path | None:
    """The newest whole checkpoint beside a file; last.ckpt shares its content with one of them."""
    whole = [
        (other.stat().st_mtime_ns, int(match[1]), other)
        for other in file.parent.glob("step=*.ckpt")
        if (match := _NUMBERED.fullmatch(other.name))
        and not other.samefile(file)
        and zipfile.is_zipfile(other)
    ]
    return max(whole)[2] if whole else None


def record(module: AbstractGAN) -> dict[str, Any]:
    """Plain values that go into every checkpoint."""
    return {
        "family": type(module).__name__,
        "discriminator_updates": module.discriminator_updates,
        "images_seen": module.images_seen,
        "run_seed": module.run_seed,
        # As the family was made, and as a callback may have set it since.
        "discriminator_steps": module.hparams.get(
            "discriminator_steps", module.discriminator_steps
        ),
        "discriminator_steps_now": module.discriminator_steps,
        "updates": module.updates,
        "data": _identity(module),
    }


def checked(module: AbstractGAN, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The record in a checkpoint, refused when it is not of this game.

    Raises:
        ValueError: When the family or the networks differ or, in a running fit, the data, batch
            size, seed or schedule.
    """
    saved: dict[str, Any] | None = checkpoint.get(KEY)
    family = type(module).__name__
    if saved is None or saved["family"] != family:
        found = "none of gan_lightning's" if saved is None else saved["family"]
        raise ValueError(f"`checkpoint` must be of the family {family} but it is of {found}.")
    _same_weights(module, checkpoint.get("state_dict", {}))
    if not _in_fit(module):
        return saved
    now = record(module)
    for name in ("run_seed", "updates"):
        _same(name, saved[name], now[name])
    if now["discriminator_steps"] != saved.get("discriminator_steps_now"):  # made as it was set to
        _same("discriminator_steps", saved["discriminator_steps"], now["discriminator_steps"])
    for name in saved["data"] | now["data"]:
        _same(name, saved["data"].get(name), now["data"].get(name))
    return saved


def steps_to_go_on_with(module: AbstractGAN, saved: Mapping[str, Any]) -> int | None:
    """What `discriminator_steps` must be in the first step of a resumed fit; None if it is none."""
    return saved.get("discriminator_steps_now") if _in_fit(module) else None


def same_steps(module: AbstractGAN, steps: int) -> None:
    """Refuse to go on with another schedule, once callbacks have set what they set.

    Raises:
        ValueError: If `discriminator_steps` is not what it was when the checkpoint was written.
    """
    if module.discriminator_steps != steps:
        raise ValueError(
            f"`discriminator_steps` must be {steps} as when the checkpoint was written, got "
            f"{module.discriminator_steps}: resume with the callback that had set it."
        )


def _in_fit(module: AbstractGAN) -> bool:
    return module._trainer is not None and bool(module.trainer.training)


def _same_weights(module: AbstractGAN, saved: Mapping[str, Any]) -> None:
    """Refuse weights of other networks before torch does, in a list of every parameter."""
    own = module.state_dict()
    strict = module.strict_loading
    names = own | dict(saved) if strict else {name: None for name in own if name in saved}
    for name in names:
        there, here = (_shape(weights.get(name)) for weights in (saved, own))
        if there != here and _LAZY not in (there, here):
            raise ValueError(
                f"`checkpoint` must hold the weights of the networks of this "
                f"{type(module).__name__}, but they differ, first in `{name}`: {there} in the "
                f"checkpoint, {here} here."
            )


def _shape(value: object) -> str:
    if isinstance(value, Tensor):
        return _LAZY if is_lazy(value) else f"shape {tuple(value.shape)}"
    return "nothing" if value is None else "something"


def _identity(module: AbstractGAN) -> dict[str, str | int]:
    trainer = module._trainer
    data = getattr(trainer, "datamodule", None)
    return dict(data.identity) if isinstance(data, HasIdentity) else {}


def _same(name: str, saved: object, now: object) -> None:
    if saved != now:
        raise ValueError(
            f"`{name}` must be {saved!r} as in the checkpoint, because noise and the position in "
            f"the data are functions of it, but got {now!r}."
        )
