"""Deferred handling of interrupts."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Ctrl-C, and the signal of kill, batch systems and a shutdown of the machine."""


class Interruption:
    """Flag that SIGINT or SIGTERM sets."""

    def __init__(self, ignores_repeats: bool) -> None:
        """Sets whether signals after the first are ignored."""
        self.is_requested = False
        self._ignores_repeats = ignores_repeats

    def request(self, signum: int, frame: FrameType | None) -> None:
        """Handles a signal: the first sets the flag, the second raises KeyboardInterrupt."""
        del signum, frame
        if self.is_requested and not self._ignores_repeats:
            raise KeyboardInterrupt
        self.is_requested = True


@contextmanager
def deferred_interrupts(*, ignores_repeats: bool = False) -> Iterator[Interruption]:
    """Turns the first interrupt in this block into a flag, so that files are left complete.

    Only the main thread can handle signals; in other threads the flag is never set.

    Args:
        ignores_repeats: whether further signals are ignored. A worker receives several, from its
            parent and from whatever ends all processes at once.
    """
    interruption = Interruption(ignores_repeats)
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    previous = {number: signal.signal(number, interruption.request) for number in SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def raise_at_termination() -> None:
    """Makes SIGTERM raise KeyboardInterrupt, as SIGINT does, wherever it is not deferred."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
