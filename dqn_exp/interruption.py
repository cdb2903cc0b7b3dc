"""Signals to end that wait for the end of a step."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Ctrl-C, and what kill, batch systems and a shutdown of the machine send."""


class Interruption:
    """Whether somebody has asked to stop."""

    def __init__(self, is_patient: bool) -> None:
        """Args: whether only one signal is heard, however many there are."""
        self.is_asked = False
        self._is_patient = is_patient

    def ask(self, signum: int, frame: FrameType | None) -> None:
        """Handles a signal: the first is remembered, the second raises KeyboardInterrupt."""
        del signum, frame
        if self.is_asked and not self._is_patient:
            raise KeyboardInterrupt
        self.is_asked = True


@contextmanager
def deferred_interrupts(*, is_patient: bool = False) -> Iterator[Interruption]:
    """Turns the first signal to end in this block into a flag, so that files are left whole.

    Signals can only be handled in the main thread; elsewhere the flag stays down.

    Args:
        is_patient: whether further signals are ignored. A worker is sent several, by its parent
            and by what ends all processes at once.
    """
    interruption = Interruption(is_patient)
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    previous = {number: signal.signal(number, interruption.ask) for number in SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def raise_at_termination() -> None:
    """Lets SIGTERM raise KeyboardInterrupt, as SIGINT does, wherever it is not deferred."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
