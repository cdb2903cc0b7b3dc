"""Progress of a population: a bar on a terminal, occasional log lines elsewhere."""

import io
import logging
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, Literal, NamedTuple, TypeVar

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from dqn_exp.core.wording import rounded

log = logging.getLogger(__name__)

Item = TypeVar("Item")

BAR_SECONDS = 0.2
FIRST_LINE_SECONDS, MAX_LINE_SECONDS = 10.0, 120.0


class ProgressSnapshot(NamedTuple):
    """Progress of a population at one moment.

    Attributes:
        share: of the work that is done, in [0, 1].
        num_live: runs that are training.
        num_runs: runs that the population started with.
        run_steps: steps of all runs together.
        mean_return: mean over the live runs of the return of their newest training episode, or
            of the mean return of their newest evaluation; NaN before the first.
        is_evaluating: whether evaluation episodes are played.
        return_of: what `mean_return` is of.
    """

    share: float
    num_live: int
    num_runs: int
    run_steps: int
    mean_return: float
    is_evaluating: bool = False
    return_of: Literal["training", "evaluation"] = "training"


class NoProgress:
    """Shows nothing."""

    next_update = float("inf")

    def update(self, snapshot: ProgressSnapshot) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""


class PartOfProgress:
    """Shows a population's progress as part of what several populations have to do."""

    def __init__(
        self,
        whole: "Progress",
        add_others: Callable[[ProgressSnapshot], ProgressSnapshot],
    ) -> None:
        """Takes the progress of all populations.

        Args:
            whole: shows the progress.
            add_others: adds the other populations to a snapshot.
        """
        self._whole, self._add_others = whole, add_others

    @property
    def next_update(self) -> float:
        """When the next update is due."""
        return self._whole.next_update

    def update(self, snapshot: ProgressSnapshot) -> None:
        """Shows the progress."""
        self._whole.update(self._add_others(snapshot))

    def close(self) -> None:
        """Does nothing, since others may go on."""


class ProgressBar:
    """A bar with the remaining time, live runs, steps of all runs per second, newest returns."""

    def __init__(self) -> None:
        """Redirects the log, which is then written above the bar."""
        self._redirection = logging_redirect_tqdm()
        self._redirection.__enter__()
        self._meter = _Meter(sys.stderr)
        self.next_update = time.perf_counter()

    def update(self, snapshot: ProgressSnapshot) -> None:
        """Shows the progress."""
        self._meter.update(snapshot)
        self.next_update = time.perf_counter() + BAR_SECONDS

    def close(self) -> None:
        """Removes the bar."""
        self._meter.close()
        self._redirection.__exit__(None, None, None)


class ProgressLines:
    """A log line after ten seconds, then at increasing intervals of at most two minutes."""

    def __init__(self) -> None:
        """Takes the first snapshot, to which rates refer, at the first tick."""
        self._meter = _Meter(io.StringIO())
        self._pause = 0.0
        self.next_update = time.perf_counter()

    def update(self, snapshot: ProgressSnapshot) -> None:
        """Logs the progress, except at the first tick."""
        description = self._meter.update(snapshot)
        if self._pause:
            remaining = self._meter.remaining
            log.info("%.0f%% done, %s left, %s", 100 * snapshot.share, remaining, description)
        self._pause = min(1.5 * self._pause or FIRST_LINE_SECONDS, MAX_LINE_SECONDS)
        self.next_update = time.perf_counter() + self._pause

    def close(self) -> None:
        """Closes the meter."""
        self._meter.close()


class _Meter:
    """A tqdm bar that starts at the first snapshot, so rates exclude the work before resuming."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._bar: tqdm[Any] | None = None
        self._first_steps = 0

    def update(self, snapshot: ProgressSnapshot) -> str:
        """Updates the bar; returns its description."""
        if self._bar is None:
            self._bar = _open_bar(self._file, snapshot.share)
            self._first_steps = snapshot.run_steps
        num_steps, elapsed = (
            snapshot.run_steps - self._first_steps,
            self._bar.format_dict["elapsed"],
        )
        rate = num_steps / elapsed if num_steps and elapsed else math.nan
        description = _describe(snapshot, rate)
        self._bar.set_postfix_str(description, refresh=False)
        if advance := snapshot.share - self._bar.n:
            self._bar.update(advance)
        else:  # An update would leave the time since the last one out of the rate.
            self._bar.refresh()
        return description

    @property
    def remaining(self) -> str:
        """The remaining time by tqdm's estimate."""
        assert self._bar is not None
        rate = self._bar.format_dict["rate"]
        if not rate:
            return "unknown time"
        return str(tqdm.format_interval((1.0 - self._bar.n) / rate))

    def close(self) -> None:
        """Removes the bar."""
        if self._bar is not None:
            self._bar.close()


Progress = NoProgress | PartOfProgress | ProgressBar | ProgressLines


def make_progress(is_shown: bool) -> Progress:
    """Returns the kind of progress that suits standard error, or a notebook."""
    if not is_shown:
        return NoProgress()
    return ProgressBar() if _terminal_width() > 0 or _is_notebook() else ProgressLines()


def counted(items: Sequence[Item], what: str) -> Iterator[Item]:
    """Yields items, and shows how many there have been: on a terminal in place, else in the log.

    Args:
        items: that take long.
        what: is done with each, as in "Composing job".
    """
    form, next_line = "{desc} {n} of {total}", time.perf_counter() + FIRST_LINE_SECONDS
    shown = tqdm(items, what, leave=False, disable=None, bar_format=form, delay=0.5)
    for number, item in enumerate(shown, 1):
        yield item
        if shown.disable and time.perf_counter() > next_line:
            log.info("%s %d of %d.", what, number, len(items))
            next_line = time.perf_counter() + FIRST_LINE_SECONDS


def _open_bar(file: IO[str], share: float) -> "tqdm[Any]":
    return tqdm(
        total=1.0,
        initial=share,
        bar_format="{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
        dynamic_ncols=True,
        leave=False,
        file=file,
        mininterval=0.0,
        miniters=0,
    )


def _terminal_width() -> int:
    # Some terminals, such as those of containers, have no size; a bar would be invisible there.
    if not sys.stderr.isatty():
        return 0
    size = os.get_terminal_size(sys.stderr.fileno())
    return size.columns if size.lines else 0


def _is_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def _describe(snapshot: ProgressSnapshot, steps_per_second: float) -> str:
    newest = "none yet" if math.isnan(snapshot.mean_return) else rounded(snapshot.mean_return)
    rate = "?" if math.isnan(steps_per_second) else f"{steps_per_second:,.0f}"
    live = f"{snapshot.num_live}/{snapshot.num_runs} runs live"
    text = f"{live}, {rate} run-steps/s, {snapshot.return_of} return {newest}"
    return f"{text}, evaluating" if snapshot.is_evaluating else text
