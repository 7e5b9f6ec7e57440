"""What a checkpoint says of the run, and what must agree when it is resumed."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from gan_lightning.families._loop.state import AbstractGAN

KEY = "gan_lightning"


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


def record(module: AbstractGAN) -> dict[str, Any]:
    """Plain values that go into every checkpoint."""
    return {
        "family": type(module).__name__,
        "discriminator_updates": module.discriminator_updates,
        "images_seen": module.images_seen,
        "run_seed": module.run_seed,
        "discriminator_steps": module.discriminator_steps,
        "updates": module.updates,
        "data": _identity(module),
    }


def checked(module: AbstractGAN, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The record in a checkpoint, refused when it is not of this game.

    Raises:
        ValueError: When the family differs or, in a running fit, the data, batch size, seed or
            schedule.
    """
    saved: dict[str, Any] | None = checkpoint.get(KEY)
    family = type(module).__name__
    if saved is None or saved["family"] != family:
        found = "none of gan_lightning's" if saved is None else saved["family"]
        raise ValueError(f"`checkpoint` must be of the family {family} but it is of {found}.")
    if module._trainer is None or not module.trainer.training:
        return saved
    now = record(module)
    for name in ("run_seed", "discriminator_steps", "updates"):
        _same(name, saved[name], now[name])
    for name in saved["data"] | now["data"]:
        _same(name, saved["data"].get(name), now["data"].get(name))
    return saved


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
