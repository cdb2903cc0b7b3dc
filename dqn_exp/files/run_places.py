"""The directories in which the runs of a sweep are: they may have been renamed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from dqn_exp.files.directories import MOST_LEVELS, sweep_above
from dqn_exp.files.job_list import JobEntry
from dqn_exp.files.result import read_result


def locate_runs(
    directory: Path, entries: Sequence[JobEntry], hash_of: Callable[[JobEntry], str]
) -> list[JobEntry]:
    """Returns the jobs of a sweep, each with the directory in which its run is.

    A run is recognized by the hash of its config.

    Args:
        directory: of the sweep.
        entries: its jobs.
        hash_of: returns the config hash of a job.
    """
    found = dict(_runs_in(directory, entries))
    jobs = [(entry, hash_of(entry)) for entry in entries]
    taken = {entry.directory for entry, own in jobs if _is_at_home(found, entry, own)}
    located = []
    for entry, own in jobs:
        place = entry.directory
        if not _is_at_home(found, entry, own):
            others = (name for name, theirs in found.items() if theirs == own and name not in taken)
            place = next(others, entry.directory)
            taken.add(place)
        located.append(entry._replace(directory=place))
    return located


def has_others(directory: Path, entries: Sequence[JobEntry]) -> bool:
    """Returns whether a sweep has directories of runs that its list does not name."""
    names = {entry.directory for entry in entries}
    return any(name not in names for name in _children(directory))


def _is_at_home(found: Mapping[str, str], entry: JobEntry, config_hash: str) -> bool:
    return found.get(entry.directory) == config_hash


def _runs_in(directory: Path, entries: Sequence[JobEntry]) -> Iterator[tuple[str, str]]:
    """Yields the directories of runs with their config hashes."""
    listed = [entry.directory for entry in entries]
    for name in dict.fromkeys([*listed, *_children(directory)]):
        try:
            result = read_result(directory / name)
        except ValueError:
            if name in listed:
                raise
            continue  # It is not a run.
        if result is not None:
            yield name, result.config_hash


def _children(directory: Path) -> list[str]:
    """Returns the directories of runs, relative, without those of other sweeps."""
    patterns = ["*/" * depth + "result.json" for depth in range(1, MOST_LEVELS + 1)]
    found = [path.parent for pattern in patterns for path in directory.glob(pattern)]
    return [str(one.relative_to(directory)) for one in found if sweep_above(one) == directory]
