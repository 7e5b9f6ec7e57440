"""What all networks share: they record how they were built, and they check what they are fed."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any, Protocol, TypeGuard, cast, runtime_checkable

from torch import Tensor, nn


class Network(nn.Module):
    """A module that records its class and arguments, so that a run directory can build it again.

    Attributes:
        recorded: ``{"class_path": ..., "init_args": ...}`` in plain types (tuples as lists,
            networks among the arguments as records of their own), or ``{}`` where an argument has
            no plain form. It holds the arguments of the outermost class, defaults included.

    Raises:
        TypeError: If a subclass takes ``*args``, which a record of named arguments cannot hold.
    """

    recorded: dict[str, Any]

    def __init__(self) -> None:
        super().__init__()
        self.recorded = _record(type(self), {})  # for a subclass without a constructor

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make the subclass's ``__init__``, if it has one of its own, leave a record."""
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = _recording(cls.__init__, cls)  # type: ignore[method-assign]


def _recording(init: Callable[..., None], owner: type) -> Callable[..., None]:
    signature = inspect.signature(init)
    parameters = signature.parameters.values()
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        raise TypeError(f"`{owner.__name__}.__init__` must take named arguments only, got `*args`.")
    rest = [p.name for p in parameters if p.kind is p.VAR_KEYWORD]

    @functools.wraps(init)  # jsonargparse and help() see the true signature
    def recording_init(self: Network, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        _, *arguments = bound.arguments.items()
        given = dict(arguments)
        for name in rest:
            given.update(given.pop(name))
        # Written after the constructors of the bases have written theirs: the outermost class wins.
        self.recorded = _record(type(self), given)

    return recording_init


def _record(cls: type, arguments: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {"class_path": _import_path(cls), "init_args": _plain(arguments)}
    except TypeError:
        return {}


def _import_path(definition: type | FunctionType) -> str:
    package, _, _ = definition.__module__.rpartition(".")
    # The library's own networks are recorded by their public path, which outlives a move between
    # files.
    module = package if package == __package__ else definition.__module__
    return f"{module}.{definition.__qualname__}"


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Network):
        if value.recorded:
            return value.recorded
    elif isinstance(value, functools.partial):
        made, fixed = _made_by(value), _plain(value.keywords)
        return {"class_path": _import_path(made), "init_args": fixed}
    elif isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    elif isinstance(value, Sequence):
        return [_plain(item) for item in value]
    elif isinstance(value, type | FunctionType):
        return _import_path(value)
    raise TypeError(f"a {type(value).__name__} has no plain form")


def _made_by(factory: "functools.partial[Any]") -> type:
    """The class of which a partial makes instances, if all that it fixes has a name."""
    if isinstance(factory.func, type) and not factory.args:
        return factory.func
    # jsonargparse's own partials for a `Callable` hand the class, last, to a function of its own.
    *_, made = factory.args or (None,)
    if factory.func.__module__.partition(".")[0] == "jsonargparse" and isinstance(made, type):
        return made
    raise TypeError("a partial of anything but a class by keywords has no plain form")


@runtime_checkable
class Featured(Protocol):
    """A discriminator that shows its last layer of features, ``(N, feature_dim)``.

    ``forward(*inputs)`` equals ``from_features(features(*inputs))``.
    """

    feature_dim: int

    def features(self, *inputs: Tensor) -> Tensor:
        """Features of what the discriminator is shown."""

    def from_features(self, features: Tensor) -> Tensor:
        """What `forward` returns."""


def offers_features(network: nn.Module) -> TypeGuard[Featured]:
    """Whether a wrapper of this discriminator can offer features in its turn."""
    return isinstance(network, Featured)


def featured(network: nn.Module) -> Featured:
    """The same network, for a wrapper that has seen by `offers_features` that it has features."""
    return cast(Featured, network)


def check_shape(argument: str, x: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse a batch whose samples do not have the expected shape.

    Args:
        argument: Name of the batch in the caller's signature.
        x: Batch, ``(N, *shape)``.
        shape: Shape of one sample.

    Raises:
        ValueError: If the samples have another shape.
    """
    if x.shape[1:] != shape:  # a slice and a comparison: well below a microsecond
        expected = ", ".join(("N", *map(str, shape)))
        raise ValueError(f"`{argument}` must have shape ({expected}), got {tuple(x.shape)}.")


def check_positive(**sizes: int) -> None:
    """Refuse sizes that are not positive integers.

    Args:
        **sizes: The sizes by the names of the arguments they came in.

    Raises:
        ValueError: If one of them is not a positive integer.
    """
    for argument, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ValueError(f"`{argument}` must be a positive integer, got {size!r}.")


def check_sample_shape(image_shape: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of one sample as a tuple.

    Args:
        image_shape: ``(C, H, W)`` for images, ``(D,)`` for points; any number of dimensions of at
            least 1.

    Raises:
        ValueError: If it is empty or holds anything but positive integers.
    """
    shape = tuple(image_shape)
    if not shape or any(not isinstance(size, int) or size < 1 for size in shape):
        raise ValueError(
            f"`image_shape` must be a tuple of positive integers, got {image_shape!r}."
        )
    return shape


def one_or_more(result: Tensor) -> Tensor:
    """What a discriminator returns: one logit a sample as ``(N,)``, several as ``(N, outputs)``.

    Args:
        result: ``(N, outputs)``.
    """
    return result.flatten() if result.shape[1] == 1 else result
