"""Ctrl-C that waits for the end of the step."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any


class DeferredInterrupt:
    """While installed, the first Ctrl-C sets `requested`, the second one interrupts at once.

    Between D's and G's step a game is in no state that a checkpoint could hold.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: Any = None
        self._installed = False

    def install(self) -> None:
        """Take over SIGINT; only the main thread may, elsewhere nothing happens."""
        self.requested = False
        if threading.current_thread() is threading.main_thread() and not self._installed:
            self._previous = signal.signal(signal.SIGINT, self._handle)
            self._installed = True

    def remove(self) -> None:
        """Give SIGINT back."""
        if self._installed:
            # Lightning ignores SIGINT while it shuts down; that stays.
            if signal.getsignal(signal.SIGINT) == self._handle:
                signal.signal(signal.SIGINT, self._previous)
            self._installed = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            self.remove()
            raise KeyboardInterrupt
        self.requested = True
        print(  # a signal handler must not wait for a logger's lock
            "\nCtrl-C: finishing this step and saving; once more stops at once.", file=sys.stderr
        )
