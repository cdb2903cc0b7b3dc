"""A sweep whose results every executor must give."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from dqn_exp.config.conf_dir import conf_dir
from tests.command import check_complete, short, table_of
from tests.conftest import results_of

# 24 runs of two structures.
SWEEP = ("seed=range(4)", "agent.gamma=0.9,0.95,0.99", "agent.n_step=1,3")


LAUNCHERS = {
    "processes": ("hydra/launcher=population_processes", "hydra.launcher.num_workers=2"),
    "slurm": (
        "hydra/launcher=population_slurm", "hydra.launcher.cluster=local",
        "hydra.launcher.num_workers=2", "hydra.launcher.cpus_per_task=1",
    ),
    "ray": ("hydra/launcher=population_ray", "hydra.launcher.num_workers=2"),
}  # fmt: skip


def defaults_of(executor: str) -> dict[str, Any]:
    """The options of a launcher as its YAML files have them."""
    folder, values = conf_dir() / "hydra/launcher", {}
    for name in ("population", f"population_{executor}"):
        if (folder / f"{name}.yaml").exists():
            values |= yaml.safe_load((folder / f"{name}.yaml").read_text())
    return {key: value for key, value in values.items() if key not in ("_target_", "defaults")}


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dqn_exp.train", *short(*arguments)],
        cwd=folder, capture_output=True, text=True, check=False, timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )  # fmt: skip


def check_same(sweep: Path, in_process: Path) -> None:
    assert (sweep / "sweep.csv").read_bytes() == (in_process / "sweep.csv").read_bytes()
    rows = table_of(in_process)
    assert len(rows) == 24
    for row in rows:
        check_complete(sweep / row["dir"])
        assert results_of(sweep / row["dir"]) == results_of(in_process / row["dir"])
        log = (sweep / row["dir"] / "train.log").read_text()
        assert log.count("evaluation episodes") == 2 and "Completed after 160 steps" in log
