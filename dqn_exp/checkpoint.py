"""The complete state of a run, in a file that can be loaded without running foreign code."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dqn_exp.atomic_file import replaced_durably

FORMAT = 3
NEWEST, PREVIOUS, REFUSED = "checkpoint.pt", "checkpoint.previous.pt", "checkpoint.refused.pt"


def save_checkpoint(
    directory: Path, content: Mapping[str, Any], *, keeps_previous: bool = True
) -> None:
    """Writes `checkpoint.pt`, and keeps the one before at least until this one is on the disk.

    Args:
        directory: of the run.
        content: of mappings, sequences, numbers, texts, arrays and tensors.
        keeps_previous: whether the one before stays, in case this one is damaged some day.

    Raises:
        TypeError: if something is none of these.
        OSError: if it cannot be written; what was there stays.
    """
    # By way of the memory: where a disk is full, torch's own writing ends in errors of many kinds.
    serialized = io.BytesIO()
    torch.save({"format": FORMAT, **_to_tensors(content)}, serialized)
    with replaced_durably(directory / NEWEST, directory / PREVIOUS) as file:
        file.write(serialized.getbuffer())
    if not keeps_previous:
        (directory / PREVIOUS).unlink(missing_ok=True)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Returns what `save_checkpoint` has written, arrays as tensors.

    Raises:
        ValueError: if there is no such file or it is damaged or foreign.
    """
    try:
        with zipfile.ZipFile(path) as archive:  # Torch itself would not look at the checksums.
            damaged = archive.testzip()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ValueError(f"{path}: expected a checkpoint of dqn_exp: {error}.") from error
    if damaged is not None:
        raise ValueError(f"{path}: the checkpoint is damaged: checksum of {damaged}.")
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # Torch raises many kinds for what is not its own.
        raise ValueError(
            f"{path}: expected a checkpoint of dqn_exp, got a file with other objects, none of "
            f"which was made ({type(error).__name__})."
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise ValueError(f"{path}: expected a checkpoint of format {FORMAT}.")
    return state


def checkpoints_of(directory: Path) -> list[Path]:
    """Returns the files of the newest checkpoint and the one before, those that are there."""
    return [path for path in (directory / NEWEST, directory / PREVIOUS) if path.exists()]


def _to_tensors(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _to_tensors(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_to_tensors(inner) for inner in value]
    if isinstance(value, np.ndarray | np.generic):
        return torch.from_numpy(np.array(value))
    if isinstance(value, torch.Tensor):
        return value.cpu()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        "state for a checkpoint: expected mappings, lists, numbers, texts, arrays and tensors, got "
        f"a {type(value).__name__}."
    )
