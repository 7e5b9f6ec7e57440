"""What a monitor says: which failure, since when, on what evidence, and what to try."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, final

__all__ = ["Evidence", "Finding", "Verdict", "number"]

_WIDTH, _INDENT = 100, 12
_SHOWN = 3  # signals in words; the picture and the file have all


def number(value: float) -> str:
    """A number for people, with two or three significant digits.

    Example:
        >>> [number(x) for x in (0.3149, 12.34, 56789.0, 2.5e7, 3.2e-5, float("nan"))]
        ['0.31', '12.3', '56,800', '2.5e7', '3.2e-5', 'nan']
    """
    size = abs(value)
    if not math.isfinite(value) or value == 0:
        return f"{value:.0f}"
    if size < 1e-3 or size >= 1e6:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    rounded = float(f"{value:.2g}" if size < 9.95 else f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:.3g}"


@final
@dataclass(frozen=True)
class Evidence:
    """A signal beyond its threshold.

    Attributes:
        signal: Its name, as in `signals.MEANINGS`.
        value: Now.
        threshold: Beyond which it counts.
        above: Whether large values are the bad ones.
        was: Its median before the failure began; None if there was none, or if it was bad as well.
        words: What it is, for people.
    """

    signal: str
    value: float
    threshold: float
    above: bool
    was: float | None = None
    words: str = ""

    def __str__(self) -> str:
        was = "" if self.was is None else f"was {number(self.was)}, "
        side = "above" if self.above else "below"
        threshold = f"{was}bad {side} {number(self.threshold)}"
        return f"{self.words or self.signal} {number(self.value)} ({threshold})"


@final
@dataclass(frozen=True)
class Finding:
    """What a monitor's rule found in a history.

    Attributes:
        kind: Of failure: "mode collapse", "partial mode collapse", "discriminator wins", "generator
            wins", "no progress", "oscillation", "divergence", "overfitting" or "copying".
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


@final
@dataclass(frozen=True)
class Verdict:
    """A finding that is announced.

    Attributes:
        kind: As of a `Finding`.
        since: As of a `Finding`; of a recovery the step at which the verdict was announced that no
            longer holds.
        evidence: As of a `Finding`; a recovery has none.
        confidence: As of a `Finding`.
        note: As of a `Finding`.
        step: Generator updates when it was found.
        monitor: Name of the monitor's class.
        advice: What to try, in order.
        action: What was done; "none" if it was only said.
        recovered: Whether this says that an earlier verdict of the kind no longer holds.
    """

    kind: str
    since: int
    evidence: tuple[Evidence, ...]
    confidence: float
    note: str = ""
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
        """Read what `as_dict` wrote, or a line of events.jsonl, which has more beside it.

        Args:
            content: Plain types; a number that is None was one that JSON cannot hold.
        """
        names = {field.name for field in fields(cls)}
        known = {name: value for name, value in content.items() if name in names}
        evidence = tuple(_evidence(e) for e in content["evidence"])
        return cls(**{**known, "evidence": evidence, "advice": tuple(content["advice"])})

    @property
    def headline(self) -> str:
        """The failure and its beginning, or the recovery from it, in a few words."""
        if self.recovered:
            return f"recovered from {self.kind} (named at step {self.since:,})"
        return f"{self.kind} (since step {self.since:,})"

    @property
    def paragraphs(self) -> tuple[str, ...]:
        """What there is to say: the finding with its evidence, the advice, the action."""
        head = f"step {self.step:,}  {self.headline}"
        if self.recovered:
            return (head,)
        facts = [*map(str, self.evidence[:_SHOWN]), self.note]
        found = [f"{head}   {_sentence('; '.join(filter(None, facts)))}".rstrip()]
        if self.advice:
            found.append(f"Advice: {_sentence('; '.join(self.advice))}")
        if self.action not in ("", "none"):
            found.append(f"Action: {_sentence(self.action)}")
        return tuple(found)

    def __str__(self) -> str:
        indent = " " * _INDENT
        lines = [indent * (i > 0) + paragraph for i, paragraph in enumerate(self.paragraphs)]
        wrap = textwrap.TextWrapper(
            _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
        return "\n".join(map(wrap.fill, lines))


def _sentence(words: str) -> str:
    return words if not words or words.endswith(".") else f"{words}."


def _evidence(content: Mapping[str, Any]) -> Evidence:
    lost = {name: math.nan for name in ("value", "threshold") if content[name] is None}
    return Evidence(**{**content, **lost})
