"""What there is to do in a directory of runs, and whether its files fit together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from dqn_exp.config import to_config
from dqn_exp.directories import shorten
from dqn_exp.engine_choice import reasons_against_native
from dqn_exp.errors import ConfigError
from dqn_exp.job_list import JobEntry
from dqn_exp.restoration import find_standing
from dqn_exp.result import Result, read_result

Action = Literal["skip", "leave", "begin", "go on", "retry"]


class Step(NamedTuple):
    """What there is to do with one job.

    entry: the job, with the directory in which its run was found.
    config_hash: of its config.
    action: skip a completed run, leave a failed one, begin, go on or retry.
    result: what the run has left, if it has begun.
    from_step: of the run, where it goes on.
    refused: why it does not go on from a newer checkpoint.
    """

    entry: JobEntry
    config_hash: str
    action: Action
    result: Result | None
    from_step: int
    refused: Sequence[str] = ()

    @property
    def is_to_do(self) -> bool:
        """Whether the run is to be trained."""
        return self.action in ("begin", "go on", "retry")

    def describe(self, sweep_directory: Path) -> str:
        """Returns a line for the user."""
        run = shorten(sweep_directory / self.entry.directory)
        match self.action:
            case "skip":
                return f"skip   {run}: completed"
            case "leave" | "retry":
                assert self.result is not None
                what = f"{self.result.status}: {self.result.error}"
                where = f", from step {self.from_step}" if self.action == "retry" else ""
                return f"{self.action:6} {run}{where} ({what})"
            case "begin":
                return f"begin  {run}"
            case _:
                why = f" ({' '.join(self.refused)})" if self.refused else ""
                return f"go on  {run}, from step {self.from_step}{why}"


def make_plan(directory: Path, entries: Sequence[JobEntry], *, retries_failed: bool) -> list[Step]:
    """Returns what there is to do with each job, and changes nothing.

    A job's run is recognised by the hash of its config, so its directory may have another name.

    Args:
        directory: of the sweep.
        entries: its jobs.
        retries_failed: whether runs that have failed or diverged are trained again.

    Raises:
        ConfigError: with every reason why the files do not fit together.
    """
    problems: list[str] = []
    steps = []
    hashes = [to_config(entry.config).hash() for entry in entries]
    try:
        places = _find_runs(directory, entries, hashes)
    except ValueError as error:
        raise ConfigError([str(error)]) from error
    for entry, config_hash, place in zip(entries, hashes, places, strict=True):
        try:
            steps.append(_make_step(directory, place, entry, config_hash, retries_failed))
        except ValueError as error:
            problems += str(error).splitlines()
    if problems:
        raise ConfigError(problems)
    return steps


def mark_for_retry(directory: Path, steps: Sequence[Step]) -> None:
    """Lets the results of runs that are retried say that they go on."""
    for step in steps:
        if step.action == "retry" and step.result is not None:
            again = replace(step.result, status="interrupted", error=None)
            if not step.from_step:
                again = replace(again, steps=0, episodes=0, updates=0)
            again.write(directory / step.entry.directory)


def _find_runs(directory: Path, entries: Sequence[JobEntry], hashes: Sequence[str]) -> list[str]:
    """Returns the directory of each job's run, relative to that of the sweep."""
    found = dict(_runs_in(directory, entries))
    jobs = list(zip(entries, hashes, strict=True))
    taken = {entry.directory for entry, own in jobs if _is_at_home(found, entry, own)}
    places = []
    for entry, own in jobs:
        place = entry.directory
        if not _is_at_home(found, entry, own):
            # Its directory may have been renamed.
            others = (name for name, theirs in found.items() if theirs == own and name not in taken)
            place = next(others, entry.directory)
            taken.add(place)
        places.append(place)
    return places


def _is_at_home(found: Mapping[str, str], entry: JobEntry, config_hash: str) -> bool:
    return found.get(entry.directory) == config_hash


def _runs_in(directory: Path, entries: Sequence[JobEntry]) -> Iterator[tuple[str, str]]:
    children = [path.parent.name for path in directory.glob("*/result.json")]
    for name in dict.fromkeys([*(entry.directory for entry in entries), *children]):
        result = read_result(directory / name)
        if result is not None:
            yield name, result.config_hash


def _make_step(
    directory: Path, place: str, entry: JobEntry, config_hash: str, retries_failed: bool
) -> Step:
    entry = entry._replace(directory=place)
    result = read_result(directory / place)
    if result is not None and result.config_hash == config_hash:
        if result.status == "completed":
            return Step(entry, config_hash, "skip", result, 0)
        if result.has_ended and not retries_failed:
            return Step(entry, config_hash, "leave", result, 0)
    standing = find_standing(directory / place, config_hash)
    from_step = standing.records["result"]["steps"] if standing.records else 0
    if entry.config["engine"] == "auto" and _can_go_on(standing.engine, entry):
        # A later version may choose otherwise, and last bits would differ.
        entry = entry._replace(config={**entry.config, "engine": standing.engine})
    if result is not None and result.has_ended:
        return Step(entry, config_hash, "retry", result, from_step)
    action: Action = "go on" if from_step else "begin"
    return Step(entry, config_hash, action, result, from_step, standing.refused)


def _can_go_on(engine: str | None, entry: JobEntry) -> bool:
    """Whether a job can go on with the engine that has begun it; the device may be another now."""
    has_reasons = any(reasons_against_native(to_config(entry.config)))
    return engine == "torch" or (engine == "native" and not has_reasons)
