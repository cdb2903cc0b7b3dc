"""Values that follow a run's own steps."""

import numpy as np
import numpy.typing as npt

from dqn_exp.per_run import PerRunState

NUM_BITS = 62
"""Of the steps of a decay."""


class Schedule(PerRunState):
    """Goes from `start` to `end` over `decay_steps`, then stays; constant where they are equal.

    On the way it changes each step by the same difference or, if exponential, the same factor.
    """

    rows = ("_start", "_end", "_decay_steps", "_is_exponential", "_factors")

    def __init__(
        self,
        start: npt.NDArray[np.float64],
        end: npt.NDArray[np.float64],
        decay_steps: npt.NDArray[np.int64],
        is_exponential: npt.NDArray[np.bool_],
    ) -> None:
        """Args, all `[N]`: `decay_steps` is positive, and both ends too where exponential."""
        self._start = start
        self._end = end
        self._decay_steps = decay_steps
        self._is_exponential = is_exponential
        # The factors of 1, 2, 4, ... steps. Of them a power is made by products alone, which are
        # rounded alike everywhere, unlike a power function in the vectorised part and the tail
        # of an array; so a run's value does not depend on its neighbours.
        exponents = np.minimum(2.0 ** np.arange(NUM_BITS), decay_steps[:, None])
        ratios = np.where(is_exponential, end, 1.0) / np.where(is_exponential, start, 1.0)
        self._factors = ratios[:, None] ** (exponents / decay_steps[:, None])

    def value(self, steps: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Returns the values `[N]` of the runs at their own steps `[N]`."""
        passed = np.minimum(steps, self._decay_steps)
        remaining = 1.0 - passed / self._decay_steps
        linear = self._end + (self._start - self._end) * remaining
        if not self._is_exponential.any():
            return linear
        has_bit = passed[:, None] >> np.arange(NUM_BITS) & 1 == 1
        factors = np.multiply.reduce(np.where(has_bit, self._factors, 1.0), axis=1)
        exponential = np.where(remaining > 0.0, self._start * factors, self._end)
        return np.where(self._is_exponential, exponential, linear)
