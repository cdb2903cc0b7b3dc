"""Importance of hyperparameters.

An Efficient Approach for Assessing Hyperparameter Importance,
https://proceedings.mlr.press/v32/hutter14.html.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dqn_exp.analysis.aggregates import Setting
from dqn_exp.analysis.swept_keys import are_numbers
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
    distributions = {key: _distribution(optuna, settings, key, log_keys) for key in keys}
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        optuna.trial.create_trial(
            params={key: _parsed(setting.values[key], distributions[key]) for key in keys},
            distributions=distributions,
            value=setting.last_return,
        )
        for setting in settings
    )
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=NUM_TREES, seed=seed)
    shares: Mapping[str, float] = evaluator.evaluate(study, params=list(keys))
    return shares


def _parsed(text: str, distribution: Any) -> str | float:
    return text if hasattr(distribution, "choices") else float(text)


def _distribution(
    optuna: Any, settings: Sequence[Setting], key: str, log_keys: frozenset[str]
) -> Any:
    values = list(dict.fromkeys(setting.values[key] for setting in settings))
    if not are_numbers(values):
        return optuna.distributions.CategoricalDistribution(values)
    numbers = [float(value) for value in values]
    is_log = key in log_keys and min(numbers) > 0
    return optuna.distributions.FloatDistribution(min(numbers), max(numbers), log=is_log)
