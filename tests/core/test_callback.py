"""Calls from compiled code back into Python."""

import os
import signal
import threading

import numba
import pytest

from dqn_exp.core.callback import call_back, callback


@numba.njit(nogil=True)
def count_calls(address: int, most: int) -> int:
    """Calls until a call fails; returns the calls that did not."""
    for count in range(most):
        if not call_back(address):
            return count
    return most


def test_compiled_code_calls_a_function_of_python():
    found: list[int] = []
    with callback(lambda: found.append(len(found))) as address:
        assert count_calls(address, 5) == 5
    assert found == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_ends_the_calls_and_is_raised_after_them(kind):
    calls = []

    def fail_third() -> None:
        calls.append(None)
        if len(calls) == 3:
            raise kind("the third call")

    with pytest.raises(kind, match="the third call"), callback(fail_third) as address:
        assert count_calls(address, 10) == 2
    assert len(calls) == 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_at_any_moment_ends_the_calls_and_is_raised_after_them():
    """Handlers also run between the function and the code that calls it."""

    class Stop(KeyboardInterrupt):
        pass

    def stop(_number, _frame):
        raise Stop

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        for trial in range(20):
            calls = []
            seconds = 0.02 + 0.0007 * trial
            timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGUSR1))
            with (
                pytest.raises(KeyboardInterrupt),
                callback(lambda calls=calls: calls.append(None)) as address,
            ):
                timer.start()
                count = count_calls(address, 2**40)
            timer.join()
            assert len(calls) - count in (0, 1)  # The last call may have been interrupted.
    finally:
        signal.signal(signal.SIGUSR1, before)
