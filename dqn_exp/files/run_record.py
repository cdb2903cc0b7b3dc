"""The files of a run in training, buffered in memory and flushed periodically."""

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from dqn_exp.core.arrays import Float64Array, IntArray
from dqn_exp.core.errors import EpisodeError, describe_error
from dqn_exp.core.wording import quantity, rounded
from dqn_exp.files.checkpoint import Checkpoint, save_checkpoint, save_policy
from dqn_exp.files.csv_table import TABLES, CsvTable, Mark, problem_of
from dqn_exp.files.event_file import Chart, EventFile, HParamValue
from dqn_exp.files.failed_episode import save_failed_episode
from dqn_exp.files.filmstrip_file import FilmstripFile, write_filmstrip
from dqn_exp.files.ownership import OwnershipError, check_ownership
from dqn_exp.files.result import Result, Status
from dqn_exp.files.run_log import log_of_run

log = logging.getLogger(__name__)

COUNTS = ("steps", "episodes", "updates", "eval_return_mean", "eval_return_std")
"""Fields of a result that a checkpoint holds."""


class EarlierFiles(NamedTuple):
    """The state of a run's files at a checkpoint.

    Attributes:
        counts: fields of the result, by name.
        tables: size and checksum of each table.
    """

    counts: Mapping[str, Any]
    tables: Mapping[str, Any]


