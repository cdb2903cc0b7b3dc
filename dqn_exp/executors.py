"""From the options of the launcher to what trains its populations."""

import importlib.util
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dqn_exp.cores import num_cores
from dqn_exp.errors import ConfigError
from dqn_exp.executor import Executor, InProcessExecutor

Settings = Mapping[str, Any]

IN_PROCESS = "in_process"
NEEDED = {"processes": "loky", "slurm": "submitit", "ray": "ray"}
"""What the executors of an optional extra, which has their name, import."""

MINIMA = {
    "max_population_size": 1,
    "max_resubmissions": 0,
    "num_workers": 1,
    "num_cpus": 1,
    "num_gpus": 0,
    "timeout_min": 1,
    "cpus_per_task": 1,
    "gpus_per_node": 0,
    "mem_gb": 1,
}


def check_settings(settings: Settings) -> None:
    """Raises ConfigError if an option of the launcher is out of range, or cannot be had here."""
    if problems := list(_problems(settings)):
        raise ConfigError(problems)


def is_remote(settings: Settings) -> bool:
    """Returns whether populations may be trained on other machines than this one."""
    return settings["executor"] in ("slurm", "ray")


def make_executor(settings: Settings, device: str, folder: Path) -> Executor:
    """Builds what trains populations.

    Args:
        settings: checked options of the launcher.
        device: of the runs.
        folder: where an executor may keep files of its own.
    """
    match settings["executor"]:
        case "processes":
            from dqn_exp.process_executor import ProcessExecutor

            return ProcessExecutor(settings["num_workers"], device, num_cores())
        case "slurm":
            from dqn_exp.slurm_executor import SlurmExecutor

            names = ("timeout_min", "cpus_per_task", "gpus_per_node", "mem_gb")
            given = {name: settings[name] for name in names if settings[name] is not None}
            parameters = {**given, **settings["parameters"]}
            return SlurmExecutor(settings["num_workers"], settings["cluster"], folder, parameters)
        case "ray":
            from dqn_exp.ray_executor import RayExecutor

            names = ("num_workers", "address", "num_cpus", "num_gpus")
            return RayExecutor(*(settings[name] for name in names))
        case _:
            return InProcessExecutor()


def _problems(settings: Settings) -> Iterator[str]:
    for name, least in MINIMA.items():
        value = settings.get(name)
        if value is not None and value < least:
            yield f"hydra.launcher.{name}: expected at least {least}, got {value}."
    kind = settings["executor"]
    if kind not in (IN_PROCESS, *NEEDED):
        names = ", ".join((IN_PROCESS, *NEEDED))
        yield f"hydra.launcher.executor: expected one of {names}, got {kind}."
    elif kind in NEEDED and importlib.util.find_spec(NEEDED[kind]) is None:
        yield (
            f"hydra/launcher=population_{kind}: expected {NEEDED[kind]}, which is not installed. "
            f"Say pip install 'dqn-exp[{kind}]'."
        )
    elif settings.get("cluster") == "slurm" and shutil.which("sbatch") is None:
        yield (
            "hydra.launcher.cluster: expected a machine of a SLURM cluster, but there is no "
            "sbatch. With local, processes of this machine are started in the same way."
        )
