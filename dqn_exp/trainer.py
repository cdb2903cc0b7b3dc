"""The loop: every tick, all live runs make one step of their own, and each learns from its own."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dqn_exp.agent import Agent, Engine
from dqn_exp.buffer import Buffer
from dqn_exp.entries import Entries
from dqn_exp.episodes import Episodes
from dqn_exp.evaluation import Evaluation
from dqn_exp.n_step import NStep
from dqn_exp.outcome import Outcome
from dqn_exp.per_run import PerRunState, is_due
from dqn_exp.progress import Progress, Standing
from dqn_exp.recorder import RunRecord, add_episodes, describe_error
from dqn_exp.result import Status
from dqn_exp.saving import Saving
from dqn_exp.transition import Transition

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

FLUSH_SECONDS = 5.0

Ended = dict[int, tuple[Status, str | None]]
"""How runs have ended, and why, by row."""


class Trainer(PerRunState):
    """Trains the runs of a population from their present state to the end of their budgets."""

    rows = (
        "runs",
        "steps",
        "_periods",
        "_total_steps",
        "_total_episodes",
        "_evaluated_at",
        "_earlier_seconds",
    )
    saved = ("steps", "_evaluated_at")

    def __init__(
        self,
        *,
        agent: Agent,
        engine: Engine,
        n_step: NStep,
        buffer: Buffer,
        episodes: Episodes,
        evaluation: Evaluation,
        records: Sequence[RunRecord],
        save: Callable[[int, int, bool], None],
        on_end: Callable[[], None],
        progress: Progress,
        should_stop: Callable[[], bool],
        total_steps: Ints,
        total_episodes: Ints,
        log_every: Ints,
        evaluate_every: Ints,
        checkpoint_every: Ints,
    ) -> None:
        """Args: the parts, and for each run its budgets and periods, in its own steps.

        records: where the runs are recorded, in the order of the rows.
        save: writes the checkpoint of a run, given its present row, its first, and whether it is
            the last one.
        on_end: called when runs have ended, after their results are written.
        should_stop: asked every tick; the runs are then interrupted.
        """
        count = len(records)
        self._agent, self._engine = agent, engine
        self._n_step, self._buffer = n_step, buffer
        self._episodes, self._evaluation = episodes, evaluation
        self._records, self._save, self._on_end = records, save, on_end
        self._progress, self._should_stop = progress, should_stop
        self._total_steps, self._total_episodes = total_steps, total_episodes
        self._periods = np.stack([log_every, evaluate_every, checkpoint_every], 1)
        self.runs = np.arange(count)  # Row -> index of the run in `records`.
        self.steps = np.zeros(count, dtype=np.int64)
        self._evaluated_at = np.full(count, -1)
        self._earlier_seconds = np.array([record.result.seconds for record in records])
        self._ended_steps = 0
        self._quiet_ticks = 0  # In which nothing is due for any run.
        self._began = time.perf_counter()
        self._next_flush = self._began + FLUSH_SECONDS
        self._entries = Entries(agent, engine, buffer, episodes)
        self._saving = Saving(count, agent.is_finite, self._save_run)

    def train(self) -> None:
        """Trains until every run has ended or `should_stop` says so."""
        # A run may have been saved at its very end, and killed before that was told.
        self._end(dict.fromkeys(np.flatnonzero(self._is_over()).tolist(), ("completed", None)))
        while len(self.runs) and not self._should_stop():
            self.tick()
            now = time.perf_counter()
            if now > self._next_flush:
                self._flush()
            if now > self._progress.next_update:
                self._progress.update(self._standing())
        self._fail(self._saving.save_all())
        self._end_all("interrupted")

    def tick(self) -> None:
        """Makes one step of every live run, with all that follows from it."""
        observations = self._episodes.observations
        actions = self._engine.act(observations, self.steps)
        outcome = self._episodes.step(actions)
        self._store(observations, actions, outcome)
        previous, self.steps = self.steps, self.steps + 1
        has_ended = self._end_episodes(outcome)
        learning = self._agent.is_learning(previous, self.steps, self._buffer.sizes)
        if self._quiet_ticks <= 1:  # Something may be due after this tick.
            self._entries.look_before_learning(self._rows_with_entries(previous))
        has_diverged = False
        if np.count_nonzero(learning):  # Ten times as fast as asking whether there is any.
            diverged = self._engine.learn(learning, self.steps)
            has_diverged = bool(np.count_nonzero(diverged))
        errors = self._episodes.take_errors()
        self._quiet_ticks -= 1
        if self._quiet_ticks <= 0 or has_ended or has_diverged or errors:
            if not has_diverged:
                diverged = np.zeros_like(learning)
            self._look(previous, diverged, errors)
        if errors := self._saving.save_owed():
            self._fail(errors)

    def abort(self, error: str) -> None:
        """Ends all live runs as failed."""
        self._end_all("failed", error)

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns a copy of all that training has made of one run, by part."""
        return {
            "trainer": super().state_dict(run),
            "engine": self._engine.state_dict(run),
            "n_step": self._n_step.state_dict(run),
            "episodes": self._episodes.state_dict(run),
        }

    def load_state_dict(self, run: int, state: Mapping[str, Any]) -> None:
        """Overwrites one run with what `state_dict` returned; it goes on from there.

        Raises:
            ValueError: if the state is not one of such a run, which is then of no use.
        """
        super().load_state_dict(run, state["trainer"])
        self._quiet_ticks = 0
        self._engine.load_state_dict(run, state["engine"])
        self._n_step.load_state_dict(run, state["n_step"])
        problem = self._episodes.restore(run, state["episodes"])
        if problem is not None:
            self._n_step.forget(run)
            self._records[self.runs[run]].log(
                "The open episode is lost, and a new one begins: %s.", problem
            )

    def restore(self, loaders: Sequence[Callable[[], Mapping[str, Any]] | None]) -> None:
        """Lets runs go on from what loaders give, one after the other; None: from the beginning.

        What they give is what `state_dict` returned.

        A run whose state does not fit it has failed.
        """
        errors: dict[int, Exception] = {}
        for row, load in enumerate(loaders):
            try:
                if load is not None:
                    # Saving will take about as long.
                    with self._saving.expected():
                        self.load_state_dict(row, load())
            except Exception as error:  # Whatever a foreign file may lead to.
                errors[row] = error
        self._fail(errors)

    def close(self) -> None:
        """Frees the environments."""
        self._episodes.close()
        self._evaluation.close()

    def _is_over(self) -> Bools:
        is_over: Bools = (self.steps >= self._total_steps) | (
            self._episodes.counts >= self._total_episodes
        )
        return is_over

    def _store(
        self, observations: npt.NDArray[np.float32], actions: Ints, outcome: Outcome
    ) -> None:
        discounts = self._agent.discounts(outcome.terminated, outcome.truncated)
        step = Transition(
            observations, actions, outcome.rewards[:, None], discounts, outcome.observations
        )
        self._buffer.add(*self._n_step.push(step, outcome.ended))

    def _end_episodes(self, outcome: Outcome) -> bool:
        """Records the episodes that have ended; returns whether there are any."""
        finished = self._episodes.end(outcome)
        if finished is None:
            return False
        rows, numbers, returns, lengths, terminated = finished
        records = [self._records[run] for run in self.runs[rows]]
        add_episodes(records, self.steps[rows], numbers, returns, lengths, terminated)
        return True

    def _rows_with_entries(self, previous: Ints) -> Ints:
        due = is_due(previous, self.steps, self._periods[:, 0]) | (self._num_left() <= 0)
        return np.flatnonzero(due)

    def _look(self, previous: Ints, diverged: Bools, errors: Mapping[int, Exception]) -> None:
        """Looks for what is due since the runs stood at the previous steps, and for their ends."""
        due = is_due(previous[:, None], self.steps[:, None], self._periods)
        over = self._is_over()
        if errors or due.any() or over.any() or diverged.any():
            self._record(due, over, diverged, errors)
        if len(self.runs):
            # Nothing is due before; only the end of an episode, or an error, may come earlier.
            steps = self.steps[:, None]
            nearest = min((self._periods - steps % self._periods).min(), self._num_left().min())
            self._quiet_ticks = int(nearest)

    def _num_left(self) -> Ints:
        return self._total_steps - self.steps

    def _record(
        self, due: Bools, over: Bools, diverged: Bools, errors: Mapping[int, Exception]
    ) -> None:
        for row in errors:
            due[row] = over[row] = diverged[row] = False
        logged, evaluated, saved = due.T
        for row in np.flatnonzero(evaluated | saved | over).tolist():
            diverged[row] |= not self._agent.is_finite(row)
        self._log(np.flatnonzero(logged | over | diverged))
        errors = {**errors, **self._evaluate(np.flatnonzero((evaluated | over) & ~diverged))}
        ended: Ended = {
            row: ("diverged", f"Loss or parameters not finite at step {self.steps[row]}.")
            for row in np.flatnonzero(diverged).tolist()
        }
        for row in np.flatnonzero(over & ~diverged).tolist():
            try:
                if row not in errors:
                    self._save_run(row, is_last=True)
                    ended[row] = "completed", None
            except Exception as error:  # As in `Saving`.
                errors[row] = error
        self._saving.owe(saved)
        self._fail(errors, ended)

    def _log(self, rows: Ints) -> None:
        if len(rows):
            all_values = self._entries.collect(rows, self.steps, self._seconds)
            for row, values in zip(rows, all_values, strict=True):
                self._records[self.runs[row]].add_scalars(int(self.steps[row]), values)

    def _evaluate(self, rows: Ints) -> dict[int, Exception]:
        rows = rows[self._evaluated_at[rows] != self.steps[rows]]
        if not len(rows):
            return {}
        with self._engine.policy(rows) as policy:
            played = self._evaluation.play(policy, rows)
        all_values = self._entries.judge(rows, played)
        for index, row in enumerate(rows):
            if index not in played.errors:
                seeds, step = self._evaluation.seeds[row], int(self.steps[row])
                record = self._records[self.runs[row]]
                record.add_evaluation(step, seeds, played.returns[index], played.lengths[index])
                record.add_scalars(step, all_values[index])
        self._evaluated_at[rows] = self.steps[rows]
        return {int(rows[index]): error for index, error in played.errors.items()}

    def _save_run(self, row: int, *, is_last: bool = False) -> None:
        """Writes the checkpoint of a run; raises whatever keeps it from that."""
        run = int(self.runs[row])
        record = self._records[run]
        self._count(row)
        # What is recorded must never lag behind what can be restored.
        record.flush(is_durable=True)
        self._save(row, run, is_last)
        record.result.write(record.directory)

    def _flush(self) -> None:
        errors = {}
        for row, run in enumerate(self.runs.tolist()):
            try:
                self._records[run].flush()
            except OSError as error:
                errors[row] = error
        self._fail(errors)
        self._next_flush = time.perf_counter() + FLUSH_SECONDS

    def _fail(self, errors: Mapping[int, Exception], ended: Ended | None = None) -> None:
        """Ends the runs that have failed, by row, and others with them."""
        all_ended: Ended = dict(ended or {})
        for row, error in errors.items():
            self._records[self.runs[row]].log_error(error)
            all_ended[row] = "failed", describe_error(error)
        self._end(all_ended)

    def _end(self, ended: Ended) -> None:
        for row in sorted(ended, reverse=True):
            self._finish(row, *ended[row])
        if ended:
            self._on_end()

    def _end_all(self, status: Status, error: str | None = None) -> None:
        self._end(dict.fromkeys(range(len(self.runs)), (status, error)))

    def _finish(self, row: int, status: Status, error: str | None = None) -> None:
        record = self._records[self.runs[row]]
        self._count(row)
        record.finish(status, error)
        self._ended_steps += record.result.steps
        parts = (self._engine, self._n_step, self._episodes, self._evaluation, self._saving)
        for part in (*parts, self):
            part.retire(row)

    def _count(self, row: int) -> None:
        result = self._records[self.runs[row]].result
        result.steps, result.episodes = int(self.steps[row]), int(self._episodes.counts[row])
        result.updates = int(self._agent.updates[row])
        result.seconds = round(float(self._seconds[row]), 3)

    @property
    def _seconds(self) -> npt.NDArray[np.float64]:
        """The wall time `[N]` while the runs were live, that of earlier sessions included."""
        now: npt.NDArray[np.float64] = self._earlier_seconds + (time.perf_counter() - self._began)
        return now

    def _standing(self) -> Standing:
        num_runs, num_live = len(self._records), len(self.runs)
        shares = np.maximum(
            self.steps / self._total_steps, self._episodes.counts / self._total_episodes
        )
        known = self._episodes.newest_returns[~np.isnan(self._episodes.newest_returns)]
        return Standing(
            share=(num_runs - num_live + shares.sum()) / num_runs,
            num_live=num_live,
            num_runs=num_runs,
            run_steps=self._ended_steps + int(self.steps.sum()),
            mean_return=known.mean() if len(known) else np.nan,
        )
