"""Configs, results and evaluations of runs, read from their directories."""

import itertools
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from dqn_exp.config.references import replace_references
from dqn_exp.config.validation import to_config
from dqn_exp.core.arrays import Float64Array
from dqn_exp.core.dotted_keys import flatten
from dqn_exp.core.errors import ConfigError
from dqn_exp.files.csv_table import TABLES
from dqn_exp.files.directories import shorten
from dqn_exp.files.job_list import JOURNAL, NAME, JobEntry, read_job_list
from dqn_exp.files.result import Result, read_result
from dqn_exp.files.run_places import has_others, locate_runs

log = logging.getLogger(__name__)

PENDING = "pending"


class RunFiles(NamedTuple):
    """The files of a run.

    Attributes:
        directory: absolute.
        name: path relative to the source.
        source: name of the source that the run belongs to.
        config: values by dotted key; empty if the config cannot be read.
        swept: values of the swept keys, as they were written.
        status: as in `result.json`, or `pending` if there is none.
        result: content of `result.json`.
        evaluations: `[T, 2]` steps and mean returns, in the order of the steps.
    """

    directory: Path
    name: str
    source: str
    config: dict[str, Any]
    swept: dict[str, str]
    status: str
    result: Result | None
    evaluations: Float64Array

    @property
    def seed(self) -> int | None:
        """The seed, if the config can be read."""
        return self.config.get("seed")

    @property
    def score(self) -> float | None:
        """Mean return of the final evaluation; None unless the run completed."""
        return self.result.objective if self.result is not None else None


class Source(NamedTuple):
    """The directory of a run or a sweep.

    Attributes:
        directory: absolute.
        name: distinguishes the source from others.
        runs: of the source.
        command: overrides of its command, as they were written; None if unknown.
        is_sweep: whether it is a sweep.
        is_listed: whether the swept keys are known.
        log_keys: keys that were searched on a logarithmic scale.
        is_search: whether it is a search.
        sweeper: option of hydra/sweeper that its command selects.
    """

    directory: Path
    name: str
    runs: list[RunFiles]
    command: list[str] | None
    is_sweep: bool
    is_listed: bool = True
    log_keys: frozenset[str] = frozenset()
    is_search: bool = False
    sweeper: str = "population"


def read_sources(directories: Sequence[Path]) -> list[Source]:
    """Reads the directories of runs and sweeps.

    Raises:
        ConfigError: If a directory is not that of a run or a sweep, or is given twice.
    """
    absolute = [Path(os.path.abspath(directory)) for directory in directories]
    if twice := [one for k, one in enumerate(absolute) if one in absolute[:k]]:
        raise ConfigError([f"{twice[0]} was given twice; expected distinct directories."])
    for one, other in itertools.permutations(absolute, 2):
        # The list of a sweep does not have the runs of another one inside it, its confirmation.
        if one.is_relative_to(other) and not all((each / NAME).exists() for each in (one, other)):
            raise ConfigError([f"{one} is inside {other}; its runs would count twice."])
    parent = os.path.commonpath([directory.parent for directory in absolute])
    return [_read_source(directory, os.path.relpath(directory, parent)) for directory in absolute]


def log_keys_of(sources: Iterable[Source]) -> frozenset[str]:
    """Returns the keys that any of the sources searched on a logarithmic scale."""
    return frozenset(key for source in sources for key in source.log_keys)


