"""What a report says in words."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import quote

import numpy as np

from dqn_exp.differences import SOURCE, find_differences, sort_values, value_of
from dqn_exp.directories import shorten
from dqn_exp.report_table import to_text
from dqn_exp.run_files import RunFiles, Source
from dqn_exp.settings import Setting
from dqn_exp.statistics import Estimate, difference_by_chance, probability_of_improvement

NUM_RIVALS = 4
"""Settings that the best one is compared with."""


SIGNIFICANT = 0.05


class Trouble(NamedTuple):
    """A run that has not completed.

    log: its log, relative to the report, or empty.
    """

    name: str
    status: str
    step: str
    error: str
    log: str
    is_bad: bool


def verdict(settings: Sequence[Setting]) -> str:
    """Returns which setting is the best and how sure that is, in some sentences."""
    scored = [setting for setting in settings if len(setting.scores)]
    if not scored:
        return "No run has completed yet, so there is nothing to compare."
    best, count = scored[0], len(scored[0].scores)
    value = f"{to_text(float(best.iqm.value))}{_in_brackets(best.iqm)}"
    if len(scored) == 1:
        return f"The final return of {best.label} is {value}, {_over(count)}."
    if len({env for setting in scored for env in environments_of(setting.runs)}) > 1:
        return (
            "The settings are of different environments, whose returns cannot be compared: read "
            "the table for each environment by itself."
        )
    tied = [setting for setting in scored if setting.iqm.value == best.iqm.value]
    if len(tied) > 1:
        named = "; ".join(setting.label for setting in tied[:NUM_RIVALS])
        more = "; ..." if len(tied) > NUM_RIVALS else ""
        return (
            f"Of {len(scored)} settings, {len(tied)} share the greatest final return of {value}: "
            f"{named}{more}."
        )
    said = f"The best of {len(scored)} settings is {best.label}, with a final return of {value}, "
    return f"{said}{_over(count)}. {_left_out(best)}{_how_sure(scored)}"


def notes(settings: Sequence[Setting], runs: Sequence[RunFiles]) -> Iterator[str]:
    """Yields what has to be known before the figures are trusted."""
    scored = [setting for setting in settings if len(setting.scores)]
    counts = Counter(len(setting.scores) for setting in scored)
    if scored and max(counts) == 1:
        yield (
            "There is one seed for each setting. No interval can be given, and the order of the "
            "settings may be chance: run several seeds, as in seed=range(10)."
        )
    elif len(counts) > 1:
        yield f"The settings have from {min(counts)} to {max(counts)} completed runs."
    if scored and 1 < max(counts) < 5:
        yield (
            "With fewer than five seeds, intervals are too narrow: with two they hold the truth in "
            "about half of all cases, with three in three of four, with four in 87 %."
        )
    if len(scored) > 4 and max(counts) > 1:
        yield (
            f"The best of {len(scored)} settings is partly the luckiest: with other seeds its "
            "return is likely to be lower."
        )
    if repeated := sum(setting.num_repeated for setting in settings):
        yield (
            f"Left out: {_runs(repeated)} with a seed that another run of the same setting has, "
            "which tells nothing new."
        )
    failed = sum(setting.num_failed for setting in settings)
    if failed:
        yield (
            f"{_runs(failed)} failed or diverged. They have no final return and are left out of "
            "all figures but their counts, which flatters settings that have some."
        )
    missing = Counter(run.status for run in runs if _is_missing(run))
    if missing:
        told = ", ".join(f"{count} {_status(status)}" for status, count in sorted(missing.items()))
        count = missing.total()
        yield f"{count} of {_runs(len(runs))} have not ended ({told}) and are not counted."
    yield from _lengths(runs)


def facts(
    sources: Sequence[Source], keys: Sequence[str], threshold: float | None
) -> Iterator[tuple[str, str]]:
    """Yields names and values of what was run."""
    runs = [run for source in sources for run in source.runs]
    yield "directory", ", ".join(str(shorten(source.directory)) for source in sources)
    yield "environment", _values(runs, "env.id")
    for key in keys:
        if key != SOURCE:
            yield key, _values(runs, key)
    for key, values in find_differences(sources).items() if SOURCE in keys else ():
        if key not in keys:
            apart = (f"{text} in {one.name}" for text, one in zip(values, sources, strict=True))
            yield key, "; ".join(apart)
    yield "seed", _values(runs, "seed")
    counts = Counter(run.status for run in runs)
    told = ", ".join(f"{count} {_status(status)}" for status, count in counts.most_common())
    yield "runs", f"{len(runs)}: {told}"
    steps = [run.result.steps for run in runs if run.result is not None]
    if steps:
        yield "steps of a run", _range(min(steps), max(steps))
        yield "steps together", f"{sum(steps):,}"
    yield "final evaluation", f"{_values(runs, 'eval.episodes')} episodes"
    if threshold is not None:
        yield "threshold", f"an evaluation with a mean return of {threshold:g}"
    versions = sorted({_versions(run) for run in runs if run.result is not None})
    if versions:
        yield "versions", "; ".join(versions)


def improvements(settings: Sequence[Setting]) -> Iterator[tuple[str, str, str, str]]:
    """Yields label, probability, interval and p-value of the best setting against the following.

    There is none of a setting with a single seed.
    """
    scored = [setting for setting in settings if len(setting.scores) > 1]
    if not scored or scored[0] is not settings[0]:
        return
    best = scored[0].scores
    for rival in scored[1 : 1 + NUM_RIVALS]:
        chance = probability_of_improvement(best, rival.scores)
        interval = f"{chance.low:.2f} to {chance.high:.2f}"
        by_chance = difference_by_chance(best, rival.scores)
        yield rival.label, f"{chance.value:.2f}", interval, f"{by_chance:.2g}"


def troubles(sources: Sequence[Source], prefix: str) -> Iterator[Trouble]:
    """Yields the runs that have not completed.

    Args:
        sources: the first of which holds the report.
        prefix: what leads from the report to that directory.
    """
    for source in sources:
        for run in source.runs:
            if run.status == "completed":
                continue
            log = run.directory / "train.log"
            is_near = run.directory.is_relative_to(sources[0].directory)
            way = quote(str(log.relative_to(sources[0].directory)), safe="/=,") if is_near else ""
            near = f"{prefix}{way}" if is_near else log.as_uri()
            result = run.result
            yield Trouble(
                name=run.name if len(sources) == 1 else f"{source.name}/{run.name}",
                status=_status(run.status),
                step="" if result is None else f"{result.steps:,}",
                error=(result.error if result is not None else None) or "",
                log=near if log.exists() else "",
                is_bad=not _is_missing(run),
            )


def commands(sources: Sequence[Source]) -> list[str]:
    """Returns the commands that train the same again."""
    return [
        shlex.join(
            ["python", "-m", "dqn_exp.train", *(["-m"] if source.is_sweep else []), *source.command]
        )
        for source in sources
        if source.command is not None
    ]


def _left_out(best: Setting) -> str:
    count = best.num_failed + best.num_missing
    if not count:
        return ""
    return f"{count} of its {len(best.runs)} runs have failed or not ended, and do not count here. "


def _how_sure(scored: Sequence[Setting]) -> str:
    best, rival = scored[:2]
    if min(len(best.scores), len(rival.scores)) < 2:
        return f"The next is {rival.label}, with {to_text(float(rival.iqm.value))}."
    chance = probability_of_improvement(best.scores, rival.scores)
    by_chance = difference_by_chance(best.scores, rival.scores)
    first = ""
    if not np.isnan(best.is_best):
        first = (
            f"When the seeds are resampled, it is first in {100 * best.is_best:.0f} % of cases. "
        )
    told = (
        f"{first}A run of it has a higher return than one of the next, {rival.label}, with a "
        f"probability of {chance.value:.2f} [{chance.low:.2f}, {chance.high:.2f}]"
    )
    if by_chance >= SIGNIFICANT:
        return f"{told}; these seeds do not tell the two apart (Mann-Whitney p = {by_chance:.2g})."
    return f"{told} (Mann-Whitney p = {by_chance:.2g})."


def environments_of(runs: Sequence[RunFiles]) -> set[str]:
    """Returns the ids of the environments of some runs."""
    return {value_of(run, "env.id") for run in runs}


def _over(count: int) -> str:
    return "with one seed" if count == 1 else f"the IQM over {count} seeds"


def _in_brackets(estimate: Estimate) -> str:
    if not estimate.has_interval:
        return ""
    return f" [{to_text(float(estimate.low))}, {to_text(float(estimate.high))}]"


def _lengths(runs: Sequence[RunFiles]) -> Iterator[str]:
    scored = [run for run in runs if run.score is not None and len(run.evaluations)]
    steps = {int(run.evaluations[-1, 0]) for run in scored}
    if len(steps) > 1:
        yield (
            f"The completed runs are of different lengths, {_range(min(steps), max(steps))} "
            "steps. A point of a learning curve is of those runs that have come so far, and areas "
            "are means over each run's own length."
        )


def _is_missing(run: RunFiles) -> bool:
    return run.status in ("pending", "running", "interrupted")


def _status(status: str) -> str:
    # Nobody can tell a run that was killed from one that still trains by its files alone.
    return "running or killed" if status == "running" else status


def _values(runs: Sequence[RunFiles], key: str) -> str:
    values = sort_values(value_of(run, key) for run in runs)
    numbers = [int(value) for value in values if value.isdigit()]
    if len(values) > 3 and len(numbers) == len(values) == numbers[-1] - numbers[0] + 1:
        return f"{values[0]} to {values[-1]}"
    return ", ".join(values)


def _range(low: int, high: int) -> str:
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count:,} runs"


def _versions(run: RunFiles) -> str:
    assert run.result is not None
    return ", ".join(f"{name} {version}" for name, version in run.result.versions.items())
