"""What an action is: something to do about a verdict, on every rank alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import lightning

from gan_lightning.callbacks.monitors.verdict import Verdict
from gan_lightning.families.base import AbstractGAN

__all__ = ["AbstractAction", "Done"]


@final
@dataclass(frozen=True)
class Done:
    """What an action did.

    Attributes:
        words: In words, for the verdict.
        back_to: Generator updates of the checkpoint to which the players went back, or None.
    """

    words: str
    back_to: int | None = None


class AbstractAction(ABC):
    """Something to do about a verdict, on every rank alike."""

    @abstractmethod
    def act(self, trainer: lightning.Trainer, module: AbstractGAN, verdict: Verdict) -> Done:
        """Do it, between two training steps."""

    def start(self, trainer: lightning.Trainer, module: AbstractGAN) -> None:  # noqa: B027
        """Called when training starts or resumes, after `load_state_dict`."""

    def healthy(self, trainer: lightning.Trainer, module: AbstractGAN) -> None:  # noqa: B027
        """Called at each look at which nothing is wrong and the run is not young any more."""

    def state_dict(self) -> dict[str, Any]:
        """Plain types, for the checkpoint."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Go on from a checkpoint."""
