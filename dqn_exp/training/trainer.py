"""Training loop: advances runs until something is due, then logs, evaluates and saves."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from dqn_exp.core.arrays import BoolArray, Float64Array, IntArray
from dqn_exp.core.per_run import PerRunState
from dqn_exp.files.result import Status
from dqn_exp.files.run_record import RunRecord
from dqn_exp.training.best_policy import BestPolicies
from dqn_exp.training.checkpoint_schedule import CheckpointSchedule
from dqn_exp.training.components import Components
from dqn_exp.training.due import Due, Timetable
from dqn_exp.training.evaluation import EvaluationEpisodes
from dqn_exp.training.metrics import MetricCollector
from dqn_exp.training.monitor import Monitor
from dqn_exp.training.observation_scales import ScaleCheck
from dqn_exp.training.progress import Progress, ProgressSnapshot
from dqn_exp.training.records import Records

log = logging.getLogger(__name__)

FLUSH_SECONDS = 5.0

Ended = dict[int, tuple[Status, str | None]]
"""Status and error of runs that have ended, by row."""


class Trainer(PerRunState):
    """Trains the runs of a population from their current state to the end of their budgets."""

    rows = ("steps", "evaluated_at", "_earlier_seconds")
    saved = ("steps", "evaluated_at")
    parts = (
        *("_engine", "_n_step", "_episodes", "_evaluation", "_best"),
        *("_schedule", "_timetable", "_records"),
    )

    def __init__(
        self,
        components: Components,
        records: Sequence[RunRecord],
        timetable: Timetable,
        *,
        on_end: Callable[[], None],
        progress: Progress,
        should_stop: Callable[[], bool],
        monitor: Monitor,
    ) -> None:
        """Starts at step 0 of all runs.

        Args:
            components: parts of the population.
            records: files of the runs, in the order of the rows.
            timetable: budgets and periods.
            on_end: called when runs have ended, after their results are written.
            progress: shows the progress.
            should_stop: asked about once a second or more often; true interrupts the runs.
            monitor: takes the evaluations, and prunes runs.
        """
        count = len(records)
        self._agent, self._engine = components.agent, components.engine
        self._stepper, self._compile = components.stepper, components.compile
        self._n_step = components.n_step
        self._scales = ScaleCheck(components.buffer, components.checks_scales)
        self._episodes, self._evaluation = components.episodes, components.evaluation
        self._records, self._timetable = Records(records), timetable
        self._on_end, self._progress, self._should_stop = on_end, progress, should_stop
        self._monitor = monitor
        self.steps = np.zeros(count, dtype=np.int64)
        self.evaluated_at = np.full(count, -1)
        self._earlier_seconds = np.array([record.result.seconds for record in records])
        self._ended_steps = 0
        self._began = time.perf_counter()
        self._next_flush = self._began + FLUSH_SECONDS
        self._metrics = MetricCollector(components)
        self._schedule = CheckpointSchedule(count)
        self._best = BestPolicies(components.agent, components.normalization)

    def train(self) -> None:
        """Trains until every run has ended or `should_stop` returns true."""
        self._compile()
        self._began = time.perf_counter()
        # A run may have been saved at its very end, and killed before its result was written.
        is_over = self._timetable.is_over(self.steps, self._episodes.counts)
        is_over |= self._is_good(np.arange(len(self._records)))
        self._end(dict.fromkeys(np.flatnonzero(is_over).tolist(), ("completed", None)))
        self._end(self._pruned())
        while len(self._records) and not self._should_stop():
            self.advance()
            if time.perf_counter() > self._next_flush:
                self._flush()
            self._show_progress()
        self._fail(self._save(range(len(self._records))))
        self.end_all("interrupted")

    def advance(self) -> None:
        """Lets all live runs advance, and does everything that is due afterwards."""
        previous = self.steps
        until = self._timetable.next_due(previous)
        stretch = self._stepper.advance(previous, until, self._timetable.total_episodes)
        self.steps = stretch.steps
        self._records.add_episodes(stretch.finished)
        due = self._timetable.due(previous, self.steps, self._episodes.counts)
        if stretch.errors or due.any() or stretch.diverged.any():
            self._record(due, stretch.diverged, dict(stretch.errors))
        if errors := self._save(self._schedule.due_rows()):
            self._fail(errors)

    def end_all(self, status: Status, error: str | None = None) -> None:
        """Ends all live runs with a status."""
        self._end(dict.fromkeys(range(len(self._records)), (status, error)))

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Overwrites one run with the return value of `state_dict`.

        Raises:
            ValueError: If the state does not fit; the run is then unusable.
        """
        super().load_state_dict(run, state)
        if (reason := self._episodes.lost.pop(run, None)) is not None:
            self._n_step.forget(run)
            self._records[run].log("The current episode is lost, and a new one begins: %s.", reason)

    def restore(self, loaders: Sequence[Callable[[], dict[str, Any]] | None]) -> None:
        """Restores runs one after the other; a run whose state does not fit has failed.

        Args:
            loaders: return the state of a run, as from `state_dict`; None starts from step 0.
        """
        errors: dict[int, Exception] = {}
        for row, load in enumerate(loaders):
            try:
                if load is not None:
                    # Saving takes about as long as loading.
                    with self._schedule.expected():
                        self.load_state_dict(row, load())
            except Exception as error:  # A foreign file may cause any error.
                errors[row] = error
        self._fail(errors)

    def close(self) -> None:
        """Ends the threads, and closes the environments."""
        self._stepper.close()
        self._episodes.close()
        self._evaluation.close()

    def _record(self, due: Due, diverged: BoolArray, errors: dict[int, Exception]) -> None:
        for row in errors:
            for flags in (*due, diverged):
                flags[row] = False
        for row in np.flatnonzero(due.evaluated | due.saved | due.over).tolist():
            diverged[row] |= not self._agent.is_finite(row)
        if len(rows := np.flatnonzero(due.logged | due.over | diverged)):
            self._scales.check(int(rows[0]))
            values = self._metrics.collect(rows, self.steps, self._seconds)
            self._records.add_scalars(rows, self.steps, values)
        evaluated = np.flatnonzero((due.evaluated | due.over) & ~diverged)
        errors |= self._evaluate(evaluated)
        is_kept = [due.evaluated[row] and row not in errors for row in evaluated.tolist()]
        kept = evaluated[np.array(is_kept, dtype=np.bool_)]
        self._best.add_evaluation(kept, self.steps[kept], self._records.newest_returns(kept))
        due.over[evaluated] |= self._is_good(evaluated)
        ended: Ended = {
            row: ("diverged", f"Loss or parameters not finite at step {self.steps[row]}.")
            for row in np.flatnonzero(diverged).tolist()
        }
        over = [row for row in np.flatnonzero(due.over & ~diverged).tolist() if row not in errors]
        errors |= self._save(over, is_last=True)
        ended |= {row: ("completed", None) for row in over if row not in errors}
        self._schedule.mark_due(due.saved)
        self._fail(errors, self._pruned() | ended)

    def _is_good(self, rows: IntArray) -> BoolArray:
        """Returns which rows `[M]` have reached the return at which they stop."""
        return self._timetable.is_good(rows, self._records.newest_returns(rows))

    def _best_policy(self, row: int) -> dict[str, Any] | None:
        return self._best.policy(row, int(self.steps[row]), self._return_now(row))

    def _return_now(self, row: int) -> float | None:
        """Returns the mean return of an evaluation at the current step of a run, if any."""
        is_new = self.evaluated_at[row] == self.steps[row]
        return self._records[row].result.eval_return_mean if is_new else None

    def _pruned(self) -> Ended:
        """Returns the runs that the monitor prunes."""
        is_pruned = np.isin(self._records.runs, list(self._monitor.pruned))
        return dict.fromkeys(np.flatnonzero(is_pruned).tolist(), ("pruned", None))

    def _evaluate(self, rows: IntArray) -> dict[int, Exception]:
        rows = rows[self.evaluated_at[rows] != self.steps[rows]]
        if not len(rows):
            return {}
        on_step = partial(self._show_progress, is_evaluating=True)
        played = self._evaluation.evaluate(self._engine, rows, on_step)
        all_values = self._metrics.evaluation_metrics(rows, played)
        for index, row in enumerate(rows):
            if index not in played.errors:
                seeds, step = self._evaluation.seeds[row], int(self.steps[row])
                record = self._records[row]
                record.add_evaluation(step, seeds, played.returns[index], played.lengths[index])
                record.add_scalars(step, all_values[index])
                run = int(self._records.runs[row])
                self._monitor.add_evaluation(run, step, played.returns[index])
        self.evaluated_at[rows] = self.steps[rows]
        errors = {int(rows[index]): error for index, error in played.errors.items()}
        return errors | self._write_filmstrips(rows, played)

    def _write_filmstrips(self, rows: IntArray, played: EvaluationEpisodes) -> dict[int, Exception]:
        """Writes frames of evaluation episodes of rows `[M]`; returns errors by row."""
        errors: dict[int, Exception] = {}
        for index, filmstrip in enumerate(played.filmstrips):
            row = int(rows[index])
            try:
                if index not in played.errors:
                    self._records[row].write_filmstrip(filmstrip.to_file(int(self.steps[row])))
            except OSError as error:
                errors[row] = error
        return errors

    def _save(self, rows: Iterable[int], *, is_last: bool = False) -> dict[int, Exception]:
        """Writes the checkpoints of finite runs; returns errors by row."""
        errors: dict[int, Exception] = {}
        for row in rows:
            try:
                if self._agent.is_finite(row):
                    self._count(row)
                    best = self._best_policy(row)
                    self._records[row].save(self.state_dict(row), best, is_last=is_last)
            except Exception as error:  # Of its files, or of the state of its environment.
                errors[row] = error
        return errors

    def _flush(self) -> None:
        self._fail(self._records.flush())
        self._next_flush = time.perf_counter() + FLUSH_SECONDS

    def _fail(self, errors: Mapping[int, Exception], ended: Ended | None = None) -> None:
        """Ends the runs that have failed, by row, together with others."""
        all_ended: Ended = dict(ended or {})
        for row, error in errors.items():
            all_ended[row] = "failed", self._records[row].take_error(error)
        self._end(all_ended)
        if errors and (count := len(self._records)):
            log.info("The other run goes on." if count == 1 else f"The other {count} runs go on.")

    def _end(self, ended: Ended) -> None:
        for row in sorted(ended, reverse=True):
            self._finish(row, *ended[row])
        if ended:
            self._on_end()

    def _finish(self, row: int, status: Status, error: str | None = None) -> None:
        record = self._records[row]
        self._count(row)
        record.finish(status, error, self._best_policy(row))
        self._ended_steps += record.result.steps
        self.retire(row)

    def _count(self, row: int) -> None:
        result = self._records[row].result
        result.steps, result.episodes = int(self.steps[row]), int(self._episodes.counts[row])
        result.updates = int(self._agent.updates[row])
        result.seconds = round(float(self._seconds[row]), 3)
        if best := self._best.best(row, int(self.steps[row]), self._return_now(row)):
            result.best_step, result.best_return_mean = best

    @property
    def _seconds(self) -> Float64Array:
        """Wall time `[N]` while the runs were live, including earlier sessions."""
        now: Float64Array = self._earlier_seconds + (time.perf_counter() - self._began)
        return now

    def _show_progress(self, *, is_evaluating: bool = False) -> None:
        if time.perf_counter() > self._progress.next_update:
            self._progress.update(self._snapshot()._replace(is_evaluating=is_evaluating))

    def _snapshot(self) -> ProgressSnapshot:
        num_runs, num_live = len(self._records.all), len(self._records)
        shares = self._timetable.shares_done(self.steps, self._episodes.counts)
        known = self._episodes.newest_returns[~np.isnan(self._episodes.newest_returns)]
        return ProgressSnapshot(
            share=(num_runs - num_live + shares.sum()) / num_runs,
            num_live=num_live,
            num_runs=num_runs,
            run_steps=self._ended_steps + int(self.steps.sum()),
            mean_return=known.mean() if len(known) else np.nan,
        )
