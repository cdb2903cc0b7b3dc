"""The point from which a run resumes: its newest checkpoint that fits its other files."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from dqn_exp.files.checkpoint import (
    NEWEST,
    REFUSED,
    Checkpoint,
    checkpoints_of,
    load_checkpoint,
)
from dqn_exp.files.result import Result, read_result
from dqn_exp.files.run_record import COUNTS, EarlierFiles, problems_of_tables


class ResumePoint(NamedTuple):
    """The point from which a run resumes.

    Attributes:
        result: of the run; None if it has not begun.
        path: checkpoint to resume from; None to begin at step 0.
        files: state of the other files at the checkpoint.
        engine: that trained the run until then.
        refused: why newer checkpoints are not used.
    """

    result: Result | None
    path: Path | None = None
    files: EarlierFiles | None = None
    engine: str | None = None
    refused: tuple[str, ...] = ()

    @property
    def step(self) -> int:
        """Step of the run at this point."""
        return 0 if self.files is None else int(self.files.counts["steps"])

    def load(self) -> dict[str, Any]:
        """Returns the state of the run in the checkpoint."""
        assert self.path is not None
        return load_checkpoint(self.path).state


def find_resume_point(directory: Path, *config_hashes: str) -> ResumePoint:
    """Returns the point from which the run in a directory resumes, without changing anything.

    Args:
        directory: of the run.
        config_hashes: of its config; also of the new one while a run gets a larger budget.

    Raises:
        ValueError: If the files in the directory do not fit together or do not fit the config.
    """
    result = read_result(directory)
    if result is not None and result.config_hash not in config_hashes:
        raise ValueError(
            f"{directory / 'result.json'}: expected the config_hash {config_hashes[0]} of its "
            f"config, found {result.config_hash}: it belongs to another run."
        )
    refused: list[str] = []
    for path in checkpoints_of(directory):
        try:
            checkpoint = load_checkpoint(path)
            _check(checkpoint, path, directory, config_hashes)
        except ValueError as error:
            refused.append(str(error))
        else:
            files = EarlierFiles(checkpoint.counts, checkpoint.tables)
            return ResumePoint(result, path, files, checkpoint.engine, tuple(refused))
    if refused:
        remedy = "Move the checkpoints and result.json away to begin the run again."
        raise ValueError("\n".join([*refused, remedy]))
    if result is not None and result.status in ("running", "interrupted") and result.steps:
        raise ValueError(
            f"{directory}: expected a checkpoint, since result.json reports {result.steps} "
            "steps, but there is none. Move result.json away to begin the run again."
        )
    return ResumePoint(result)


def set_aside_refused(directory: Path, point: ResumePoint) -> None:
    """Renames a refused checkpoint, so that it does not replace the previous, intact one."""
    if point.refused:
        (directory / NEWEST).replace(directory / REFUSED)


def _check(
    checkpoint: Checkpoint, path: Path, directory: Path, config_hashes: Collection[str]
) -> None:
    """Raises ValueError if a checkpoint does not fit its directory or the config."""
    try:
        problems = [
            *problems_of_tables(directory, checkpoint.tables),
            *(f"it has no {name}." for name in COUNTS if name not in checkpoint.counts),
        ]
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path}: expected a checkpoint of a run, got {reason}.") from error
    if checkpoint.config_hash not in config_hashes:
        raise ValueError(f"{path}: it belongs to a run with another config.")
    if problems:
        raise ValueError(" ".join([f"{path} does not match its run:", *problems]))
