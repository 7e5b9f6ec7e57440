"""Ctrl-C and SIGTERM that wait for the end of the step."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_MESSAGE = b"\nFinishing this step and saving; Ctrl-C once more stops at once.\n"


class DeferredInterrupt:
    """While installed, the first signal sets `requested`, the second one interrupts at once.

    Between D's and G's step a game is in no state that a checkpoint could hold. SIGTERM, with which
    clusters end a job, is taken over as well: Lightning's own handler talks to the other processes
    from inside the signal, which can wait for ever.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, Any] = {}

    def install(self) -> None:
        """Take the signals over; only the main thread may, elsewhere nothing happens."""
        self.requested = False
        if threading.current_thread() is threading.main_thread() and not self._previous:
            self._previous = {n: signal.signal(n, self._handle) for n in _SIGNALS}

    def remove(self) -> None:
        """Give the signals back, but for those that somebody else has taken since."""
        for number, previous in self._previous.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, previous)
        self._previous = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            self.remove()
            raise KeyboardInterrupt
        self.requested = True
        with contextlib.suppress(OSError):
            os.write(2, _MESSAGE)  # print would not be safe: its buffer may be in use right now
