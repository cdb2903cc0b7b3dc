"""The result of a run, `result.json`."""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Literal

from dqn_exp.files.atomic_file import write_atomically

Status = Literal["running", "completed", "pruned", "diverged", "failed", "interrupted"]

ENDED: tuple[Status, ...] = ("completed", "pruned", "diverged", "failed")
"""Statuses of runs that are over."""


@dataclass
class Result:
    """The content of `result.json`.

    Attributes:
        status: of the run.
        seed: of the run.
        config_hash: of all keys that change results.
        objective: mean return of the final evaluation; None unless the run completed.
        eval_return_mean: mean return of the newest evaluation.
        eval_return_std: standard deviation of the returns of the newest evaluation.
        best_return_mean: mean return of the best evaluation, whose policy is kept.
        best_step: step of that evaluation.
        steps: environment steps.
        episodes: finished training episodes.
        updates: gradient updates.
        seconds: wall time while the run was live.
        engine: that trained the run.
        cpu: model of the processor; numbers are reproducible per model.
        commit: git commit of the code; None outside a git checkout.
        versions: of Python and the libraries that the numbers depend on.
        error: of a run that failed or diverged.
    """

    status: Status
    seed: int
    config_hash: str
    objective: float | None = None
    eval_return_mean: float | None = None
    eval_return_std: float | None = None
    best_return_mean: float | None = None
    best_step: int | None = None
    steps: int = 0
    episodes: int = 0
    updates: int = 0
    seconds: float = 0.0
    engine: str | None = None
    cpu: str | None = None
    commit: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    error: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the run is over."""
        return self.status in ENDED

    def write(self, directory: Path) -> None:
        """Writes `result.json` atomically.

        Raises:
            OSError: If the file cannot be written.
        """
        values = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
        }
        text = json.dumps(values, indent=2, allow_nan=False) + "\n"
        write_atomically(directory / "result.json", text.encode())


def read_result(directory: Path) -> Result | None:
    """Returns the result of a run, or None if there is no `result.json`.

    Raises:
        ValueError: If the file was not written by `Result.write`.
    """
    path = directory / "result.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Result(**{one.name: values[one.name] for one in fields(Result)})
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path}: expected the result of a run, got {reason}.") from error
