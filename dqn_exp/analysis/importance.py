"""Importance of hyperparameters.

An Efficient Approach for Assessing Hyperparameter Importance,
https://proceedings.mlr.press/v32/hutter14.html.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dqn_exp.analysis.aggregates import Setting
from dqn_exp.analysis.swept_keys import are_numbers, is_logarithmic
from dqn_exp.core.extras import import_extra

MIN_SETTINGS = 10
"""Settings below which a model of their returns says little."""

NUM_FORESTS = 3
"""Models that are fitted; their spread shows how far to trust the result."""


NUM_TREES = 32


class Importance(NamedTuple):
    """Share of the variance of the returns of settings that a key explains.

    Attributes:
        key: dotted.
        value: mean over the models, in [0, 1]; the remainder to 1 is due to interactions.
        low: of the models.
        high: of the models.
    """

    key: str
    value: float
    low: float
    high: float


def importances(
    settings: Sequence[Setting], keys: Sequence[str], log_keys: frozenset[str]
) -> list[Importance]:
    """Returns the importance of each key, the largest first; none if it cannot be estimated.

    A pruned setting counts with its last evaluation.

    Args:
        settings: with at least one evaluation each.
        keys: in which they differ.
        log_keys: keys whose values are spread over magnitudes.

    Raises:
        MissingExtraError: If Optuna or scikit-learn is not installed.
    """
    known = [one for one in settings if np.isfinite(one.last_return)]
    if len(keys) < 2 or len(known) < MIN_SETTINGS or len({one.last_return for one in known}) < 2:
        return []
    shares = [_shares(known, keys, log_keys, seed) for seed in range(NUM_FORESTS)]
    found = []
    for key in keys:
        values = [one[key] for one in shares]
        found.append(Importance(key, float(np.mean(values)), min(values), max(values)))
    return sorted(found, key=lambda one: one.value, reverse=True)


def num_known(settings: Sequence[Setting]) -> int:
    """Returns how many settings have an evaluation."""
    return sum(bool(np.isfinite(one.last_return)) for one in settings)


def _shares(
    settings: Sequence[Setting], keys: Sequence[str], log_keys: frozenset[str], seed: int
) -> Mapping[str, float]:
    import_extra("sklearn", "search")
    optuna = import_extra("optuna", "search")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    columns = {key: _column([one.values[key] for one in settings], key, log_keys) for key in keys}
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        optuna.trial.create_trial(
            params={key: column[place] for key, column in columns.items()},
            distributions={key: _distribution(optuna, column) for key, column in columns.items()},
            value=setting.last_return,
        )
        for place, setting in enumerate(settings)
    )
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=NUM_TREES, seed=seed)
    shares: Mapping[str, float] = evaluator.evaluate(study, params=list(keys))
    return shares


def _column(values: Sequence[str], key: str, log_keys: frozenset[str]) -> Sequence[str | float]:
    """Returns the values of a key as numbers, if they are, on the scale that they are spread on."""
    if not are_numbers(values):
        return values
    # The evaluator takes no notice of logarithmic scales.
    scale = math.log if is_logarithmic(key, values, log_keys) else float
    return [scale(float(value)) for value in values]


def _distribution(optuna: Any, column: Sequence[Any]) -> Any:
    if isinstance(column[0], str):
        return optuna.distributions.CategoricalDistribution(list(dict.fromkeys(column)))
    return optuna.distributions.FloatDistribution(min(column), max(column))
