"""What to try about a failure, suited to the family that is running."""

from __future__ import annotations

from gan_lightning.families.base import AbstractGAN

__all__ = ["advice"]


def advice(kind: str, module: AbstractGAN) -> tuple[str, ...]:
    """What to try, the most promising first."""
    return ()
