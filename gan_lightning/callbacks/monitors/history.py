"""The signals of a run, look by look."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

__all__ = ["History"]

_EARLY, _LEAST = 0.1, 5


@final
class History:
    """Every signal at every look, and how long the run is planned to be.

    Args:
        interval: Generator updates between two looks.
        planned: Generator updates of the whole run; None if it has no limit.
    """

    def __init__(self, interval: int = 1, planned: int | None = None) -> None:
        self.interval = interval
        self.planned = planned
        self.steps: list[int] = []
        self._grown_after: int | None = None  # looks, for a run that had grown when it was saved
        self._values: dict[str, list[float]] = {}

    def __len__(self) -> int:
        return len(self.steps)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    @property
    def names(self) -> list[str]:
        """All signals that ever had a number."""
        return sorted(self._values)

    @property
    def young(self) -> int:
        """Looks at which noise is no failure: a tenth of the run, and at least five.

        A run that has grown does not get young again when it is resumed to more steps.
        """
        if self._grown_after is not None:
            return self._grown_after
        looks = 0 if self.planned is None else int(_EARLY * self.planned / self.interval)
        return max(_LEAST, looks)

    def add(self, step: int, signals: Mapping[str, float]) -> None:
        """Add a look.

        Args:
            step: Generator updates so far, more than at the look before.
            signals: Numbers by name; what is missing is NaN.
        """
        for name, value in signals.items():
            if not math.isnan(value):
                self._values.setdefault(name, [math.nan] * len(self.steps))
        self.steps.append(step)
        for name, values in self._values.items():
            values.append(float(signals.get(name, math.nan)))

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """A signal at all looks, `(looks,)`, NaN where it is missing."""
        return np.array(self._values.get(name, [math.nan] * len(self)), dtype=np.float64)

    def last(self, name: str) -> float:
        """A signal at the newest look; NaN if it is missing."""
        return self._values[name][-1] if name in self._values and self.steps else math.nan

    def cut(self, step: int) -> None:
        """Forget the looks after a step, to which the run has gone back."""
        kept = sum(s <= step for s in self.steps)
        del self.steps[kept:]
        self._values = _seen(self._values, kept)

    def until(self, looks: int) -> History:
        """The history as it was after so many looks."""
        then = History(self.interval, self.planned)
        then._grown_after = self._grown_after
        then.steps = self.steps[:looks]
        then._values = _seen(self._values, looks)
        return then

    def state_dict(self) -> dict[str, Any]:
        """Plain types, for the checkpoint."""
        return {
            "interval": self.interval,
            "young": self.young,
            "steps": list(self.steps),
            "values": {name: list(values) for name, values in self._values.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.steps = list(state["steps"])
        young = state.get("young", self.young)
        self._grown_after = young if len(self.steps) > young else None
        self._values = {name: list(values) for name, values in state["values"].items()}


def _seen(values: Mapping[str, list[float]], looks: int) -> dict[str, list[float]]:
    """The first looks, without the signals that had no number yet."""
    first = {name: found[:looks] for name, found in values.items()}
    return {name: found for name, found in first.items() if not all(map(math.isnan, found))}
