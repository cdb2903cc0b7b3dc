"""What the runs of a population leave on disk, collected in memory and written now and then."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dqn_exp.csv_file import CsvFile, Mark, problem_of
from dqn_exp.event_file import Chart, EventFile, HParamValue
from dqn_exp.lease import LeaseError, check_lease
from dqn_exp.result import Result, Status
from dqn_exp.run_log import log_of_run
from dqn_exp.run_tables import TABLES

log = logging.getLogger(__name__)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CARRIED = ("steps", "episodes", "updates", "eval_return_mean", "eval_return_std")
"""What of a result goes on where the run goes on."""

LAYOUT = {
    "Is it learning?": (
        Chart(
            "Return of the greedy policy, mean and deviation of the evaluation's episodes",
            ("eval/return_mean", "spread/eval_return_lower", "spread/eval_return_upper"),
            is_band=True,
        ),
        Chart("Return of training episodes", ("episode/return",)),
    ),
    "Are its values right?": (
        Chart(
            "Value of the starting state, predicted and realised",
            ("value/start_predicted", "value/start_realised"),
        ),
        Chart("Overestimation", ("value/overestimation",)),
        Chart("Action gap", ("value/action_gap",)),
    ),
    "Is learning stable?": (
        Chart(
            "TD errors: 10, 50 and 90 % are below",
            ("train/td_error_p10", "train/td_error_p50", "train/td_error_p90"),
        ),
        Chart("Norm of the gradient", ("train/grad_norm",)),
        Chart("Distance of the target network", ("train/target_distance",)),
        Chart("Share of stored transitions without a future", ("replay/terminal_share",)),
    ),
}
"""Of the page of custom scalars: questions, and what answers them."""

FINAL_METRICS = ("eval/return_mean", "eval/return_std", "eval/length_mean", "episode/return")


class RunRecord:
    """The files of one run."""

    def __init__(
        self,
        directory: Path,
        result: Result,
        has_events: bool,
        state: Mapping[str, Any] | None = None,
        lease: str | None = None,
    ) -> None:
        """Args: an existing directory, the result so far, whether TensorBoard is written.

        state: what `state_dict` returned when the run was saved; the files are cut back to it.
        lease: token of the worker that the run belongs to, if it is trained by one.

        Raises:
            OSError: if the files cannot be written.
            ValueError: if they do not fit the state.
        """
        self.directory = directory
        self.result = result
        self._lease = lease
        check_lease(directory, lease)
        if state is not None:
            for name in CARRIED:
                setattr(result, name, state["result"][name])
        marks = {name: Mark(*state["tables"][name]) if state else None for name in TABLES}
        self._tables = {
            name: CsvFile(directory / f"{name}.csv", ",".join(columns), marks[name])
            for name, columns in TABLES.items()
        }
        self._events = None
        if has_events:
            first_step = 0 if state is None else result.steps + 1
            self._events = EventFile(directory, first_step)
        result.write(directory)

    def describe(self, config: str, hparams: Mapping[str, HParamValue]) -> None:
        """Adds the config (YAML) and the columns of the table of hyperparameters."""
        if self._events is not None:
            self._events.add_text("config", f"```yaml\n{config}```")
            session = f"{self.directory.name} in {self.directory.parent}"
            self._events.add_hparams(session, hparams, FINAL_METRICS)
            self._events.add_layout(LAYOUT)

    def add_scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds the values that are known (not nan) at one step."""
        if self._events is not None:
            known = {tag: value for tag, value in values.items() if not math.isnan(value)}
            self._events.add_scalars(step, known)

    def add_episode(self, *values: float) -> None:
        """Adds a finished training episode, in the order of the table's header."""
        self._tables["episodes"].add(*values)

    def add_evaluation(self, step: int, seeds: Ints, returns: Floats, lengths: Ints) -> None:
        """Adds the episodes `[E]` of one evaluation."""
        mean, std = float(returns.mean()), float(returns.std())
        for episode, row in enumerate(
            zip(seeds.tolist(), returns.tolist(), lengths.tolist(), strict=True)
        ):
            self._tables["evaluations"].add(step, episode, *row)
        self.result.eval_return_mean, self.result.eval_return_std = mean, std
        scalars = {
            "eval/return_mean": mean,
            "eval/return_std": std,
            "eval/length_mean": float(lengths.mean()),
            "spread/eval_return_lower": mean - std,
            "spread/eval_return_upper": mean + std,
        }
        self.add_scalars(step, scalars)
        count = len(seeds)
        self.log("Step %d: return %.1f ± %.1f over %d evaluation episodes.", step, mean, std, count)

    def add_gif(self, tag: str, content: bytes, size: tuple[int, int]) -> None:
        """Adds a moving picture at the step at which the run stands."""
        if self._events is not None:
            self._events.add_gif(tag, self.result.steps, content, size)

    def log(self, message: str, *values: object) -> None:
        """Logs what concerns this run."""
        log_of_run(self.directory, message, *values)

    def log_error(self, error: BaseException) -> None:
        """Logs what has ended this run, with its traceback."""
        log_of_run(self.directory, "%s", describe_error(error), error=error)

    def flush(self, *, is_durable: bool = False) -> None:
        """Writes what has been collected to the files; raises OSError if that cannot be.

        Args:
            is_durable: whether to wait until it is all on the disk itself.
        """
        check_lease(self.directory, self._lease)
        for table in self._tables.values():
            table.flush(is_durable=is_durable)
        if self._events is not None:
            self._events.flush(is_durable=is_durable)

    def state_dict(self) -> dict[str, Any]:
        """Returns where the files stand, which are flushed, and the result."""
        return {
            "result": {name: getattr(self.result, name) for name in CARRIED},
            "tables": {name: list(table.mark) for name, table in self._tables.items()},
        }

    def finish(self, status: Status, error: str | None = None) -> None:
        """Writes everything and the result, whose other fields are already set.

        A run whose files cannot be written has failed; that is told on the console.
        """
        mean = self.result.eval_return_mean
        if status == "completed" and mean is not None and not math.isfinite(mean):
            status, error = "diverged", f"The final evaluation has a mean return of {mean}."
        result = self.result
        result.status, result.error = status, error
        result.objective = mean if status == "completed" else None
        try:
            if self._events is not None and result.has_ended:
                self._events.end_hparams(status == "completed")
            self.flush()
            result.write(self.directory)
        except LeaseError as problem:
            result.status, result.error, result.objective = "failed", str(problem), None
            return
        except OSError as problem:
            self._give_up(problem)
        self.log(
            "%s after %d steps, %d episodes and %d updates in %.1f s.%s",
            result.status.capitalize(),
            result.steps,
            result.episodes,
            result.updates,
            result.seconds,
            f" {result.error}" if result.error else "",
        )
        if status == "completed" and result.updates == 0:
            self.log("It never learned: agent.learning_starts was not passed.")

    def _give_up(self, problem: OSError) -> None:
        result = self.result
        if not result.has_ended or result.status == "completed":
            result.status, result.error, result.objective = "failed", describe_error(problem), None
        log.error("The files of %s cannot be written: %s", self.directory, problem)
        try:  # The result is small, and may fit where the rest does not.
            result.write(self.directory)
        except OSError:
            log.error("Its result.json still says what it said before.")


def problems_of_files(directory: Path, state: Mapping[str, Any]) -> list[str]:
    """Returns why the tables of a run cannot be cut back to what `state_dict` returned."""
    marks = {name: Mark(*state["tables"][name]) for name in TABLES}
    found = (problem_of(directory / f"{name}.csv", mark) for name, mark in marks.items())
    return [problem for problem in found if problem is not None]


def describe_error(error: BaseException) -> str:
    """Returns an error's kind and message in one line, as `result.json` has it."""
    return f"{type(error).__name__}: {error}"


def add_episodes(
    records: Sequence[RunRecord],
    steps: Ints,
    episodes: Ints,
    returns: Floats,
    lengths: Ints,
    terminated: npt.NDArray[np.bool_],
) -> None:
    """Adds one finished training episode to each of some records, all arrays `[M]`."""
    columns = (steps, episodes, returns, lengths, terminated.astype(np.int64))
    for record, *row in zip(records, *(column.tolist() for column in columns), strict=True):
        record.add_episode(*row)
