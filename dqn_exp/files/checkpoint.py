"""Checkpoints: the complete state of a run, in a file that loads without running foreign code."""

import io
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import torch

from dqn_exp.files.atomic_file import replaced_durably, write_atomically

FORMAT = 5
"""Number of the format, to be raised when the content of a checkpoint changes."""

NEWEST, PREVIOUS, REFUSED = "checkpoint.pt", "checkpoint.previous.pt", "checkpoint.refused.pt"
BEST = "checkpoint.best.pt"
"""The policy of the best evaluation."""


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint.

    Attributes:
        config: of the run, in plain containers.
        config_hash: of all keys that change results.
        engine: that trained the run.
        counts: steps, episodes, updates and newest evaluation, as in `result.json`.
        tables: size and checksum of each CSV table of the run.
        state: by part and name, as listed in docs/files.md.
    """

    config: dict[str, Any]
    config_hash: str
    engine: str
    counts: dict[str, Any]
    tables: dict[str, Any]
    state: dict[str, Any]


def save_checkpoint(
    directory: Path, checkpoint: Checkpoint, *, keeps_previous: bool = True
) -> None:
    """Writes `checkpoint.pt`, and keeps the previous one at least until this one is on disk.

    Args:
        directory: of the run.
        checkpoint: of mappings, sequences, numbers, strings, arrays and tensors.
        keeps_previous: whether the previous checkpoint stays, as a replacement for a damaged one.

    Raises:
        TypeError: If the content is of another type.
        OSError: If the file cannot be written; the old files then stay.
    """
    content = _to_content(checkpoint)
    with replaced_durably(directory / NEWEST, directory / PREVIOUS) as file:
        _write(content, file)
    if not keeps_previous:
        (directory / PREVIOUS).unlink(missing_ok=True)


def save_policy(directory: Path, checkpoint: Checkpoint) -> None:
    """Writes `checkpoint.best.pt`, whose state is a policy alone.

    Raises:
        OSError: If the file cannot be written; the old one then stays.
    """
    serialized = io.BytesIO()
    _write(_to_content(checkpoint), serialized)
    write_atomically(directory / BEST, serialized.getvalue())


def _to_content(checkpoint: Checkpoint) -> dict[str, Any]:
    content = {field.name: getattr(checkpoint, field.name) for field in fields(checkpoint)}
    return {"format": FORMAT, **_to_tensors(content)}


def _write(content: dict[str, Any], file: BinaryIO) -> None:
    """Writes the content piece by piece, since a replay buffer may fill half of the memory."""
    sink = _Sink(file)
    torch.save(content, cast(BinaryIO, sink))
    if sink.error is not None:
        raise sink.error


class _Sink:
    """A file that takes everything and keeps its error, of which torch makes errors of many kinds.

    Attributes:
        error: the first one; None for none.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: memoryview) -> int:
        """Writes bytes unless an error has occurred; returns their number."""
        try:
            if self.error is None:
                self._file.write(data)
        except OSError as error:
            self.error = error
        return len(data)

    def flush(self) -> None:
        """Leaves that to the file."""


def load_checkpoint(path: Path) -> Checkpoint:
    """Returns the content of a checkpoint, with arrays as tensors.

    Raises:
        ValueError: If the file is missing, damaged, foreign or of another format.
    """
    try:
        with zipfile.ZipFile(path) as archive:  # Torch itself does not verify the checksums.
            damaged = archive.testzip()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ValueError(f"{path}: expected a checkpoint of dqn_exp: {error}.") from error
    if damaged is not None:
        raise ValueError(f"{path}: the checkpoint is damaged: checksum of {damaged}.")
    try:
        # Mapped, since a replay buffer may fill half of the memory.
        content = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
    except Exception as error:  # Torch raises many kinds of errors for foreign files.
        raise ValueError(
            f"{path}: expected a checkpoint of dqn_exp, got a file with other objects, none of "
            f"which was created ({type(error).__name__})."
        ) from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise ValueError(f"{path}: expected a checkpoint of format {FORMAT}.")
    if set(content) != {field.name for field in fields(Checkpoint)}:
        raise ValueError(f"{path}: expected a complete checkpoint, got {', '.join(content)}.")
    return Checkpoint(**content)


def checkpoints_of(directory: Path) -> list[Path]:
    """Returns the newest checkpoint of a run and the previous one, those that exist."""
    return [path for path in (directory / NEWEST, directory / PREVIOUS) if path.exists()]


def _to_tensors(value: Any) -> Any:
    # Pickles refer to the same string, not to an equal one: the same content makes the same bytes.
    if isinstance(value, str):
        return sys.intern(value)
    if isinstance(value, Mapping):
        return {_to_tensors(key): _to_tensors(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_to_tensors(inner) for inner in value]
    if isinstance(value, np.ndarray | np.generic):
        return torch.from_numpy(np.require(value, requirements=["C", "W"]))
    if isinstance(value, torch.Tensor):
        return value.cpu()
    if value is None or isinstance(value, bool | int | float):
        return value
    raise TypeError(
        "state for a checkpoint: expected mappings, lists, numbers, strings, arrays and tensors, "
        f"got a {type(value).__name__}."
    )