class RunRecord:
    """The files of one run: tables, event file, checkpoints and result."""

    def __init__(
        self,
        directory: Path,
        result: Result,
        config: Mapping[str, Any],
        earlier: EarlierFiles | None = None,
        token: str | None = None,
        tell: Callable[..., None] = lambda event, *values: None,
    ) -> None:
        """Creates the files of a run, or truncates them to an earlier state.

        Args:
            directory: an existing directory.
            result: so far.
            config: in plain containers.
            earlier: state to truncate the files to; None for new files.
            token: of the worker that owns the run; None outside workers.
            tell: called with each event, on_episode, on_evaluation or on_end, and its values.

        Raises:
            OSError: If the files cannot be written.
            ValueError: If the files do not fit the earlier state.
        """
        self.directory = directory
        self.result = result
        self._config = dict(config)
        self._token = token
        self._tell, self._saved_best = tell, None
        check_ownership(directory, token)
        if earlier is not None:
            for name in COUNTS:
                setattr(result, name, earlier.counts[name])
        marks = {name: Mark(*earlier.tables[name]) if earlier else None for name in TABLES}
        self._tables = {
            name: CsvTable(directory / f"{name}.csv", ",".join(columns), marks[name])
            for name, columns in TABLES.items()
        }
        self._events = None
        if config["log"]["tensorboard"]:
            self._events = EventFile(directory, 0 if earlier is None else result.steps + 1)
        result.write(directory)

    def add_hparams(
        self, group: str, hparams: Mapping[str, HParamValue], metrics: Iterable[str]
    ) -> None:
        """Adds the run to TensorBoard's table of hyperparameters.

        Args:
            group: names the runs that are one row, all with these hyperparameters.
            hparams: columns of hyperparameters.
            metrics: tags of the metrics.
        """
        if self._events is not None:
            self._events.add_hparams(group, hparams, metrics)

    def add_page(self, config: str, charts: Mapping[str, Sequence[Chart]]) -> None:
        """Adds the config and the page of custom scalars to the event file.

        Args:
            config: as YAML.
            charts: of the page, by category.
        """
        if self._events is not None:
            self._events.add_text("config", f"```yaml\n{config}```")
            self._events.add_layout(charts)

    def add_scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds scalars by tag at one step; NaN marks unknown values, which are left out."""
        if self._events is not None:
            known = {tag: value for tag, value in values.items() if not math.isnan(value)}
            self._events.add_scalars(step, known)

    def add_episode(self, *values: float) -> None:
        """Adds a finished training episode, in the order of the columns."""
        self._tables["episodes"].add(*values)
        step, _, return_, length, _ = values
        self._tell("on_episode", step, return_, length)

    def add_evaluation(
        self, step: int, seeds: IntArray, returns: Float64Array, lengths: IntArray
    ) -> None:
        """Adds the episodes `[E]` of one evaluation."""
        mean, std = float(returns.mean()), float(returns.std())
        rows = zip(seeds.tolist(), returns.tolist(), lengths.tolist(), strict=True)
        for episode, row in enumerate(rows):
            self._tables["evaluations"].add(step, episode, *row)
        self.result.eval_return_mean, self.result.eval_return_std = mean, std
        count = quantity(len(seeds), "evaluation episode")
        self.log(
            "Step %s: return %s ± %s over %s.", f"{step:,}", rounded(mean), rounded(std), count
        )
        self._tell("on_evaluation", step, returns.copy())

    def write_filmstrip(self, content: FilmstripFile) -> None:
        """Replaces the frames of an evaluation episode.

        Raises:
            OSError: If the file cannot be written.
        """
        check_ownership(self.directory, self._token)
        write_filmstrip(self.directory, content)

    def add_gif(self, tag: str, content: bytes, size: tuple[int, int]) -> None:
        """Adds an animated image at the current step of the run."""
        if self._events is not None:
            self._events.add_gif(tag, self.result.steps, content, size)

    def log(self, message: str, *values: object) -> None:
        """Logs a message that concerns this run."""
        log_of_run(self.directory, message, *values)

    def take_error(self, error: BaseException) -> str:
        """Logs the error that ended this run, with its traceback; returns a line about it.

        The episode of a failed environment is saved.
        """
        log_of_run(self.directory, "%s", describe_error(error), error=error)
        if not isinstance(error, EpisodeError):
            return describe_error(error)
        with suppress(OSError):  # The message tells the rest.
            save_failed_episode(self.directory, self._env_of(error), error)
        return f"{error}."

    def _env_of(self, error: EpisodeError) -> dict[str, Any]:
        """Returns the section of the environment that failed."""
        env, other = self._config["env"], self._config["eval"]["env_kwargs"]
        if not (error.is_evaluation and other):
            return dict(env)
        return {**env, "kwargs": {**(env["kwargs"] or {}), **other}}

    def flush(self, *, is_durable: bool = False) -> None:
        """Writes the collected rows and events.

        Args:
            is_durable: whether to wait until they are on disk.

        Raises:
            OSError: If a file cannot be written.
        """
        check_ownership(self.directory, self._token)
        for table in self._tables.values():
            table.flush(is_durable=is_durable)
        if self._events is not None:
            self._events.flush(is_durable=is_durable)

    def save(self, state: dict[str, Any], best: dict[str, Any] | None, *, is_last: bool) -> None:
        """Writes a checkpoint with the state of the run, and one of its best policy.

        Args:
            state: by part, as from `Trainer.state_dict`.
            best: state of the best policy; None if there is none.
            is_last: whether the run has completed; the previous checkpoint is then removed.

        Raises:
            OSError: If a file cannot be written.
            TypeError: If the state holds something that a checkpoint cannot.
        """
        # The tables must never lag behind the checkpoint.
        self.flush(is_durable=True)
        checkpoint = Checkpoint(
            config=self._config,
            config_hash=self.result.config_hash,
            engine=self._config["engine"],
            counts={name: getattr(self.result, name) for name in COUNTS},
            tables={name: list(table.mark) for name, table in self._tables.items()},
            state=state,
        )
        self._save_best(best)
        save_checkpoint(self.directory, checkpoint, keeps_previous=not is_last)
        self.result.write(self.directory)

    def _save_best(self, best: dict[str, Any] | None) -> None:
        """Writes the best policy, unless it has been written; whenever it is, it is the same."""
        if best is None or self._saved_best == best["steps"]:
            return
        config, result = self._config, self.result
        policy = Checkpoint(config, result.config_hash, config["engine"], {}, {}, best)
        save_policy(self.directory, policy)
        self._saved_best = best["steps"]

    def finish(
        self, status: Status, error: str | None = None, best: dict[str, Any] | None = None
    ) -> None:
        """Writes everything and the result, whose counts are already set.

        A run whose files cannot be written has failed; that is logged on the console.
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
            self._save_best(best)
            result.write(self.directory)
        except OwnershipError as problem:
            result.status, result.error, result.objective = "failed", str(problem), None
            return
        except OSError as problem:
            self._give_up(problem)
        self._log_end()
        if result.has_ended:
            self._tell("on_end", result.status)

    def _log_end(self) -> None:
        result = self.result
        self.log(
            "%s after %s, %s and %s in %.1f s.%s",
            result.status.capitalize(),
            quantity(result.steps, "step"),
            quantity(result.episodes, "episode"),
            quantity(result.updates, "update"),
            result.seconds,
            f" {result.error}" if result.error else "",
        )
        if result.status == "completed" and result.updates == 0:
            keys = "agent.learning_starts and agent.train_every"
            self.log("The run never learned: it ended before its first update (%s).", keys)

    def _give_up(self, problem: OSError) -> None:
        result = self.result
        if not result.has_ended or result.status == "completed":
            result.status, result.error, result.objective = "failed", describe_error(problem), None
        log.error("The files of %s cannot be written: %s", self.directory, problem)
        try:  # The result is small, and may fit where the rest does not.
            result.write(self.directory)
        except OSError:
            log.error("Its result.json could not be updated.")


def problems_of_tables(directory: Path, tables: Mapping[str, Any]) -> list[str]:
    """Returns why the tables of a run cannot be truncated to the state of a checkpoint."""
    marks = {name: Mark(*tables[name]) for name in TABLES}
    found = (problem_of(directory / f"{name}.csv", mark) for name, mark in marks.items())
    return [problem for problem in found if problem is not None]


def add_episodes(
    records: Sequence[RunRecord], steps: IntArray, finished: Sequence[Sequence[float]]
) -> None:
    """Adds one finished training episode to each record.

    Args:
        records: M of them.
        steps: `[M]` at which the episodes finished.
        finished: the further columns of the episodes, each of length M.
    """
    for record, *row in zip(records, steps.tolist(), *finished, strict=True):
        record.add_episode(*row)
