"""What a monitor says: which failure, since when, on what evidence, and what to try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

__all__ = ["Evidence", "Finding", "Verdict"]


@dataclass(frozen=True)
class Evidence:
    """A signal beyond its threshold.

    Attributes:
        signal: Its name, as in `signals.MEANINGS`.
        value: Now.
        threshold: Beyond which it counts.
        above: Whether large values are the bad ones.
        was: Its best value of the run's own past, None if it has none.
        words: What it is, for people.
    """

    signal: str
    value: float
    threshold: float
    above: bool
    was: float | None = None
    words: str = ""

    def __str__(self) -> str:
        was = "" if self.was is None else f"was {self.was:.2g}, "
        side = "above" if self.above else "below"
        return (
            f"{self.words or self.signal} {self.value:.2g} ({was}bad {side} {self.threshold:.2g})"
        )


@dataclass(frozen=True)
class Finding:
    """What a monitor's rule found in a history.

    Attributes:
        kind: Of failure: "mode collapse", "partial mode collapse", "discriminator wins",
            "generator wins", "no progress", "oscillation", "divergence", "overfitting" or "copying".
        since: Generator updates at the first look at which it held.
        evidence: Signals with their thresholds, the strongest first.
        confidence: Share of the looks since then at which it held, in (0, 1].
        note: One more fact in words, such as the first tensor that is not finite.
    """

    kind: str
    since: int
    evidence: tuple[Evidence, ...]
    confidence: float
    note: str = ""


@dataclass(frozen=True)
class Verdict(Finding):
    """A finding that is announced.

    Attributes:
        step: Generator updates when it was found.
        monitor: Name of the monitor's class.
        advice: What to try, in order.
        action: What was done.
        recovered: Whether this says that an earlier verdict of the kind no longer holds.
    """

    step: int = 0
    monitor: str = ""
    advice: tuple[str, ...] = ()
    action: str = ""
    recovered: bool = False

    def acted(self, action: str) -> Verdict:
        """The same verdict, with what was done about it."""
        return replace(self, action=action)

    def as_dict(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return {
            name: [dict(e) if isinstance(e, dict) else e for e in value]
            if isinstance(value, tuple)
            else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Verdict:
        """Read what `as_dict` wrote."""
        evidence = tuple(Evidence(**e) for e in content["evidence"])
        return cls(**{**content, "evidence": evidence, "advice": tuple(content["advice"])})

    def __str__(self) -> str:
        if self.recovered:
            return f"step {self.step:,}  recovered from {self.kind} (named at {self.since:,})"
        evidence = ", ".join(map(str, self.evidence[:3]))
        lines = [f"step {self.step:,}  {self.kind} (since step {self.since:,})   {evidence}."]
        if self.note:
            lines.append(f"{self.note}.")
        if self.advice:
            lines.append(f"Advice: {'; '.join(self.advice)}.")
        if self.action:
            lines.append(f"Action: {self.action}.")
        return "\n            ".join(lines)
