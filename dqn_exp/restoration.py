"""What a run goes on from: the newest checkpoint that fits the other files of its directory."""

from pathlib import Path
from typing import Any, NamedTuple

from dqn_exp.checkpoint import NEWEST, REFUSED, checkpoints_of, load_checkpoint
from dqn_exp.config import to_config
from dqn_exp.errors import ConfigError
from dqn_exp.recorder import problems_of_files
from dqn_exp.result import Result, read_result


class Standing(NamedTuple):
    """Where a run stands that has begun.

    result: None if it has left none.
    path: of the checkpoint to go on from; None for the beginning.
    records: where the files stood then.
    engine: that trained it until then.
    refused: why newer ones are not used.
    """

    result: Result | None
    path: Path | None
    records: dict[str, Any] | None
    engine: str | None
    refused: list[str]

    def load(self) -> dict[str, Any]:
        """Returns the state of the run in the checkpoint."""
        assert self.path is not None
        state: dict[str, Any] = load_checkpoint(self.path)["state"]
        return state


def find_standing(directory: Path, config_hash: str) -> Standing:
    """Returns where the run in a directory stands, and changes nothing.

    Args:
        directory: of the run.
        config_hash: of its config.

    Raises:
        ValueError: if the files in the directory do not fit together, or not the config.
    """
    result = read_result(directory)
    if result is not None and result.config_hash != config_hash:
        raise ValueError(
            f"{directory / 'result.json'}: expected the config_hash {config_hash} of its config, "
            f"found {result.config_hash}: it is that of another run."
        )
    refused: list[str] = []
    for path in checkpoints_of(directory):
        try:
            records, engine = _check(path, directory, config_hash)
            return Standing(result, path, records, engine, refused)
        except ValueError as error:
            refused.append(str(error))
    if refused:
        remedy = "Move the checkpoints and result.json away to let the run begin anew."
        raise ValueError("\n".join([*refused, remedy]))
    if result is not None and result.status in ("running", "interrupted") and result.steps:
        raise ValueError(
            f"{directory}: expected a checkpoint, since result.json tells of {result.steps} "
            "steps, but there is none. Move result.json away to let the run begin anew."
        )
    return Standing(result, None, None, None, [])


def set_aside_refused(directory: Path, standing: Standing) -> None:
    """Renames a checkpoint that is not used, so that it does not take the place of the good one."""
    if standing.refused:
        (directory / NEWEST).replace(directory / REFUSED)


def _check(path: Path, directory: Path, config_hash: str) -> tuple[dict[str, Any], str]:
    """Returns where the files stood, and the engine; raises ValueError if it is of no use here."""
    content = load_checkpoint(path)
    try:
        config, records = to_config(content["config"]), dict(content["records"])
        problems = problems_of_files(directory, records)
        is_complete = "state" in content and isinstance(records["result"]["steps"], int)
    except ConfigError as error:
        raise ValueError(f"{path}: its config is not one of this version: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path}: expected a checkpoint of a run, got {reason}.") from error
    if config.hash() != config_hash:
        raise ValueError(f"{path}: it is that of a run with another config.")
    if problems or not is_complete:
        raise ValueError(" ".join([f"{path} does not fit:", *problems]))
    return records, config.engine
