import os
import signal
import threading

import pytest

from dqn_exp.sweep.signals import SIGNALS, deferred_interrupts


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_sets_the_flag_and_the_second_interrupts(number):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), deferred_interrupts() as interruption:
        assert not interruption.is_requested
        os.kill(os.getpid(), number)
        assert interruption.is_requested
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


def test_workers_ignore_further_signals():
    with deferred_interrupts(ignores_repeats=True) as interruption:
        for number in SIGNALS * 2:
            os.kill(os.getpid(), number)
        assert interruption.is_requested


def test_other_threads_do_without():
    found = []

    def defer():
        with deferred_interrupts() as interruption:
            found.append(interruption.is_requested)

    thread = threading.Thread(target=defer)
    thread.start()
    thread.join()
    assert found == [False]
