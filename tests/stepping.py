"""Training by single steps, for tests that look at each of them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dqn_exp.core import jit
from dqn_exp.training import lockstep, segments
from dqn_exp.training.trainer import Trainer


@contextmanager
def single_steps() -> Iterator[None]:
    """Makes every stretch one step long: `should_stop` is asked once before each step.

    Where other processes compile, waiting for them does not ask it.
    """
    wait = jit._wait_for_lock
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jit, "_wait_for_lock", lambda file, _should_stop: wait(file, lambda: False))
        patch.setattr(lockstep, "SECONDS", 0.0)
        patch.setattr(segments, "SECONDS", 0.0)
        patch.setattr(segments, "LEAST_SECONDS", 0.0)
        patch.setattr(segments, "SECONDS_PER_BYTE", 0.0)
        yield


def tick(trainer: Trainer) -> None:
    """Advances all runs by one step."""
    with single_steps():
        trainer.advance()
