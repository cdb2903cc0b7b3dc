"""What there is to say of the runs of a population while they train."""

import numpy as np
import numpy.typing as npt

from dqn_exp.agent import Agent, Engine
from dqn_exp.buffer import Buffer
from dqn_exp.episodes import Episodes

Ints = npt.NDArray[np.int64]


class Entries:
    """Collects the scalars of TensorBoard."""

    def __init__(self, agent: Agent, engine: Engine, buffer: Buffer, episodes: Episodes) -> None:
        """Args: the parts that know them."""
        self._agent, self._engine = agent, engine
        self._buffer, self._episodes = buffer, episodes

    def collect(
        self, rows: Ints, steps: Ints, seconds: npt.NDArray[np.float64]
    ) -> list[dict[str, float]]:
        """Returns for some rows `[M]` the values by tag; nan where one is not known.

        Args:
            rows: that have an entry now.
            steps: `[N]` at which the runs stand.
            seconds: `[N]` that they have been live.
        """
        epsilon = self._agent.epsilon.value(steps)
        rates = self._engine.learning_rate.value(steps)
        diagnostics = self._engine.diagnostics()
        means = self._episodes.take_means(rows)
        return [
            {
                "episode/return": mean_return,
                "episode/length": length,
                **{f"train/{name}": all_[row] for name, all_ in diagnostics._asdict().items()},
                "train/epsilon": epsilon[row],
                "train/learning_rate": rates[row],
                "buffer/size": self._buffer.sizes[row],
                "perf/steps_per_second": steps[row] / seconds[row],
            }
            for row, (mean_return, length) in zip(rows, means, strict=True)
        ]
