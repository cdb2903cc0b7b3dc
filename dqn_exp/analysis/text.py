"""Notes, facts and failures of a report, in words."""

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from dqn_exp.analysis.aggregates import Setting
from dqn_exp.analysis.comparable import CONDITIONS, Group
from dqn_exp.analysis.run_reader import RunFiles, Source
from dqn_exp.analysis.swept_keys import (
    SOURCE,
    are_numbers,
    find_differences,
    sort_values,
    value_of,
)
from dqn_exp.core.wording import quantity
from dqn_exp.files.directories import shorten
from dqn_exp.files.job_list import CONFIRMATION

SWEEPER = ("hydra/sweeper", "hydra.sweeper")
"""Keys of what makes many settings, which one setting has no use for."""


ONE_CHOICE = re.compile(r"(?<==)choice\((.*)\)$")
"""How a sweep writes the value of a key that belongs to one option of a swept group."""

MOST_LISTED = 12
"""Values of a key that are listed one by one."""


class Trouble(NamedTuple):
    """A run that has not completed.

    Attributes:
        name: of the run.
        status: of the run.
        step: that it reached.
        error: that ended it.
        log: path of its log, relative to the report, or empty.
        is_bad: whether it failed or diverged.
    """

    name: str
    status: str
    step: str
    error: str
    log: str
    is_bad: bool


def subtitle(group: Group) -> str:
    """Returns the environment, the budget and the seeds of a group."""
    runs, swept = group.runs, dict.fromkeys(key for run in group.runs for key in run.swept)
    parts = [_values(runs, "env.id")]
    for key, unit in (("trainer.total_steps", "step"), ("trainer.total_episodes", "episode")):
        value = _values(runs, key)
        if value not in ("", "null"):
            parts.append(quantity(int(value), unit) if value.isdigit() else f"{value} {unit}s")
    parts.append(quantity(len({run.seed for run in runs}), "seed"))
    shared = [key for key in swept if key not in (*group.keys, "seed", *CONDITIONS)]
    if shared:
        values = ", ".join(f"{key}={_values(runs, key)}" for key in shared)
        parts.append(f"{values} in all settings")
    return f"{'; '.join(parts)}."


def notes(group: Group) -> Iterator[str]:
    """Yields caveats of the numbers."""
    settings, runs, scored = group.settings, group.runs, group.scored
    counts = Counter(len(setting.scores) for setting in scored)
    if scored and max(counts) == 1:
        yield (
            "Each setting has a single seed, so there are no intervals, and the ranking may be "
            "due to chance: run several seeds, as in seed=range(10)."
        )
    elif len(counts) > 1:
        yield f"The settings have {min(counts)} to {max(counts)} completed runs."
    if scored and 1 < max(counts) < 5:
        yield (
            "With fewer than five seeds, intervals are too narrow: they cover the true value in "
            "about 50% of cases with two seeds, 75% with three, and 87% with four."
        )
    if len(scored) > 4 and max(counts) > 1:
        yield (
            f"The best of {len(scored)} settings owes its rank partly to luck: with other seeds, "
            "its return is likely to be lower."
        )
    if repeated := sum(setting.num_repeated for setting in settings):
        ignored = quantity(repeated, "run")
        yield f"Ignored: {ignored} with a seed that another run of the same setting has."
    failed = sum(setting.num_failed for setting in settings)
    if failed:
        better = ", which makes their settings look better than they are" if scored else ""
        yield (
            f"{quantity(failed, 'run')} failed or diverged. They have no final return and are only "
            f"counted{better}."
        )
    if pruned := sum(setting.num_pruned > 0 for setting in settings):
        yield (
            f"{pruned} of {quantity(len(settings), 'setting')} ended early (pruned), because of "
            "worse evaluations than those of others. Pruned settings have no rank."
        )
    missing = Counter(run.status for run in runs if _is_missing(run))
    if missing:
        statuses = ", ".join(
            f"{count} {_status(status)}" for status, count in sorted(missing.items())
        )
        all_runs = quantity(len(runs), "run")
        yield f"{missing.total()} of {all_runs} have not ended ({statuses}) and are not included."
    yield from _lengths(runs)


def facts(sources: Sequence[Source], groups: Sequence[Group]) -> Iterator[tuple[str, str]]:
    """Yields name-value pairs that describe the runs."""
    runs = [run for source in sources for run in source.runs]
    keys = dict.fromkeys(key for group in groups for key in group.keys)
    yield "directory", ", ".join(str(shorten(source.directory)) for source in sources)
    yield "environment", _values(runs, "env.id")
    for key in keys:
        if key != SOURCE:
            yield key, _listed(runs, key)
    for key, values in find_differences(sources).items() if SOURCE in keys else ():
        if key not in keys:
            apart = (f"{text} in {one.name}" for text, one in zip(values, sources, strict=True))
            yield key, "; ".join(apart)
    yield "seed", _values(runs, "seed")
    counts = Counter(run.status for run in runs)
    statuses = ", ".join(f"{count} {_status(status)}" for status, count in counts.most_common())
    yield "runs", f"{len(runs)}: {statuses}"
    steps = [run.result.steps for run in runs if run.result is not None]
    if steps:
        yield "steps per run", _range(min(steps), max(steps))
        yield "total steps", f"{sum(steps):,}"
    yield "episodes of the final evaluation", _values(runs, "eval.episodes")
    thresholds = sorted({group.threshold for group in groups if group.threshold is not None})
    if thresholds:
        reached = ", ".join(f"{one:g}" for one in thresholds)
        yield "threshold", f"evaluation with a mean return of {reached}"
    versions = sorted({_versions(run) for run in runs if run.result is not None})
    if versions:
        yield "versions", "; ".join(versions)


