"""What families may ask of a discriminator beyond a logit: features, and how samples are packed."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor, nn


@runtime_checkable
class HasFeatures(Protocol):
    """A discriminator with a layer of features, for heads and for feature matching.

    Attributes:
        feature_dim: Length of a sample's features.
    """

    feature_dim: int

    def features(self, *inputs: Tensor) -> Tensor:
        """Features `(N, feature_dim)` of what the discriminator is shown."""


@runtime_checkable
class JudgesFeatures(Protocol):
    """A discriminator that says how its result follows from its features."""

    def from_features(self, features: Tensor) -> Tensor:
        """What `forward` returns, from `(N, feature_dim)`."""


@runtime_checkable
class Packing(Protocol):
    """A discriminator that judges several samples together (Lin et al. 2018)."""

    samples_per_input: int


def packing(discriminator: nn.Module) -> int:
    """Samples per logit: 1, or the m of a packed network, however deep it is wrapped."""
    found = [m.samples_per_input for m in discriminator.modules() if isinstance(m, Packing)]
    return found[0] if found else 1


def with_features(discriminator: nn.Module, *inputs: Tensor) -> tuple[Tensor, Tensor]:
    """D's result and its features, in one pass where the network can go on from features."""
    assert isinstance(discriminator, HasFeatures)  # see require_features
    features = discriminator.features(*inputs)
    if isinstance(discriminator, JudgesFeatures):
        return discriminator.from_features(features), features
    return discriminator(*inputs), features


def require_features(discriminator: nn.Module, family: str, use: str) -> int:
    """The length of D's features, for a head or a cost that needs them.

    Args:
        discriminator: The network.
        family: Whose requirement it is.
        use: What for.

    Raises:
        ValueError: When the network has none.
    """
    if not isinstance(discriminator, HasFeatures):
        raise ValueError(
            f"`discriminator` must have `features(x)` and `feature_dim` for {family}, {use}, but "
            f"{type(discriminator).__name__} has not."
        )
    return discriminator.feature_dim
