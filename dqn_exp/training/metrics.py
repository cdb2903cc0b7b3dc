"""Collection of the TensorBoard scalars of a population."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dqn_exp.core.arrays import Float32Array, Float64Array, IntArray
from dqn_exp.core.transition import Transition
from dqn_exp.files.tags import Tag
from dqn_exp.training.components import Components
from dqn_exp.training.custom_metrics import MetricInput
from dqn_exp.training.evaluation import EvaluationEpisodes

Column = npt.NDArray[Any]

NUM_PROBED = 64
"""Stored observations, evenly spaced over a buffer, that the action gap is averaged over."""

MOST_PROBED = 2_000_000
"""Numbers of stored observations that are read at a time, unless one run has more."""

MAX_COUNTED = 16_384
"""Transitions of a buffer that are searched for terminal ones: all, up to this size."""


class MetricCollector:
    """Collects the TensorBoard scalars of a population."""

    def __init__(self, components: Components) -> None:
        """Takes the parts whose metrics are collected, and metrics of the user."""
        self._agent, self._engine = components.agent, components.engine
        self._buffer, self._episodes = components.buffer, components.episodes
        self._custom = components.custom_metrics

    def collect(
        self, rows: IntArray, steps: IntArray, seconds: Float64Array
    ) -> list[dict[str, float]]:
        """Returns the scalars of rows `[M]` by tag; NaN where a value is unknown.

        Args:
            rows: with an entry now.
            steps: `[N]` the runs' own steps.
            seconds: `[N]` wall time while the runs were live.
        """
        with _undisturbed():
            returns, lengths = np.array(self._episodes.take_means(rows)).T
            columns: dict[Tag, Column] = {
                Tag.EPISODE_RETURN: returns,
                Tag.EPISODE_LENGTH: lengths,
                **self._diagnostics(rows),
                Tag.EPSILON: self._agent.epsilon.value(steps)[rows],
                Tag.LEARNING_RATE: self._engine.learning_rate.value(steps)[rows],
                Tag.TARGET_DISTANCE: self._take_distances(rows),
                Tag.ACTION_GAP: self._action_gaps(rows),
                Tag.BUFFER_SIZE: self._buffer.sizes[rows],
                Tag.TERMINAL_SHARE: np.array([self._terminal_share(row) for row in rows]),
                Tag.STEPS_PER_SECOND: steps[rows] / seconds[rows],
            }
            custom = [self._custom_metrics(row, steps) for row in rows]
        return [one | other for one, other in zip(_by_row(columns), custom, strict=True)]

    def evaluation_metrics(
        self, rows: IntArray, played: EvaluationEpisodes
    ) -> list[dict[str, float]]:
        """Returns the scalars of evaluations of rows `[M]` by tag.

        The bias of the values is the predicted value of the best action at the start of an episode
        minus the realized one: the discounted rewards that followed, plus, where the episode was
        truncated and has a future, the discounted value of its last observation.
        """
        with _undisturbed():
            best = self._engine.q_values(rows, played.first_observations).max(2)
            rest = self._engine.q_values(rows, played.last_observations).max(2)
        realized = (played.discounted + rest * played.bootstrap_weights).mean(1)
        predicted = best.mean(1)
        mean, std = played.returns.mean(1), played.returns.std(1)
        return _by_row(
            {
                Tag.EVAL_RETURN_MEAN: mean,
                Tag.EVAL_RETURN_STD: std,
                Tag.EVAL_LENGTH_MEAN: played.lengths.mean(1),
                Tag.EVAL_RETURN_LOWER: mean - std,
                Tag.EVAL_RETURN_UPPER: mean + std,
                Tag.START_PREDICTED: predicted,
                Tag.START_REALIZED: realized,
                Tag.OVERESTIMATION: predicted - realized,
            }
        )

    def _custom_metrics(self, row: int, steps: IntArray) -> dict[str, float]:
        if not self._custom.all or not self._buffer.sizes[row]:
            return {}
        rows = np.array([row])
        stored = self._buffer.read(self._buffer.spread(rows, NUM_PROBED))
        values = self._engine.q_values(rows, stored.observation.cpu().numpy())[0]
        transitions = Transition(*(part[0].cpu() for part in stored))
        return self._custom.compute(MetricInput(int(steps[row]), transitions, values))

    def _diagnostics(self, rows: IntArray) -> dict[Tag, Column]:
        newest = self._engine.diagnostics(rows)._asdict()
        return {Tag(f"train/{name}"): values for name, values in newest.items()}

    def _take_distances(self, rows: IntArray) -> Column:
        # Measured before learning, since a hard target update may coincide with every log entry.
        distances = self._engine.target_distances[rows]
        self._engine.target_distances[rows] = np.nan
        if (unknown := np.isnan(distances)).any():
            distances[unknown] = self._agent.target_distance(rows[unknown])
        return distances

    def _action_gaps(self, rows: IntArray) -> Float32Array:
        """Returns the mean difference `[M]` of the values of the best and second-best action."""
        size = NUM_PROBED * self._episodes.env.shape.num_features
        count = -(-len(rows) * size // MOST_PROBED)
        parts = np.array_split(rows, max(1, min(count, len(rows))))
        return np.concatenate([self._gaps_of(part) for part in parts])

    def _gaps_of(self, rows: IntArray) -> Float32Array:
        observations = self._buffer.read(self._buffer.spread(rows, NUM_PROBED)).observation
        values = np.sort(self._engine.q_values(rows, observations.cpu().numpy()), axis=2)
        is_known = (self._buffer.sizes[rows] > 0) & (values.shape[2] > 1)
        gaps = values[..., -1] - values[..., -2] if values.shape[2] > 1 else values[..., 0]
        return np.where(is_known, gaps.mean(1), np.nan)

    def _terminal_share(self, row: int) -> float:
        """Returns the share of stored transitions without a future; NaN for an empty buffer."""
        discounts = self._buffer.peek(row, MAX_COUNTED).discount
        count = len(discounts)
        return (count - int(np.count_nonzero(discounts.cpu().numpy()))) / count if count else np.nan


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Makes torch use one thread, and numpy ignore infinities and NaN.

    Metrics are cheap to compute and must not depend on the number of threads, not even in the last
    bit. Divergence is reported elsewhere.
    """
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        torch.set_num_threads(num_threads)


def _by_row(columns: Mapping[Tag, Column]) -> list[dict[str, float]]:
    """Returns one mapping per row of columns `[M]`."""
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]
