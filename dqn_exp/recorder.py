"""What the runs of a population leave on disk, collected in memory and written now and then."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dqn_exp.atomic_file import write_atomically
from dqn_exp.event_file import EventFile, HParamValue
from dqn_exp.run_log import log_of_run

Status = Literal["running", "completed", "diverged", "failed", "interrupted"]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FINAL_METRICS = ("eval/return_mean", "eval/return_std", "eval/length_mean", "episode/return")


@dataclass
class Result:
    """What has become of a run, as `result.json` has it.

    objective: mean return of the final evaluation; None unless the run has completed.
    eval_return_mean, eval_return_std: of the newest evaluation.
    seconds: wall time while the run was live.
    versions: of Python and the libraries that the numbers depend on.
    """

    status: Status
    seed: int
    config_hash: str
    objective: float | None = None
    eval_return_mean: float | None = None
    eval_return_std: float | None = None
    steps: int = 0
    episodes: int = 0
    updates: int = 0
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    error: str | None = None

    def write(self, directory: Path) -> None:
        """Writes `result.json`, whole or not at all."""
        values = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
        }
        text = json.dumps(values, indent=2, allow_nan=False) + "\n"
        write_atomically(directory / "result.json", text.encode())


class CsvFile:
    """Rows of one run, collected in memory and appended on `flush`."""

    def __init__(self, path: Path, header: str) -> None:
        """Args: where the file is made, and its first line."""
        self._path = path
        self._pending = [header]
        self.flush()

    def add(self, *values: Any) -> None:
        """Adds a row; floats are written so that they read back as the same numbers."""
        self._pending.append(",".join(map(str, values)))

    def flush(self) -> None:
        """Appends what has been collected to the file."""
        if self._pending:
            with self._path.open("a", encoding="utf-8") as file:
                file.write("\n".join(self._pending) + "\n")
            self._pending.clear()


class RunRecord:
    """The files of one run."""

    def __init__(self, directory: Path, result: Result, has_events: bool) -> None:
        """Args: an existing directory, the result so far, whether TensorBoard is written."""
        self.directory = directory
        self.result = result
        self.episodes = CsvFile(directory / "episodes.csv", "step,episode,return,length,terminated")
        self.evaluations = CsvFile(directory / "evaluations.csv", "step,episode,seed,return,length")
        self._events = EventFile(directory) if has_events else None
        result.write(directory)

    def describe(self, config: str, hparams: Mapping[str, HParamValue]) -> None:
        """Adds the config (YAML) and the columns of the table of hyperparameters."""
        if self._events is not None:
            self._events.add_text("config", f"```yaml\n{config}```")
            self._events.add_hparams(str(self.directory), hparams, FINAL_METRICS)

    def add_scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds the values that are known (not nan) at one step."""
        if self._events is not None:
            known = {tag: value for tag, value in values.items() if not math.isnan(value)}
            self._events.add_scalars(step, known)

    def add_evaluation(self, step: int, seeds: Ints, returns: Floats, lengths: Ints) -> None:
        """Adds the episodes `[E]` of one evaluation."""
        mean, std = float(returns.mean()), float(returns.std())
        for episode, row in enumerate(
            zip(seeds.tolist(), returns.tolist(), lengths.tolist(), strict=True)
        ):
            self.evaluations.add(step, episode, *row)
        self.result.eval_return_mean, self.result.eval_return_std = mean, std
        scalars = {"return_mean": mean, "return_std": std, "length_mean": float(lengths.mean())}
        self.add_scalars(step, {f"eval/{name}": value for name, value in scalars.items()})
        count = len(seeds)
        self.log("Step %d: return %.1f ± %.1f over %d evaluation episodes.", step, mean, std, count)

    def log(self, message: str, *values: object) -> None:
        """Logs what concerns this run."""
        log_of_run(self.directory, message, *values)

    def flush(self) -> None:
        """Writes what has been collected to the files."""
        self.episodes.flush()
        self.evaluations.flush()
        if self._events is not None:
            self._events.flush()

    def finish(self, status: Status, error: str | None = None) -> None:
        """Writes everything and the result, whose other fields are already set."""
        mean = self.result.eval_return_mean
        if status == "completed" and mean is not None and not math.isfinite(mean):
            status, error = "diverged", f"The final evaluation has a mean return of {mean}."
        self.result.status, self.result.error = status, error
        if self._events is not None:
            self._events.end_hparams(status == "completed")
        self.flush()
        result = self.result
        if status == "completed":
            result.objective = result.eval_return_mean
        result.write(self.directory)
        self.log(
            "%s after %d steps, %d episodes and %d updates in %.1f s.%s",
            status.capitalize(),
            result.steps,
            result.episodes,
            result.updates,
            result.seconds,
            f" {error}" if error else "",
        )
        if status == "completed" and result.updates == 0:
            self.log("It never learned: agent.learning_starts was not passed.")


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
        record.episodes.add(*row)
