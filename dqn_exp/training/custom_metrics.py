"""Metrics from the user's own modules, logged with all others."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from dqn_exp.core.arrays import Float32Array
from dqn_exp.core.errors import ConfigError
from dqn_exp.core.import_path import import_object, place, problems_of_paths
from dqn_exp.core.transition import Transition

log = logging.getLogger(__name__)

KEY = "log.metrics"
GROUP = "custom"
"""Group of the tags."""


class MetricInput(NamedTuple):
    """Inputs of a metric.

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
    """Metrics by name; where one raises an error, the value is left out."""

    def __init__(self, paths: Iterable[str]) -> None:
        """Takes the import paths of functions."""
        self.all = {_name(path): _find(path) for path in paths}
        self._failed: set[str] = set()

    def compute(self, given: MetricInput) -> dict[str, float]:
        """Returns the values by tag."""
        values = {}
        for name, metric in self.all.items():
            try:
                values[f"{GROUP}/{name}"] = float(metric(given))
            except (Exception, SystemExit) as error:  # Foreign code may raise any error.
                if name not in self._failed:
                    log.exception("Metric %s raised %s; its value is left out.", name, place(error))
                self._failed.add(name)
        return values


def problems_of_metrics(paths: Sequence[str]) -> list[str]:
    """Returns what is wrong with metrics, before anything trains."""
    names = [_name(path) for path in paths]
    repeated = sorted({name for name in names if names.count(name) > 1})
    return [
        *(f"{KEY}: expected one metric of each name, got {name} twice." for name in repeated),
        *problems_of_paths(paths, _find),
    ]


def _name(path: str) -> str:
    return path.rpartition(":")[2]


def _find(path: str) -> Metric:
    found = import_object(KEY, path)
    if not callable(found):
        raise ConfigError([f"{KEY}: expected a function, got {path}."])
    metric: Metric = found
    return metric
