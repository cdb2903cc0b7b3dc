"""The loop: every tick, all live runs make one step of their own, and each learns from its own."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dqn_exp.agent import Agent, Engine
from dqn_exp.buffer import Buffer
from dqn_exp.env import Environments, Outcome
from dqn_exp.evaluation import Evaluation
from dqn_exp.n_step import NStep
from dqn_exp.per_run import PerRunState, is_due
from dqn_exp.progress import Progress, Standing
from dqn_exp.random_streams import RandomStream, episode_seeds
from dqn_exp.recorder import RunRecord, Status, add_episodes
from dqn_exp.transition import Transition

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

FLUSH_SECONDS = 5.0


class Trainer(PerRunState):
    """Trains the runs of a population from their present state to the end of their budgets."""

    rows = (
        "runs",
        "steps",
        "episodes",
        "_observations",
        "_returns",
        "_lengths",
        "_recent",
        "_newest_return",
        "_periods",
        "_total_steps",
        "_total_episodes",
        "_evaluated_at",
    )
    saved = (
        "steps",
        "episodes",
        "_observations",
        "_returns",
        "_lengths",
        "_recent",
        "_newest_return",
        "_evaluated_at",
    )

    def __init__(
        self,
        *,
        agent: Agent,
        engine: Engine,
        n_step: NStep,
        buffer: Buffer,
        environments: Environments,
        seeds: RandomStream,
        evaluation: Evaluation,
        records: Sequence[RunRecord],
        save: Callable[[int, int], None],
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

        seeds: stream of two numbers an episode.
        records: where the runs are recorded, in the order of the rows.
        save: writes the checkpoint of a run, given its present row and its first.
        on_end: called when runs have ended, after their results are written.
        should_stop: asked every tick; the runs are then interrupted.
        """
        count = len(records)
        self._agent, self._engine = agent, engine
        self._n_step, self._buffer = n_step, buffer
        self._environments, self._seeds, self._evaluation = environments, seeds, evaluation
        self._records, self._save, self._on_end = records, save, on_end
        self._progress, self._should_stop = progress, should_stop
        self._total_steps, self._total_episodes = total_steps, total_episodes
        self._periods = np.stack([log_every, evaluate_every, checkpoint_every], 1)
        self.runs = np.arange(count)  # Row -> index of the run in `records`.
        self.steps, self.episodes, self._lengths = np.zeros((3, count), dtype=np.int64)
        self._evaluated_at = np.full(count, -1)
        self._returns = np.zeros(count)
        self._recent = np.zeros((count, 3))  # Episodes since the last entry: count and sums.
        self._newest_return = np.full(count, np.nan)
        self._ended_steps = 0
        self._began = time.perf_counter()
        self._next_flush = self._began + FLUSH_SECONDS
        self._observations = self._start_episodes(self.runs)

    def train(self) -> None:
        """Trains until every run has ended or `should_stop` says so."""
        while len(self.runs) and not self._should_stop():
            self.tick()
            now = time.perf_counter()
            if now > self._next_flush:
                self._flush()
            if now > self._progress.next_update:
                self._progress.update(self._standing())
        for row in range(len(self.runs)):
            if self._agent.is_finite(row):
                self._save_run(row)
        self._finish_all("interrupted")

    def tick(self) -> None:
        """Makes one step of every live run, with all that follows from it."""
        actions = self._engine.act(self._observations, self.steps)
        outcome = self._environments.step(actions)
        self._store(actions, outcome)
        previous, self.steps = self.steps, self.steps + 1
        self._end_episodes(outcome)
        learning = self._agent.is_learning(previous, self.steps, self._buffer.sizes)
        diverged = self._engine.learn(learning, self.steps) if learning.any() else learning
        due = is_due(previous[:, None], self.steps[:, None], self._periods)
        over = (self.steps >= self._total_steps) | (self.episodes >= self._total_episodes)
        if due.any() or over.any() or diverged.any():
            self._record(due, over, diverged)

    def abort(self, error: str) -> None:
        """Ends all live runs as failed."""
        self._finish_all("failed", error)

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns a copy of all that training has made of one run, by part."""
        return {
            "trainer": super().state_dict(run),
            "engine": self._engine.state_dict(run),
            "n_step": self._n_step.state_dict(run),
            "environments": self._environments.state_dict(run),
        }

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Overwrites one run with what `state_dict` returned; it goes on from there."""
        super().load_state_dict(run, state["trainer"])
        self._engine.load_state_dict(run, state["engine"])
        self._n_step.load_state_dict(run, state["n_step"])
        self._environments.load_state_dict(run, state["environments"])

    def close(self) -> None:
        """Frees the environments."""
        self._environments.close()
        self._evaluation.close()

    def _store(self, actions: Ints, outcome: Outcome) -> None:
        discounts = self._agent.discounts(outcome.terminated, outcome.truncated)
        step = Transition(
            self._observations, actions, outcome.rewards[:, None], discounts, outcome.observations
        )
        self._buffer.add(*self._n_step.push(step, outcome.terminated | outcome.truncated))
        self._observations = outcome.observations

    def _end_episodes(self, outcome: Outcome) -> None:
        self._returns += outcome.rewards
        self._lengths += 1
        ended = np.flatnonzero(outcome.terminated | outcome.truncated)
        if not len(ended):
            return
        returns, lengths = self._returns[ended], self._lengths[ended]
        columns = self.steps[ended], self.episodes[ended], returns, lengths
        records = [self._records[run] for run in self.runs[ended]]
        add_episodes(records, *columns, outcome.terminated[ended])
        self._recent[ended] += np.stack([np.ones(len(ended)), returns, lengths], 1)
        self._newest_return[ended] = returns
        self._returns[ended] = self._lengths[ended] = 0
        self.episodes[ended] += 1
        # In place: what the transitions needed of these observations is in the buffer already.
        self._observations[ended] = self._start_episodes(ended)

    def _start_episodes(self, rows: Ints) -> npt.NDArray[np.float32]:
        seeds = episode_seeds(self._seeds.read(rows, self.episodes[rows]))
        return self._environments.reset(rows, seeds)

    def _record(self, due: Bools, over: Bools, diverged: Bools) -> None:
        logged, evaluated, saved = due.T
        for row in np.flatnonzero(evaluated | saved | over).tolist():
            diverged[row] |= not self._agent.is_finite(row)
        self._log(np.flatnonzero(logged | over | diverged))
        self._evaluate(np.flatnonzero((evaluated | over) & ~diverged))
        for row in np.flatnonzero((saved | over) & ~diverged).tolist():
            self._save_run(row)
        ended = np.flatnonzero(over | diverged).tolist()
        for row in reversed(ended):
            if diverged[row]:
                step = self.steps[row]
                self._finish(row, "diverged", f"Loss or parameters not finite at step {step}.")
            else:
                self._finish(row, "completed")
        if ended:
            self._on_end()

    def _save_run(self, row: int) -> None:
        # What is recorded must never lag behind what can be restored.
        run = int(self.runs[row])
        self._records[run].flush()
        self._save(row, run)

    def _log(self, rows: Ints) -> None:
        if not len(rows):
            return
        seconds = time.perf_counter() - self._began
        epsilon = self._agent.epsilon.value(self.steps)
        rates = self._engine.learning_rate.value(self.steps)
        diagnostics = self._engine.diagnostics()
        with np.errstate(invalid="ignore"):  # No episode has finished: nan, which is left out.
            returns, lengths = (self._recent[:, 1:] / self._recent[:, :1]).T
        for row in rows:
            values = {
                "episode/return": returns[row],
                "episode/length": lengths[row],
                **{f"train/{name}": all_[row] for name, all_ in diagnostics._asdict().items()},
                "train/epsilon": epsilon[row],
                "train/learning_rate": rates[row],
                "buffer/size": self._buffer.sizes[row],
                "perf/steps_per_second": self.steps[row] / seconds,
            }
            self._records[self.runs[row]].add_scalars(int(self.steps[row]), values)
        self._recent[rows] = 0

    def _evaluate(self, rows: Ints) -> None:
        rows = rows[self._evaluated_at[rows] != self.steps[rows]]
        if not len(rows):
            return
        with self._engine.policy(rows) as policy:
            returns, lengths = self._evaluation.play(policy, rows)
        for row, its_returns, its_lengths in zip(rows, returns, lengths, strict=True):
            seeds, step = self._evaluation.seeds[row], int(self.steps[row])
            record = self._records[self.runs[row]]
            record.add_evaluation(step, seeds, its_returns, its_lengths)
        self._evaluated_at[rows] = self.steps[rows]

    def _finish(self, row: int, status: Status, error: str | None = None) -> None:
        run = self.runs[row]
        result = self._records[run].result
        result.steps, result.episodes = int(self.steps[row]), int(self.episodes[row])
        result.updates = int(self._agent.updates[row])
        result.seconds = round(time.perf_counter() - self._began, 3)
        self._records[run].finish(status, error)
        self._ended_steps += result.steps
        parts = (self._engine, self._n_step, self._environments, self._seeds, self._evaluation)
        for part in (*parts, self):
            part.retire(row)

    def _finish_all(self, status: Status, error: str | None = None) -> None:
        if len(self.runs):
            for row in reversed(range(len(self.runs))):
                self._finish(row, status, error)
            self._on_end()

    def _flush(self) -> None:
        for run in self.runs.tolist():
            self._records[run].flush()
        self._next_flush = time.perf_counter() + FLUSH_SECONDS

    def _standing(self) -> Standing:
        num_runs, num_live = len(self._records), len(self.runs)
        shares = np.maximum(self.steps / self._total_steps, self.episodes / self._total_episodes)
        known = self._newest_return[~np.isnan(self._newest_return)]
        return Standing(
            share=(num_runs - num_live + shares.sum()) / num_runs,
            num_live=num_live,
            num_runs=num_runs,
            run_steps=self._ended_steps + int(self.steps.sum()),
            mean_return=known.mean() if len(known) else np.nan,
        )
