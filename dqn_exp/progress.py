"""How far a population is: a bar on a terminal, a line now and then elsewhere."""

import logging
import math
import os
import sys
import time
from typing import NamedTuple

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

log = logging.getLogger(__name__)

BAR_SECONDS = 0.2
FIRST_LINE_SECONDS, MOST_LINE_SECONDS = 10.0, 120.0


class Standing(NamedTuple):
    """Where a population stands.

    share: of the work that is done, in [0, 1].
    num_live: runs that still train.
    num_runs: runs that the population began with.
    run_steps: steps of all runs together.
    mean_return: mean over the live runs of their newest episode's return; nan before the first.
    """

    share: float
    num_live: int
    num_runs: int
    run_steps: int
    mean_return: float


class NoProgress:
    """Shows nothing."""

    next_update = float("inf")

    def update(self, standing: Standing) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""


class ProgressBar:
    """A bar with the time that is left, live runs, steps of all runs a second, newest returns."""

    def __init__(self) -> None:
        """Opens the bar on standard error; the log is then written above it."""
        self._redirection = logging_redirect_tqdm()
        self._redirection.__enter__()
        self._pace = _Pace()
        self.next_update = time.perf_counter()
        form = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
        self._bar = tqdm(total=1.0, bar_format=form, dynamic_ncols=True, leave=False)

    def update(self, standing: Standing) -> None:
        """Shows where the population stands."""
        _, steps_per_second = self._pace.measure(standing)
        self._bar.set_postfix_str(_describe(standing, steps_per_second), refresh=False)
        self._bar.n = standing.share
        self._bar.refresh()
        self.next_update = time.perf_counter() + BAR_SECONDS

    def close(self) -> None:
        """Takes the bar away."""
        self._bar.close()
        self._redirection.__exit__(None, None, None)


class ProgressLines:
    """A line of the log after ten seconds, then ever more seldom, at least every two minutes.

    What is left is told from the pace since the line before, or at first since the first tick.
    """

    def __init__(self) -> None:
        """Asks for the standing at the first tick, from which it counts."""
        self._pace = _Pace()
        self._pause = FIRST_LINE_SECONDS
        self.next_update = time.perf_counter()

    def update(self, standing: Standing) -> None:
        """Logs where the population stands, but at the first tick."""
        is_first = self._pace.is_unknown
        share_per_second, steps_per_second = self._pace.measure(standing)
        if not is_first:
            left = "?"
            if share_per_second > 0:
                left = f"{(1 - standing.share) / share_per_second:.0f}"
            described = _describe(standing, steps_per_second)
            log.info("%.0f%% done, about %s s left, %s", 100 * standing.share, left, described)
            self._pause = min(1.5 * self._pause, MOST_LINE_SECONDS)
        self.next_update = time.perf_counter() + self._pause

    def close(self) -> None:
        """Does nothing."""


class _Pace:
    """How fast a population goes on, from one standing to the next.

    What runs that go on had done before does not count.
    """

    def __init__(self) -> None:
        self._before: tuple[float, Standing] | None = None

    @property
    def is_unknown(self) -> bool:
        return self._before is None

    def measure(self, standing: Standing) -> tuple[float, float]:
        """Returns the share of the work and the steps of all runs a second, nan at first."""
        now = time.perf_counter()
        then, before = self._before or (math.nan, standing)
        self._before = now, standing
        seconds = now - then
        return (
            (standing.share - before.share) / seconds,
            (standing.run_steps - before.run_steps) / seconds,
        )


Progress = NoProgress | ProgressBar | ProgressLines


def make_progress(is_shown: bool) -> Progress:
    """Returns what shows the progress where standard error leads to."""
    if not is_shown:
        return NoProgress()
    return ProgressBar() if _terminal_width() > 0 else ProgressLines()


def _terminal_width() -> int:
    # Some terminals, such as those of containers, have no width; a bar would not be seen there.
    if not sys.stderr.isatty():
        return 0
    return os.get_terminal_size(sys.stderr.fileno()).columns


def _describe(standing: Standing, steps_per_second: float) -> str:
    newest = "none yet" if math.isnan(standing.mean_return) else f"{standing.mean_return:.1f}"
    rate = "?" if math.isnan(steps_per_second) else f"{steps_per_second:,.0f}"
    live = f"{standing.num_live}/{standing.num_runs} runs live"
    return f"{live}, {rate} run-steps/s, return {newest}"
