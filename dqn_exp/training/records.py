"""The records of a population's runs, by row."""

from collections.abc import Mapping, Sequence

import numpy as np

from dqn_exp.core.arrays import Float64Array, IntArray
from dqn_exp.core.per_run import PerRunState
from dqn_exp.files.run_record import RunRecord, add_episodes
from dqn_exp.training.episodes import FinishedEpisodes


class Records(PerRunState):
    """Finds the record of the run in a row, and writes to several records at once.

    Attributes:
        all: records of all runs, also of those that have ended.
        runs: `[N]` indices in `all`, by row.
    """

    rows = ("runs",)

    def __init__(self, records: Sequence[RunRecord]) -> None:
        """Takes the records in the order of the rows."""
        self.all = records
        self.runs = np.arange(len(records))

    def __getitem__(self, row: int) -> RunRecord:
        """Returns the record of the run in a row."""
        return self.all[int(self.runs[row])]

    def __len__(self) -> int:
        """Returns the number of live runs."""
        return len(self.runs)

    def add_episodes(self, finished: FinishedEpisodes) -> None:
        """Adds finished episodes."""
        rows, numbers, steps, returns, lengths, terminated = finished
        columns = (numbers, returns, lengths, terminated.astype(np.int64))
        records = [self[row] for row in rows.tolist()]
        add_episodes(records, steps, [column.tolist() for column in columns])

    def add_scalars(
        self, rows: IntArray, steps: IntArray, all_values: Sequence[Mapping[str, float]]
    ) -> None:
        """Adds scalars of rows `[M]`, given the runs' own steps `[N]`."""
        for row, values in zip(rows, all_values, strict=True):
            self[row].add_scalars(int(steps[row]), values)

    def newest_returns(self, rows: IntArray) -> Float64Array:
        """Returns the mean returns `[M]` of the newest evaluations of rows; NaN without one."""
        newest = [self[row].result.eval_return_mean for row in rows.tolist()]
        return np.array(newest, dtype=np.float64)

    def flush(self) -> dict[int, Exception]:
        """Writes what all live runs have collected; returns errors by row."""
        errors: dict[int, Exception] = {}
        for row in range(len(self)):
            try:
                self[row].flush()
            except OSError as error:
                errors[row] = error
        return errors
