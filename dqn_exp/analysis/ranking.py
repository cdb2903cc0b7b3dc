"""Ranking criteria for settings."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from dqn_exp.analysis import statistics
from dqn_exp.analysis.aggregates import Setting
from dqn_exp.analysis.statistics import Estimate
from dqn_exp.core.arrays import Float64Array
from dqn_exp.core.errors import ConfigError

FINAL_RETURN = "final return"


class Ranking(NamedTuple):
    """A measure that settings are ranked by, and others that break ties.

    Attributes:
        phrase: names the measure in a sentence.
        statistic: over the seeds, in brackets.
        measures: of a setting, the decisive one first; larger is better.
        values: `[n]` values of the runs of a setting, as they are shown.
        estimate: of the decisive measure, as it is shown.
        sign: -1 if smaller values are better, otherwise 1.
    """

    phrase: str
    statistic: str
    measures: tuple[Callable[[Setting], float], ...]
    values: Callable[[Setting], Float64Array]
    estimate: Callable[[Setting], Estimate]
    sign: int = 1

    @property
    def article(self) -> str:
        """Indefinite article of the phrase."""
        return "an" if self.phrase[0] in "aeiou" else "a"

    @property
    def is_of_final_returns(self) -> bool:
        """True if the values are final returns."""
        return self.phrase == FINAL_RETURN

    def sample(self, setting: Setting) -> Float64Array:
        """Returns values `[n]` of the runs of a setting, of which larger ones are better."""
        return self.sign * self.values(setting)


def _iqm(setting: Setting) -> float:
    return float(setting.iqm.value)


def _minimum(setting: Setting) -> float:
    return setting.minimum


def _area(setting: Setting) -> float:
    return setting.area


def _quickness(setting: Setting) -> float:
    return -setting.steps_to_threshold


def _reliability(setting: Setting) -> float:
    return -setting.num_failed


def _known(value: float) -> float:
    return -np.inf if np.isnan(value) else value


def _certain(value: float) -> Estimate:
    """Returns an estimate without an interval."""
    return Estimate(*np.array([value, np.nan, np.nan]))


RANKINGS = {
    "iqm": Ranking(
        FINAL_RETURN,
        "IQM over",
        (_iqm, _minimum, _area, _reliability),
        lambda one: one.scores,
        lambda one: one.iqm,
    ),
    "area": Ranking(
        "area under the learning curve",
        "IQM over",
        (_area, _iqm, _minimum, _reliability),
        lambda one: one.heights,
        lambda one: statistics.estimate_iqm([one.heights]),
    ),
    "steps": Ranking(
        "number of steps to the threshold",
        "median over",
        (_quickness, _iqm, _minimum, _reliability),
        lambda one: one.reached,
        lambda one: _certain(one.steps_to_threshold),
        sign=-1,
    ),
    "min": Ranking(
        FINAL_RETURN,
        "worst of",
        (_minimum, _iqm, _area, _reliability),
        lambda one: one.scores,
        lambda one: _certain(one.minimum),
    ),
}
"""Rankings by their names on the command line."""

DEFAULT = RANKINGS["iqm"]


def check_threshold(ranking: Ranking, threshold: float | None) -> None:
    """Checks that a ranking has what it needs.

    Raises:
        ConfigError: If it needs a threshold, and there is none.
    """
    if ranking is RANKINGS["steps"] and threshold is None:
        raise ConfigError(
            ["--rank-by steps: needs a return to reach, but the environment does not define one. "
             "Set it with --threshold."]
        )  # fmt: skip


def merit_of(setting: Setting, ranking: Ranking = DEFAULT) -> tuple[float, ...]:
    """Returns the measures of a setting; unknown ones are the worst."""
    return tuple(_known(measure(setting)) for measure in ranking.measures)


def rank(settings: Sequence[Setting], ranking: Ranking = DEFAULT) -> list[Setting]:
    """Returns the settings, the best one first; those without scores are last."""
    return sorted(
        settings,
        key=lambda one: (len(one.scores) > 0, *merit_of(one, ranking), _known(one.last_return)),
        reverse=True,
    )


def ranks_of(settings: Sequence[Setting], ranking: Ranking = DEFAULT) -> list[int]:
    """Returns the rank of each setting, from 1; settings with equal merits share one."""
    merits = [merit_of(setting, ranking) for setting in settings]
    return [1 + sum(other > merit for other in merits) for merit in merits]


def num_saturated(settings: Sequence[Setting]) -> int:
    """Returns how many settings share the highest IQM of the final returns."""
    values = [_iqm(setting) for setting in settings if len(setting.scores)]
    return sum(value == max(values) for value in values)
