"""What has become of a run, `result.json`."""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Literal

from dqn_exp.atomic_file import write_atomically

Status = Literal["running", "completed", "diverged", "failed", "interrupted"]

ENDED: tuple[Status, ...] = ("completed", "diverged", "failed")
"""Statuses of runs that do not go on by themselves."""


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

    @property
    def has_ended(self) -> bool:
        """Whether the run does not go on by itself."""
        return self.status in ENDED

    def write(self, directory: Path) -> None:
        """Writes `result.json`, whole or not at all; raises OSError if that cannot be."""
        values = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
        }
        text = json.dumps(values, indent=2, allow_nan=False) + "\n"
        write_atomically(directory / "result.json", text.encode())


def read_result(directory: Path) -> Result | None:
    """Returns what `result.json` says, or None if there is none.

    Raises:
        ValueError: if the file is not what `Result.write` writes.
    """
    path = directory / "result.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Result(**{one.name: values[one.name] for one in fields(Result)})
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(
            f"{path}: expected the result of a run, got {reason}. Move it away to let the run go "
            "on from its checkpoint."
        ) from error
