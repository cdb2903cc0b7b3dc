"""The best setting of a sweep and its uncertainty, in words."""

from collections.abc import Iterator, Sequence

import numpy as np

from dqn_exp.analysis.aggregates import Setting
from dqn_exp.analysis.statistics import Estimate, mann_whitney_p, probability_of_improvement
from dqn_exp.analysis.table import to_text
from dqn_exp.analysis.text import environments_of

NUM_RIVALS = 4
"""Settings that the best one is compared with."""


SIGNIFICANT = 0.05


def verdict(settings: Sequence[Setting]) -> str:
    """Returns which setting is best, and how certain that is."""
    scored = [setting for setting in settings if len(setting.scores)]
    if not scored:
        return "No run has completed yet."
    best, count = scored[0], len(scored[0].scores)
    value = f"{to_text(float(best.iqm.value))}{_in_brackets(best.iqm)}"
    if len(scored) == 1:
        return f"The final return of {best.label} is {value} ({_over(count)})."
    if len({env for setting in scored for env in environments_of(setting.runs)}) > 1:
        return (
            "The settings belong to different environments, whose returns cannot be compared: read "
            "the table separately for each environment."
        )
    tied = [setting for setting in scored if setting.iqm.value == best.iqm.value]
    if len(tied) > 1:
        named = "; ".join(setting.label for setting in tied[:NUM_RIVALS])
        more = "; ..." if len(tied) > NUM_RIVALS else ""
        return (
            f"Of {len(scored)} settings, {len(tied)} share the highest final return of {value}: "
            f"{named}{more}."
        )
    lead = f"The best of {len(scored)} settings is {best.label}, with a final return of {value}"
    return f"{lead} ({_over(count)}). {_left_out(best)}{_how_certain(scored)}"


def improvements(settings: Sequence[Setting]) -> Iterator[tuple[str, str, str, str]]:
    """Yields the best setting's probability of improvement over the next ones.

    Each item has the label of the other setting, the probability, its interval and the p-value.
    Settings with a single seed are left out.
    """
    scored = [setting for setting in settings if len(setting.scores) > 1]
    if not scored or scored[0] is not settings[0]:
        return
    best = scored[0].scores
    for rival in scored[1 : 1 + NUM_RIVALS]:
        probability = probability_of_improvement(best, rival.scores)
        interval = f"{probability.low:.2f} to {probability.high:.2f}"
        p_value = mann_whitney_p(best, rival.scores)
        yield rival.label, f"{probability.value:.2f}", interval, f"{p_value:.2g}"


def _left_out(best: Setting) -> str:
    count = best.num_failed + best.num_missing
    if not count:
        return ""
    return f"{count} of its {len(best.runs)} runs failed or have not ended, and are not counted. "


def _how_certain(scored: Sequence[Setting]) -> str:
    best, rival = scored[:2]
    if min(len(best.scores), len(rival.scores)) < 2:
        return f"The next best is {rival.label}, with {to_text(float(rival.iqm.value))}."
    probability = probability_of_improvement(best.scores, rival.scores)
    p_value = mann_whitney_p(best.scores, rival.scores)
    first = ""
    if not np.isnan(best.probability_best):
        first = f"It ranks first in {100 * best.probability_best:.0f} % of resamples of the seeds. "
    comparison = (
        f"{first}Its runs beat those of the next best, {rival.label}, with a probability of "
        f"{probability.value:.2f} [{probability.low:.2f}, {probability.high:.2f}]"
    )
    if p_value >= SIGNIFICANT:
        return f"{comparison}; the difference is not significant (Mann-Whitney p = {p_value:.2g})."
    return f"{comparison} (Mann-Whitney p = {p_value:.2g})."


def _over(count: int) -> str:
    return "one seed" if count == 1 else f"IQM over {count} seeds"


def _in_brackets(estimate: Estimate) -> str:
    if not estimate.has_interval:
        return ""
    return f" [{to_text(float(estimate.low))}, {to_text(float(estimate.high))}]"
