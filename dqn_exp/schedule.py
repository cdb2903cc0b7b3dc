"""Values that follow a run's own steps."""

import numpy as np
import numpy.typing as npt

from dqn_exp.per_run import PerRunState


class LinearSchedule(PerRunState):
    """Goes from `start` to `end` over `decay_steps`, then stays; constant where they are equal."""

    rows = ("_start", "_end", "_decay_steps")

    def __init__(
        self,
        start: npt.NDArray[np.float64],
        end: npt.NDArray[np.float64],
        decay_steps: npt.NDArray[np.int64],
    ) -> None:
        """Args: `start` and `end` `[N]`, and `decay_steps` `[N]`, positive."""
        self._start = start
        self._end = end
        self._decay_steps = decay_steps

    def value(self, steps: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Returns the values `[N]` of the runs at their own steps `[N]`."""
        remaining = np.maximum(1.0 - steps / self._decay_steps, 0.0)
        return self._end + (self._start - self._end) * remaining
