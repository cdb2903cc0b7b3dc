"""The trained parameters of a run, in a file that can be loaded without running foreign code."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dqn_exp.atomic_file import write_atomically

FORMAT = 2


def save_checkpoint(
    directory: Path,
    step: int,
    config: Mapping[str, Any],
    online: torch.Tensor,
    normalization: Mapping[str, Any],
) -> None:
    """Writes `checkpoint.pt`, whole or not at all.

    Args:
        directory: of the run.
        step: at which step of the run the parameters were these.
        config: of the run, in plain containers.
        online: `[P]` parameters of the online network, in the layout of `layers.to_views`.
        normalization: numbers by which observations are normalized; none where they are not.
    """
    content = io.BytesIO()
    state = {
        "format": FORMAT,
        "step": step,
        "config": dict(config),
        "online": online.cpu().clone(),
        "normalization": {name: torch.as_tensor(row) for name, row in normalization.items()},
    }
    torch.save(state, content)
    write_atomically(directory / "checkpoint.pt", content.getvalue())


def load_checkpoint(directory: Path) -> dict[str, Any]:
    """Returns what `save_checkpoint` has written.

    Raises:
        ValueError: if there is no such file or it is damaged or foreign.
    """
    path = directory / "checkpoint.pt"
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises many kinds for a damaged file
        raise ValueError(f"{path}: expected a checkpoint of dqn_exp, got {error}") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise ValueError(f"{path}: expected a checkpoint of format {FORMAT}.")
    return state
