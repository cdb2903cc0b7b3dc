"""Ctrl-C that waits for the end of a step."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Whether the user has asked to stop."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.is_asked = False

    def ask(self, signum: int, frame: FrameType | None) -> None:
        """Handles a signal: the first is remembered, the second raises KeyboardInterrupt."""
        del signum, frame
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True


@contextmanager
def deferred_interrupts() -> Iterator[Interruption]:
    """Turns the first SIGINT in this block into a flag, so that files are left whole.

    Signals can only be handled in the main thread; elsewhere the flag stays down.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    previous = signal.signal(signal.SIGINT, interruption.ask)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, previous)
