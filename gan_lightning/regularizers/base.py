"""What a term added to a player's loss has to offer, and what the game offers to it."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, Protocol

from torch import Tensor, nn


class Game(Protocol):
    """What a regularizer sees of the family that it belongs to."""

    @property
    def discriminator(self) -> nn.Module:
        """D: ``discriminator(x, *given)`` gives one logit a sample."""

    def uniform(self, n: int, *shape: int) -> Tensor:
        """This process's n rows of a draw from U[0, 1) for the global batch, ``(n, *shape)``."""

    def normal(self, n: int, *shape: int) -> Tensor:
        """This process's n rows of a draw from N(0, 1) for the global batch, ``(n, *shape)``."""


class AbstractRegularizer(ABC):
    """A term added to one player's loss, logged as ``penalty/<name>``.

    Random numbers come from the game alone: drawn elsewhere, neither a resumed run nor one on
    several processes would repeat the original.
    """

    name: ClassVar[str]
    player: ClassVar[Literal["discriminator", "generator"]] = "discriminator"

    @abstractmethod
    def penalty(self, game: Game, x: Tensor, x_fake: Tensor | None, *given: Tensor) -> Tensor:
        """Return the term, its weight included.

        Args:
            game: The family at play.
            x: Real samples, ``(N, ...)``.
            x_fake: Generated samples, ``(N, ...)``, without a graph in the discriminator's turn;
                None in a family whose loss makes none.
            *given: What the discriminator is given beside the samples, N rows each.

        Returns:
            A scalar.
        """
