"""TODO."""

from collections.abc import Iterator, Sequence

import numpy as np

from dqn_exp.analysis.aggregates import Setting
from dqn_exp.analysis.statistics import Estimate, difference_by_chance, probability_of_improvement
from dqn_exp.analysis.table import to_text
from dqn_exp.analysis.text import environments_of

NUM_RIVALS = 4
"""Settings that the best one is compared with."""


SIGNIFICANT = 0.05


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


def _over(count: int) -> str:
    return "with one seed" if count == 1 else f"the IQM over {count} seeds"


def _in_brackets(estimate: Estimate) -> str:
    if not estimate.has_interval:
        return ""
    return f" [{to_text(float(estimate.low))}, {to_text(float(estimate.high))}]"