def troubles(sources: Sequence[Source], prefix: str) -> Iterator[Trouble]:
    """Yields the runs that have not completed.

    Args:
        sources: of the report, which is in the first one.
        prefix: of links from the report to that directory.
    """
    for source in sources:
        for run in source.runs:
            if run.status in ("completed", "pruned"):
                continue
            log, result = run.directory / "train.log", run.result
            yield Trouble(
                name=run.name if len(sources) == 1 else f"{source.name}/{run.name}",
                status=_status(run.status),
                step="" if result is None else f"{result.steps:,}",
                error=(result.error if result is not None else None) or "",
                log=link(log, sources, prefix) if log.exists() else "",
                is_bad=not _is_missing(run),
            )


def link(path: Path, sources: Sequence[Source], prefix: str) -> str:
    """Returns the address of a path in a report.

    Args:
        path: absolute.
        sources: of the report, which is in the first one.
        prefix: of links from the report to that directory.
    """
    directory = sources[0].directory
    if not path.is_relative_to(directory):
        return path.as_uri()
    return prefix + quote(str(path.relative_to(directory)), safe="/=,")


def confirmation_of(sources: Sequence[Source], prefix: str) -> str:
    """Returns the address of the report of a confirmation, empty if there is none."""
    page = sources[0].directory / CONFIRMATION / "report/index.html"
    return link(page, sources, prefix) if page.exists() else ""


def commands(sources: Sequence[Source]) -> list[str]:
    """Returns the commands that repeat the training."""
    return [
        shlex.join(["python", "-m", *_repeating(source, source.command)])
        for source in sources
        if source.command is not None
    ]


def _repeating(source: Source, command: Sequence[str]) -> list[str]:
    if source.directory.name != CONFIRMATION:
        return ["dqn_exp.train", *(["-m"] if source.is_sweep else []), *command]
    others = ({key: run.swept[key] for key in run.swept if key != "seed"} for run in source.runs)
    top, seeds = len({str(one) for one in others}), len({run.seed for run in source.runs})
    sweep = str(shorten(source.directory.parent))
    return ["dqn_exp.confirm", sweep, "--top", str(top), "--seeds", str(seeds)]


def command_of(setting: Setting, sources: Sequence[Source]) -> str:
    """Returns the command that repeats the runs of a setting; empty if it is unknown."""
    run = setting.runs[0]
    source = next(one for one in sources if one.name == run.source)
    if source.command is None:
        return ""
    kept = [one for one in source.command if not _is_replaced(one, run)]
    kept = [ONE_CHOICE.sub(r"\1", one) for one in kept]
    if source.sweeper != "population":
        kept.append("hydra/sweeper=population")  # A recipe may select the search.
    written = written_keys(source)
    swept = [
        f"{written.get(key, key)}={value}"
        for key, value in run.swept.items()
        if key != "seed" and value
    ]
    seeds = sort_values(str(one.seed) for one in setting.runs if one.seed is not None)
    several = ["-m"] if len(seeds) > 1 else []
    seed = [f"seed={','.join(seeds)}"] if seeds else []
    return shlex.join(["python", "-m", "dqn_exp.train", *several, *kept, *swept, *seed])


def written_keys(source: Source) -> dict[str, str]:
    """Returns the keys of a command as they were written, such as +env.kwargs.size."""
    written = [one.partition("=")[0] for one in source.command or ()]
    return {key.lstrip("+"): key for key in written}


def _is_replaced(override: str, run: RunFiles) -> bool:
    """Returns whether a setting has its own value of an override, or has no use for it."""
    key, has_value, _ = override.partition("=")
    key = key.lstrip("+")
    if has_value and re.fullmatch(r"(?!hydra\.)\w+(\.\w+)+", key) and not _has(run, key):
        return True  # It belongs to an option of a group that the setting does not have.
    return key in run.swept or key in ("seed", "name") or key.startswith(SWEEPER)


def _has(run: RunFiles, key: str) -> bool:
    return any(one == key or one.startswith(f"{key}.") for one in run.config)


def _lengths(runs: Sequence[RunFiles]) -> Iterator[str]:
    scored = [run for run in runs if run.score is not None and len(run.evaluations)]
    steps = {int(run.evaluations[-1, 0]) for run in scored}
    if len(steps) > 1:
        yield (
            f"The completed runs have different lengths, {_range(min(steps), max(steps))} steps. A "
            "point of a learning curve includes the runs that reached this step, and areas are "
            "means over each run's own length."
        )


def _is_missing(run: RunFiles) -> bool:
    return run.status in ("pending", "running", "interrupted")


def _status(status: str) -> str:
    # The files of a killed run look like those of one that is training.
    return "running or killed" if status == "running" else status


def _values(runs: Sequence[RunFiles], key: str) -> str:
    values = sort_values(value_of(run, key) for run in runs)
    numbers = [int(value) for value in values if value.isdigit()]
    if len(values) > 3 and len(numbers) == len(values) == numbers[-1] - numbers[0] + 1:
        return f"{values[0]} to {values[-1]}"
    return ", ".join(values)


def _listed(runs: Sequence[RunFiles], key: str) -> str:
    """Returns the values of a key, or their range if there are too many to read."""
    values = sort_values(value_of(run, key) for run in runs)
    if len(values) <= MOST_LISTED or not are_numbers(values):
        return _values(runs, key)
    low, high = (f"{float(value):.4g}" for value in (values[0], values[-1]))
    return f"{low} to {high} ({len(values)} values)"


def _range(low: int, high: int) -> str:
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _versions(run: RunFiles) -> str:
    assert run.result is not None
    return ", ".join(f"{name} {version}" for name, version in run.result.versions.items())