def whole_lines(path: Path) -> list[str]:
    """Returns the lines of a table without its header, none if it does not exist.

    A line without an end was being written when its process was killed, and is ignored.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)[1:]
    except FileNotFoundError:
        return []
    return [line for line in lines if line.endswith("\n")]


def read_table(path: Path, num_columns: int) -> Float64Array:
    """Returns the rows `[R, num_columns]` of a table, none if it does not exist."""
    whole = whole_lines(path)
    if not whole:
        return np.empty((0, num_columns))
    try:
        return np.loadtxt(whole, delimiter=",", ndmin=2).reshape(-1, num_columns)
    except ValueError as error:
        raise ConfigError([f"{path}: expected rows of {num_columns} numbers: {error}."]) from error


def read_episode_returns(directory: Path) -> Float64Array:
    """Returns steps and returns `[R, 2]` of the training episodes of a run."""
    lines = whole_lines(directory / "episodes.csv")
    names = list(TABLES["episodes"])
    if not lines:
        return np.empty((0, 2))
    columns = [names.index("step"), names.index("return")]
    return np.loadtxt(lines, delimiter=",", ndmin=2, usecols=columns)


def read_evaluation_spread(directory: Path) -> Float64Array:
    """Returns steps and mean, lowest and highest returns `[T, 4]` of the evaluations of a run."""
    rows = read_table(directory / "evaluations.csv", 5)
    if not len(rows):
        return np.empty((0, 4))
    steps, means = _means(rows).T
    parts = [rows[rows[:, 0] == step, 3] for step in steps]
    return np.column_stack([steps, means, [min(part) for part in parts], [max(p) for p in parts]])


def _read_source(directory: Path, name: str) -> Source:
    try:
        if (directory / NAME).exists():
            return _read_sweep(directory, name)
        if (directory / ".hydra/config.yaml").exists():
            return _read_run(directory, name)
        if sweeps := sorted(path.parent for path in directory.glob(f"**/{NAME}")):
            raise ConfigError([_several(directory, sweeps)])
        runs = list(_read_folder(directory, name))
    except ConfigError:
        raise
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError([str(error)]) from error
    if not runs:
        raise ConfigError([f"{directory}: expected the directory of a run or a sweep."])
    return Source(directory, name, runs, None, is_sweep=True, is_listed=False)


def _read_folder(directory: Path, name: str) -> Iterator[RunFiles]:
    """Yields the runs below a directory; results of other programs are left out."""
    for path in sorted(directory.glob("**/result.json")):
        try:
            read_result(path.parent)
        except ValueError as error:
            log.warning("Left out: %s", error)
        else:
            yield _read_unlisted(path.parent, os.path.relpath(path.parent, directory), name)


def _several(directory: Path, sweeps: Sequence[Path]) -> str:
    named = " ".join(str(shorten(sweep)) for sweep in sweeps[:3])
    more = " ..." if len(sweeps) > 3 else ""
    return (
        f"{directory} holds {len(sweeps)} sweeps; expected the directory of one, or several by name"
        f": {named}{more}"
    )


def _read_sweep(directory: Path, name: str) -> Source:
    hydra, entries = read_job_list(directory)
    if has_others(directory, entries):
        entries = locate_runs(directory, entries, _hash_of)
    runs = [
        _read(directory / one.directory, one.directory, name, flatten(one.config), one.swept)
        for one in entries
    ]
    return Source(
        directory,
        name,
        runs,
        _command_of(hydra),
        is_sweep=True,
        log_keys=_log_keys(hydra),
        is_search=(directory / JOURNAL).exists(),
        sweeper=flatten(hydra).get("runtime.choices.hydra/sweeper", "population"),
    )


def _hash_of(entry: JobEntry) -> str:
    try:
        return to_config(entry.config).hash()
    except ConfigError:  # Of another version.
        return ""


def _log_keys(hydra: Mapping[str, Any]) -> frozenset[str]:
    """Returns the keys that were searched on a logarithmic scale."""
    task = (hydra.get("overrides") or {}).get("task") or []
    declared = (hydra.get("sweeper") or {}).get("params") or {}
    ranges = [*(one.split("=", 1) for one in task if "=" in one), *declared.items()]
    is_log = re.compile(r"\s*tag\(\s*log\b")
    return frozenset(key.lstrip("+") for key, text in ranges if is_log.match(str(text)))


def _read_run(directory: Path, name: str) -> Source:
    path = directory / ".hydra/hydra.yaml"
    hydra = _read_yaml(path).get("hydra") or {}
    run = _read_unlisted(directory, directory.name, name)
    if not {"agent.gamma", "trainer.total_steps"} <= run.config.keys():
        raise ConfigError(
            [f"{directory}: expected a run of dqn_exp; its .hydra/config.yaml is of another "
             "program."]
        )  # fmt: skip
    return Source(directory, name, [run], _command_of(hydra), is_sweep=False)


def _command_of(hydra: Mapping[str, Any]) -> list[str]:
    """Returns the arguments of the command, from Hydra's node."""
    overrides, job = hydra.get("overrides") or {}, hydra.get("job") or {}
    sources = (hydra.get("runtime") or {}).get("config_sources") or []
    folders = [one["path"] for one in sources if one.get("provider") == "command-line"]
    options = [text for folder in folders for text in ("--config-dir", folder)]
    if job.get("config_name", "config") != "config":
        options += ["--config-name", job["config_name"]]
    # A name is that of a directory, which exists.
    task = [one for one in overrides.get("task", []) if not one.startswith("name=")]
    return [*options, *task, *_of_user(overrides.get("hydra", []))]


def _of_user(overrides: Iterable[str]) -> Iterator[str]:
    # Hydra adds the mode for -m, and a directory can be used only once.
    ours = ("hydra.mode=", "hydra.sweep.dir=", "hydra.run.dir=")
    yield from (override for override in overrides if not override.startswith(ours))


def _read_unlisted(directory: Path, name: str, source: str) -> RunFiles:
    config = replace_references(_read_yaml(directory / ".hydra/config.yaml"))
    return _read(directory, name, source, flatten(config), {})


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        values = {}
    return values


def _read(
    directory: Path, name: str, source: str, config: dict[str, Any], swept: dict[str, str]
) -> RunFiles:
    result = read_result(directory)
    status = PENDING if result is None else result.status
    rows = read_table(directory / "evaluations.csv", 5)
    return RunFiles(directory, name, source, config, swept, status, result, _means(rows))


def _means(rows: Float64Array) -> Float64Array:
    """Returns steps and mean returns `[T, 2]` of the rows `[R, 5]` of evaluations."""
    steps, inverse, counts = np.unique(rows[:, 0], return_inverse=True, return_counts=True)
    sums = np.bincount(inverse, weights=rows[:, 3], minlength=len(steps))
    return np.column_stack([steps, sums / counts])
