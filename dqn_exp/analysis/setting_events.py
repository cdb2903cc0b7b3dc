"""TensorBoard event files of settings, one log directory each."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dqn_exp.analysis.aggregates import Curve
from dqn_exp.analysis.comparable import Group
from dqn_exp.files.event_file import EventFile
from dqn_exp.files.tags import MOST_SELECTED, SETTING_CHARTS, SettingTag

FOLDER = "tensorboard"
MAX_NAME_BYTES = 200


def write_setting_events(
    groups: Sequence[Group], curves: Sequence[Sequence[Curve]], directory: Path
) -> None:
    """Writes the learning curve of each setting as a run of TensorBoard.

    Args:
        groups: settings.
        curves: of the settings with scores of each group, in their order.
        directory: log directory, in that of a report; an earlier report's is replaced.
    """
    shutil.rmtree(directory, ignore_errors=True)
    count = sum(len(group.scored) for group in groups)
    for group, own in zip(groups, curves, strict=True):
        for place, (setting, curve) in enumerate(zip(group.scored, own, strict=True), 1):
            name = f"{place:0{len(str(len(own)))}d}_{setting.label}"
            path = directory / _safe(group.label) / _safe(name)
            path.mkdir(parents=True, exist_ok=True)
            _write(curve, path, has_charts=count <= MOST_SELECTED)


def _write(curve: Curve, path: Path, *, has_charts: bool) -> None:
    events = EventFile(path)
    if has_charts:
        events.add_layout(SETTING_CHARTS)
    tags = (SettingTag.IQM, SettingTag.LOWER, SettingTag.UPPER, SettingTag.NUM_RUNS)
    columns = (*curve.returns, curve.num_runs)
    for step, *values in zip(curve.steps, *columns, strict=True):
        known: dict[str, float] = {
            tag: float(v) for tag, v in zip(tags, values, strict=True) if np.isfinite(v)
        }
        events.add_scalars(int(step), known)
    events.flush()


def _safe(name: str) -> str:
    """Returns a name for a directory."""
    safe = re.sub(r"[^\w.,=+\[\]-]", "_", name.replace(", ", ","))
    return safe.encode()[:MAX_NAME_BYTES].decode(errors="ignore")
