"""What there is to say of the runs of a population while they train."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dqn_exp.agent import Agent, Engine
from dqn_exp.buffer import Buffer
from dqn_exp.episodes import Episodes
from dqn_exp.evaluation import Played

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Column = npt.NDArray[Any]

NUM_PROBED = 64
"""Stored observations, evenly spread over a buffer, over which an action gap is a mean."""

MOST_COUNTED = 16_384
"""Transitions of a buffer that are looked at for their futures: all of one up to this size."""


class Entries:
    """Collects the scalars of TensorBoard."""

    def __init__(self, agent: Agent, engine: Engine, buffer: Buffer, episodes: Episodes) -> None:
        """Args: the parts that know them."""
        self._agent, self._engine = agent, engine
        self._buffer, self._episodes = buffer, episodes
        self._distances: dict[int, float] = {}

    def look_before_learning(self, rows: Ints) -> None:
        """Looks at what learning may change: rows `[M]` have an entry after this tick.

        Where a copy to the target network falls on every entry, its distance would always be 0.
        """
        with _aside():
            distances = self._agent.target_distance(rows)
        self._distances = dict(zip(rows.tolist(), distances.tolist(), strict=True))

    def collect(
        self, rows: Ints, steps: Ints, seconds: npt.NDArray[np.float64]
    ) -> list[dict[str, float]]:
        """Returns for some rows `[M]` the values by tag; nan where one is not known.

        Args:
            rows: that have an entry now.
            steps: `[N]` at which the runs stand.
            seconds: `[N]` that they have been live.
        """
        with _aside():
            return _by_row(self._collect(rows, steps, seconds))

    def _collect(
        self, rows: Ints, steps: Ints, seconds: npt.NDArray[np.float64]
    ) -> dict[str, Column]:
        returns, lengths = np.array(self._episodes.take_means(rows)).T
        diagnostics = self._engine.diagnostics(rows)._asdict()
        return {
            "episode/return": returns,
            "episode/length": lengths,
            **{f"train/{name}": values for name, values in diagnostics.items()},
            "train/epsilon": self._agent.epsilon.value(steps)[rows],
            "train/learning_rate": self._engine.learning_rate.value(steps)[rows],
            "train/target_distance": self._take_distances(rows),
            "value/action_gap": self._action_gaps(rows),
            "replay/size": self._buffer.sizes[rows],
            "replay/terminal_share": np.array([self._terminal_share(row) for row in rows]),
            "perf/steps_per_second": steps[rows] / seconds[rows],
        }

    def judge(self, rows: Ints, played: Played) -> list[dict[str, float]]:
        """Returns for some rows `[M]`, by tag, what the values promised of their evaluations.

        The promise is the value of the best action at the start of an episode, and what came of it
        are the rewards that followed, discounted; where a limit has cut the episode and that is not
        its end, with the value of the last observation.
        """
        with _aside():
            best = self._engine.q_values(rows, played.firsts).max(2)
            rest = self._engine.q_values(rows, played.lasts).max(2) * played.rest_weights
        promised, realised = best.mean(1), (played.discounted + rest).mean(1)
        return _by_row(
            {
                "value/start_predicted": promised,
                "value/start_realised": realised,
                "value/overestimation": promised - realised,
            }
        )

    def _take_distances(self, rows: Ints) -> Column:
        before, self._distances = self._distances, {}
        # A run may have ended at once, as by diverging.
        if not before.keys() >= set(rows.tolist()):
            return self._agent.target_distance(rows)
        return np.array([before[row] for row in rows.tolist()])

    def _action_gaps(self, rows: Ints) -> Floats:
        """Returns `[M]` by how much the best action is better than the next, in the mean."""
        seen = self._buffer.read(self._buffer.spread(rows, NUM_PROBED)).observation
        values = np.sort(self._engine.q_values(rows, seen.cpu().numpy()), axis=2)
        has_any = (self._buffer.sizes[rows] > 0) & (values.shape[2] > 1)
        gaps = values[..., -1] - values[..., -2] if values.shape[2] > 1 else values[..., 0]
        return np.where(has_any, gaps.mean(1), np.nan)

    def _terminal_share(self, row: int) -> float:
        """Returns the share of stored transitions without a future; nan if nothing is stored."""
        discounts = self._buffer.peek(row, MOST_COUNTED).discount
        count = len(discounts)
        return (count - int(np.count_nonzero(discounts.cpu().numpy()))) / count if count else np.nan


@contextmanager
def _aside() -> Iterator[None]:
    """Lets torch use one thread, and numpy compute with what is not finite in silence.

    Little is computed, no bit may depend on the threads, and a run that diverges is told elsewhere.
    """
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        torch.set_num_threads(num_threads)


def _by_row(columns: dict[str, Column]) -> list[dict[str, float]]:
    """Returns one mapping a row of columns `[M]`."""
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]
