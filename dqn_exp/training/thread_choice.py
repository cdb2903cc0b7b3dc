"""Choice of a number of threads by measurement."""

NUM_TRIALS = 2
"""Stretches that each candidate is measured for."""

NUM_STRETCHES = 100
"""Stretches after which the candidates are measured again."""


class ThreadChoice:
    """Chooses between one thread and several, where threads may wait for the GIL.

    Environments in Python hold the lock while they step. Handing it from thread to thread may take
    longer than what threads save.
    """

    def __init__(self, num_threads: int) -> None:
        """Takes the number of threads to compare with a single one."""
        self._candidates = sorted({1, num_threads})
        self._begin()

    @property
    def num_threads(self) -> int:
        """Threads of the next stretch."""
        if self._stretches < NUM_TRIALS * len(self._candidates):
            return self._candidates[self._stretches % len(self._candidates)]
        return max(self._candidates, key=lambda candidate: self._rates[candidate])

    def note(self, rate: float) -> None:
        """Takes the run-steps per second of a stretch with `num_threads`."""
        used = self.num_threads
        self._rates[used] = max(self._rates[used], rate)
        self._stretches += 1
        if self._stretches == NUM_STRETCHES:
            self._begin()

    def _begin(self) -> None:
        self._stretches = 0
        self._rates = dict.fromkeys(self._candidates, 0.0)
