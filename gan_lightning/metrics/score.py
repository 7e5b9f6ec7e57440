"""A number that knows what it is."""

from __future__ import annotations

from typing import Any

__all__ = ["Score"]


class Score(float):
    """A value of a metric that knows which way is better and how it was taken.

    Attributes:
        higher_is_better: None where neither direction is.
        protocol: How it was taken: both numbers of samples, extractor, arguments.
    """

    higher_is_better: bool | None
    protocol: str

    def __new__(cls, value: float, higher_is_better: bool | None, protocol: str) -> Score:
        """Add what the number means to the number."""
        score = super().__new__(cls, value)
        score.higher_is_better = higher_is_better
        score.protocol = protocol
        return score

    def __reduce__(self) -> tuple[Any, ...]:  # for copies and pickles
        return Score, (float(self), self.higher_is_better, self.protocol)
