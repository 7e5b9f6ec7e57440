"""The file of a run's verdicts, one JSON object a line."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from gan_lightning.runs import parse_events, plain_json, write_atomically

__all__ = ["EventsFile"]


@final
class EventsFile:
    """A file to which events are appended, each of them on the disk before `append` returns.

    A crash can tear the last line only; it is passed over when reading and dropped at the next
    append.

    Args:
        path: The file; it is made at the first append.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, event: Mapping[str, Any]) -> None:
        """Add an event.

        Args:
            event: Plain types; NaN and the infinities become null.

        Raises:
            OSError: If the file cannot be written.
        """
        line = json.dumps(plain_json(event), allow_nan=False, ensure_ascii=False) + "\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a+b") as file:
            file.seek(0)
            whole = file.read().rfind(b"\n") + 1
            file.truncate(whole)  # a torn last line
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> list[dict[str, Any]]:
        """All events, oldest first; none where there is no file.

        Raises:
            ValueError: If a line other than a torn last one is not a JSON object.
        """
        if not self.path.exists():
            return []
        text = self.path.read_text(encoding="utf-8", errors="replace")
        return parse_events(self.path, text)

    def truncate_after(self, step: int) -> list[dict[str, Any]]:
        """Drop the events after a step, from which a run is resumed; a file without any goes.

        Args:
            step: Generator updates.

        Returns:
            The events that were dropped.

        Raises:
            OSError: If the file cannot be written; it is then as it was.
            ValueError: If a line other than a torn last one is not a JSON object.
        """
        events = self.read()
        kept = [event for event in events if _step(event) <= step]
        if len(kept) < len(events):
            lines = (json.dumps(event, ensure_ascii=False) + "\n" for event in kept)
            write_atomically(self.path, "".join(lines))
        if not kept:
            self.path.unlink(missing_ok=True)
        return [event for event in events if _step(event) > step]


def _step(event: Mapping[str, Any]) -> float:
    """Generator updates of an event; one without a step was there from the beginning."""
    step = event.get("step")
    return step if isinstance(step, int | float) else 0
