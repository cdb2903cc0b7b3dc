"""Schedules of hyperparameters over a run's own steps."""

import numpy as np

from dqn_exp.core.arrays import BoolArray, Float64Array, IntArray
from dqn_exp.core.jit import cached_jit, kernel
from dqn_exp.core.per_run import PerRunState


class Schedule(PerRunState):
    """Decays from `start` to `end` over `decay_steps`, then stays constant.

    Each step changes the value by the same difference or, if exponential, by the same factor.
    """

    rows = ("start", "end", "decay_steps", "is_exponential")

    def __init__(
        self,
        start: Float64Array,
        end: Float64Array,
        decay_steps: IntArray,
        is_exponential: BoolArray,
    ) -> None:
        """Sets the schedules.

        Args:
            start: `[N]` values at step 0; positive if exponential.
            end: `[N]` final values; positive if exponential.
            decay_steps: `[N]`, positive.
            is_exponential: `[N]` whether the decay is exponential rather than linear.
        """
        self.start, self.end = start, end
        self.decay_steps, self.is_exponential = decay_steps, is_exponential
        self._is_constant = bool((start == end).all())

    def value(self, steps: IntArray) -> Float64Array:
        """Returns the values `[N]` at the runs' own steps `[N]`; they must not be modified."""
        if self._is_constant:
            return self.end
        values = np.empty(len(steps))
        _values(self.start, self.end, self.decay_steps, self.is_exponential, steps, values)
        return values


@kernel
def value_at(start: float, end: float, decay_steps: int, is_exponential: bool, step: int) -> float:
    """Returns the value of one schedule at a step."""
    if step >= decay_steps:
        return end
    if is_exponential:
        # One number at a time: for arrays, the rounding of a power may depend on its position.
        value: float = start * (end / start) ** (step / decay_steps)
        return value
    return end + (start - end) * (1.0 - step / decay_steps)


@cached_jit
def _values(
    start: Float64Array,
    end: Float64Array,
    decay_steps: IntArray,
    is_exponential: BoolArray,
    steps: IntArray,
    values: Float64Array,
) -> None:
    """Writes `values [N]`, as `Schedule.value` returns them."""
    for run in range(len(steps)):
        values[run] = value_at(
            start[run], end[run], decay_steps[run], is_exponential[run], steps[run]
        )
