"""Metrics of the user's own modules, logged with all others."""

import logging
from collections.abc import Callable, Iterable
from typing import NamedTuple

from dqn_exp.core.arrays import Float32Array
from dqn_exp.core.errors import ConfigError
from dqn_exp.core.import_path import import_object, place
from dqn_exp.core.transition import Transition

log = logging.getLogger(__name__)

KEY = "log.metrics"
GROUP = "custom"
"""Group of the tags."""


class MetricInput(NamedTuple):
    """What a metric is computed from.

    Attributes:
        step: of the run.
        transitions: tensors of leading shape `[B]`, evenly spread over the buffer.
        q_values: `[B, A]` values of the actions in the observations.
    """

    step: int
    transitions: Transition
    q_values: Float32Array


Metric = Callable[[MetricInput], float]


class CustomMetrics:
    """Metrics by name; one that raises an error is logged and not computed again."""

    def __init__(self, paths: Iterable[str]) -> None:
        """Takes the import paths of functions."""
        self.live = {path.rpartition(":")[2]: _find(path) for path in paths}

    def compute(self, given: MetricInput) -> dict[str, float]:
        """Returns the values by tag."""
        values = {}
        for name, metric in list(self.live.items()):
            try:
                values[f"{GROUP}/{name}"] = float(metric(given))
            except Exception as error:  # Foreign code may raise any error.
                del self.live[name]
                log.exception("The metric %s raised %s; it is left out.", name, place(error))
        return values


def problems_of_metrics(paths: Iterable[str]) -> list[str]:
    """Returns what is wrong with metrics, before anything trains."""
    problems: list[str] = []
    for path in paths:
        try:
            _find(path)
        except ConfigError as error:
            problems += error.problems
    return problems


def _find(path: str) -> Metric:
    found = import_object(KEY, path)
    if not callable(found):
        raise ConfigError([f"{KEY}: expected a function, got {path}."])
    metric: Metric = found
    return metric
