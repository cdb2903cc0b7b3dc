"""What a run goes on from: the newest checkpoint that fits the other files of its directory."""

from pathlib import Path
from typing import Any, NamedTuple

from dqn_exp.checkpoint import NEWEST, REFUSED, checkpoints_of, load_checkpoint
from dqn_exp.config import to_config
from dqn_exp.errors import ConfigError
from dqn_exp.recorder import problems_of_files
from dqn_exp.result import Result, read_result

PARTS = {"config", "records", "state"}


class Standing(NamedTuple):
    """Where a run stands that has begun.

    result: None if it has left none.
    checkpoint: the content of the one to go on from; None for the beginning.
    refused: why newer ones are not used.
    """

    result: Result | None
    checkpoint: dict[str, Any] | None
    refused: list[str]


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
            return Standing(result, _load(path, directory, config_hash), refused)
        except ValueError as error:
            refused.append(str(error))
    if refused:
        remedy = "Move the checkpoints away to let the run begin anew."
        raise ValueError("\n".join([*refused, remedy]))
    if result is not None and result.status == "running" and result.steps:
        raise ValueError(
            f"{directory}: expected a checkpoint, since result.json tells of {result.steps} "
            "steps, but there is none. Move result.json away to let the run begin anew."
        )
    return Standing(result, None, [])


def set_aside_refused(directory: Path, standing: Standing) -> None:
    """Renames a checkpoint that is not used, so that it does not take the place of the good one."""
    if standing.refused:
        (directory / NEWEST).replace(directory / REFUSED)


def _load(path: Path, directory: Path, config_hash: str) -> dict[str, Any]:
    content = load_checkpoint(path)
    if missing := PARTS - content.keys():
        raise ValueError(f"{path}: expected a checkpoint with {', '.join(sorted(missing))}.")
    try:
        found = to_config(content["config"]).hash()
    except ConfigError as error:
        raise ValueError(f"{path}: its config is not one of this version: {error}") from error
    if found != config_hash:
        raise ValueError(f"{path}: it is that of a run with another config.")
    if problems := problems_of_files(directory, content["records"]):
        raise ValueError(" ".join([f"{path} does not fit:", *problems]))
    return content
