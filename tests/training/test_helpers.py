"""Threads that help others; what they compute is tested in `agent/native/test_tasks.py`."""

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest

from dqn_exp.training import helpers


def test_an_interrupt_leaves_no_helper_behind(monkeypatch):
    waited: list[list[Future[None]]] = []

    def wait_interrupted(futures):
        waited.append(futures)
        if len(waited) == 1:
            raise KeyboardInterrupt
        wait(futures)

    monkeypatch.setattr(helpers, "wait", wait_interrupted)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(time.sleep, 0.2)
        with pytest.raises(KeyboardInterrupt):
            helpers._wait_for([future])
        assert future.done()


def test_an_error_of_a_helper_is_raised():
    with ThreadPoolExecutor(1) as pool, pytest.raises(ZeroDivisionError):
        helpers._wait_for([pool.submit(lambda: 1 // 0)])
