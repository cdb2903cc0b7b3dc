"""Schedules of hyperparameters over a run's own steps."""

import numpy as np

from dqn_exp.core.arrays import BoolArray, Float64Array, IntArray
from dqn_exp.core.jit import cached_jit
from dqn_exp.core.per_run import PerRunState

NUM_BITS = 62
"""Bits of the number of decay steps."""


class Schedule(PerRunState):
    """Decays from `start` to `end` over `decay_steps`, then stays constant.

    Each step changes the value by the same difference or, if exponential, by the same factor.
    """

    rows = ("_start", "_end", "_decay_steps", "_is_exponential", "_factors")

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
        self._start, self._end = start, end
        self._is_constant = bool((start == end).all())
        self._decay_steps = decay_steps
        self._is_exponential = is_exponential
        # Factors of 1, 2, 4, ... steps, so that powers are computed by products alone.
        exponents = np.minimum(2.0 ** np.arange(NUM_BITS), decay_steps[:, None])
        ratios = np.where(is_exponential, end, 1.0) / np.where(is_exponential, start, 1.0)
        self._factors = ratios[:, None] ** (exponents / decay_steps[:, None])

    def value(self, steps: IntArray) -> Float64Array:
        """Returns the values `[N]` at the runs' own steps `[N]`; they must not be modified."""
        if self._is_constant:
            return self._end
        values = np.empty(len(steps))
        _values(
            self._start,
            self._end,
            self._decay_steps,
            self._is_exponential,
            self._factors,
            steps,
            values,
        )
        return values


@cached_jit
def _values(
    start: Float64Array,
    end: Float64Array,
    decay_steps: IntArray,
    is_exponential: BoolArray,
    factors: Float64Array,
    steps: IntArray,
    values: Float64Array,
) -> None:
    """Writes `values [N]`, as `Schedule.value` returns them; `factors` are `[N, NUM_BITS]`."""
    for run in range(len(steps)):
        passed = min(steps[run], decay_steps[run])
        if passed == decay_steps[run]:
            values[run] = end[run]
        elif is_exponential[run]:
            values[run] = start[run]
            for bit in range(NUM_BITS):
                if passed >> bit & 1:
                    values[run] *= factors[run, bit]
        else:
            remaining = 1.0 - passed / decay_steps[run]
            values[run] = end[run] + (start[run] - end[run]) * remaining
