"""The value of a trial: a statistic of its runs."""

from collections.abc import Callable
from typing import Any

import numpy as np

from dqn_exp.analysis.statistics import iqm
from dqn_exp.core.arrays import Float64Array


def to_value(values: Float64Array, statistic: str) -> float:
    """Returns a statistic, one of iqm, mean, median and min, of the values `[n]` of runs."""
    functions: dict[str, Callable[[Float64Array], Any]] = {
        "iqm": iqm,
        "mean": np.mean,
        "median": np.median,
        "min": np.min,
    }
    return float(functions[statistic](values))
