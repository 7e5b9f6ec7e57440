"""What a term added to a player's loss has to offer, and what the game offers to it."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, Protocol

from torch import Tensor, nn

Inputs = tuple[Tensor, ...]


class Game(Protocol):
    """What a regularizer sees of the family that it belongs to."""

    @property
    def discriminator(self) -> nn.Module:
        """The network D."""

    @property
    def samples_per_input(self) -> int:
        """Samples that D judges together: 1, or the m of a packed discriminator."""

    def judge(self, *inputs: Tensor) -> Tensor:
        """D's logits of all that it is shown, one for each ``samples_per_input`` samples."""

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
    def penalty(self, game: Game, real: Inputs, fake: Inputs | None) -> Tensor:
        """Return the term, its weight included.

        Args:
            game: The family at play.
            real: What D is shown of the real samples: x ``(N, ...)`` and whatever stands beside
                it, labels or codes, N rows each.
            fake: The same of generated samples, without a graph in the discriminator's turn; None
                in a family whose loss makes none.

        Returns:
            A scalar.
        """
