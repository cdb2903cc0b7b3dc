"""Writes the directories of sweeps without training anything."""

import csv
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from dqn_exp.analysis.comparable import make_groups
from dqn_exp.analysis.report import write_report
from dqn_exp.analysis.run_reader import read_sources
from dqn_exp.files.job_list import JobEntry, begin_job_list
from dqn_exp.files.result import Result
from tests.conftest import config_values

NUM_EPISODES = 2


def write_run(
    directory: Path, returns: Mapping[int, float], status: str = "completed", **values: Any
) -> None:
    """Writes a run whose evaluations at some steps have these mean returns."""
    directory.mkdir(parents=True)
    rows = [
        f"{step},{episode},{7 + 2 * episode},{mean + (1 - 2 * episode)},9\n"
        for step, mean in returns.items()
        for episode in range(NUM_EPISODES)
    ]
    header = "step,episode,seed,return,length\n"
    (directory / "evaluations.csv").write_text(header + "".join(rows))
    (directory / "episodes.csv").write_text("step,episode,return,length,terminated\n")
    (directory / "train.log").write_text("It was trained.\n")
    last = list(returns.values())[-1] if returns else None
    Result(
        status=status,  # type: ignore[arg-type]
        seed=values.get("seed", 0),
        config_hash="abc",
        objective=last if status == "completed" else None,
        eval_return_mean=last,
        steps=max(returns, default=0),
        versions={"torch": "2.13.0"},
        error="Loss or parameters not finite at step 30." if status == "diverged" else None,
    ).write(directory)


def write_sweep(
    directory: Path,
    swept: Mapping[str, Sequence[Any]],
    returns_of: Callable[[dict[str, Any]], Mapping[int, float] | None],
    status_of: Callable[[dict[str, Any]], str] = lambda values: "completed",
    **overrides: Any,
) -> list[dict[str, Any]]:
    """Writes a sweep over all combinations; runs without returns have not begun."""
    entries, all_values = [], []
    for num, combination in enumerate(itertools.product(*swept.values())):
        values = dict(zip(swept, combination, strict=True))
        nested = {key.replace(".", "__"): value for key, value in values.items()}
        name = f"{num}_" + ",".join(f"{key.split('.')[-1]}={v}" for key, v in values.items())
        config = config_values(**{**overrides, **nested})
        texts = {key: str(value) for key, value in values.items()}
        given = [f"{key}={value}" for key, value in values.items()]
        entries.append(JobEntry(num, name, name, given, texts, {}, config))
        if (returns := returns_of(values)) is not None:
            write_run(directory / name, returns, status_of(values), seed=values.get("seed", 0))
        all_values.append(values)
    directory.mkdir(exist_ok=True, parents=True)
    task = [f"{key}={','.join(map(str, values))}" for key, values in swept.items()]
    hydra = {"overrides": {"task": task, "hydra": ["hydra.mode=MULTIRUN", "hydra/launcher=x"]}}
    begin_job_list(directory, hydra, entries)
    return all_values


def write_single(directory: Path, returns: Mapping[int, float], **overrides: Any) -> None:
    """Writes a single run, with what Hydra writes of it."""
    write_run(directory, returns)
    (directory / ".hydra").mkdir()
    values = config_values(**overrides)
    (directory / ".hydra/config.yaml").write_text(yaml.safe_dump(values))
    given = [f"{key.replace('__', '.')}={value}" for key, value in overrides.items()]
    hydra = {"overrides": {"task": given, "hydra": ["hydra.mode=RUN"]}}
    (directory / ".hydra/hydra.yaml").write_text(yaml.safe_dump({"hydra": hydra}))


def report_of(directories, **options):
    """Writes a report to the default place."""
    return write_report(directories, directories[0] / "report", **options)


def rows_of(folder) -> list[dict[str, str]]:
    with (folder / "report/settings.csv").open() as file:
        return list(csv.DictReader(file))


def page_of(folder) -> str:
    return (folder / "report/index.html").read_text()


def lines_of(folder) -> str:
    return (folder / "report/report.md").read_text()


def noise(values) -> float:
    text = "|".join(f"{key}={values[key]}" for key in sorted(values))
    return float(np.random.default_rng(list(text.encode())).normal())


def returns_of(values) -> dict[int, float]:
    level = 100 * values["agent.gamma"] - 50 * values["agent.epsilon"] + noise(values)
    return {100: 10.0 + noise(values), 200: level / 2, 300: level}


SWEPT = {"agent.gamma": [0.9, 0.99], "agent.epsilon": [0.1, 0.05, 0.2], "seed": [0, 1, 2, 3, 4]}


def read_groups(*folders, **options):
    return make_groups(read_sources(folders), **options)


def read_settings(*folders, **options):
    (group,) = read_groups(*folders, **options)
    return group.keys, group.settings
