"""The best of settings that can be compared and its uncertainty, in words."""

from collections.abc import Iterator, Sequence

import numpy as np

from dqn_exp.analysis.aggregates import Setting
from dqn_exp.analysis.comparable import Group
from dqn_exp.analysis.ranking import DEFAULT, Ranking, num_saturated, ranks_of
from dqn_exp.analysis.statistics import (
    adjust_for_pairs,
    mann_whitney_p,
    probability_of_improvement,
)
from dqn_exp.analysis.table import to_text

NUM_RIVALS = 4
"""Settings that the best one is compared with."""


SIGNIFICANT = 0.05


def verdict(group: Group) -> str:
    """Returns which setting of a group is best, and how certain that is."""
    scored, ranking = group.scored, group.ranking
    if not scored:
        return "No run has completed."
    best, count = scored[0], len(scored[0].scores)
    value = _value(best, ranking)
    if len(scored) == 1:
        return f"The {ranking.phrase} of {best.label} is {value} ({_over(count, ranking)})."
    tied, what = ranks_of(scored, ranking).count(1), f"{ranking.article} {ranking.phrase}"
    if tied > 1:
        named = "; ".join(setting.label for setting in scored[: min(tied, NUM_RIVALS)])
        more = "; ..." if tied > NUM_RIVALS else ""
        return (
            f"Of {len(scored)} settings, {tied} are equally good, with {what} of "
            f"{value}: {named}{more}. {_saturated(scored) if ranking is DEFAULT else ''}".strip()
        )
    lead = f"The best of {len(scored)} settings is {best.label}, with {what} of {value}"
    saturated = _saturated(scored) if ranking is DEFAULT else ""
    remarks = f"{saturated}{_left_out(best)}{_how_certain(scored, ranking)}"
    return f"{lead} ({_over(count, ranking)}). {remarks}"


def improvements(group: Group) -> Iterator[tuple[str, str, str, str]]:
    """Yields the best setting's probability of improvement over the next ones.

    Each item has the label of the other setting, the probability, its interval and the p-value,
    which is adjusted for the number of settings. Settings with a single seed are left out.
    """
    scored = [setting for setting in group.settings if len(setting.scores) > 1]
    if not scored or scored[0] is not group.settings[0]:
        return
    sample = group.ranking.sample
    best = sample(scored[0])
    for rival in scored[1 : 1 + NUM_RIVALS]:
        probability = probability_of_improvement(best, sample(rival))
        interval = f"{probability.low:.2f} to {probability.high:.2f}"
        p_value = adjust_for_pairs(mann_whitney_p(best, sample(rival)), len(group.scored))
        yield rival.label, f"{probability.value:.2f}", interval, f"{p_value:.2g}"


def _saturated(scored: Sequence[Setting]) -> str:
    tied = num_saturated(scored)
    if tied == 1:
        return ""
    return (
        f"The final return is saturated: {tied} settings tie for the highest IQM, and ties are "
        "broken by the worst run, then by the area under the learning curve. "
    )


def _left_out(best: Setting) -> str:
    count = best.num_failed + best.num_missing
    if not count:
        return ""
    return f"{count} of its {len(best.runs)} runs failed or have not ended, and are not counted. "


def _how_certain(scored: Sequence[Setting], ranking: Ranking) -> str:
    best, rival = scored[:2]
    if min(len(best.scores), len(rival.scores)) < 2:
        return f"The next best is {rival.label}, with {_value(rival, ranking)}."
    samples = ranking.sample(best), ranking.sample(rival)
    probability = probability_of_improvement(*samples)
    p_value = adjust_for_pairs(mann_whitney_p(*samples), len(scored))
    test = f"Mann-Whitney p = {p_value:.2g}"
    if len(scored) > 2:
        test += f", adjusted for the choice among {len(scored)} settings"
    first = ""
    if ranking is DEFAULT and not np.isnan(best.probability_best):
        first = f"It ranks first in {100 * best.probability_best:.0f}% of resamples of the seeds. "
    comparison = (
        f"{first}Its runs beat those of the next best, {rival.label}, with a probability of "
        f"{probability.value:.2f} [{probability.low:.2f}, {probability.high:.2f}]"
    )
    if p_value >= SIGNIFICANT:
        return f"{comparison}; the difference is not significant ({test})."
    return f"{comparison} ({test})."


def _over(count: int, ranking: Ranking) -> str:
    return "one seed" if count == 1 else f"{ranking.statistic} {count} seeds"


def _value(setting: Setting, ranking: Ranking) -> str:
    estimate = ranking.estimate(setting)
    value = to_text(float(estimate.value))
    if np.isinf(estimate.value):
        value = "more than the budget"
    if not estimate.has_interval:
        return value
    return f"{value} [{to_text(float(estimate.low))}, {to_text(float(estimate.high))}]"
