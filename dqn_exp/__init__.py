"""Deep Q-learning experiments: one run, or a whole sweep trained in one process.

Axis letters, used in every docstring of the package:

* N: live runs of a population, always the first axis,
* B: transitions of a batch,
* E: episodes that are evaluated in parallel,
* D: features of an observation, flattened,
* A: actions,
* K: outputs per action (1 for scalar values),
* P: parameters of one run,
* C: capacity of a run's replay buffer, in transitions,
* n: steps of a transition, one reward each,
* M: any other count, such as a selection of runs.

Run `i` is row `i` of every array whose shape begins with N. No operation mixes rows, so a run has
the same numbers whether it trains alone or among others.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

# Without this, the matrix library chooses among its kernels by the alignment of memory, and the
# last bits of a run depend on where it lies among its neighbors. The library reads the variable at
# its first product, so it is set before anything imports torch.
os.environ.setdefault("MKL_CBWR", "AUTO")

# By default, threads of torch that wait for work spin for milliseconds, which keeps the cores from
# other sweeps: two at a time took three times as long as one after the other. The OpenMP library
# reads the variable when torch is imported.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

if TYPE_CHECKING:
    from dqn_exp.api.agent import Agent as Agent
    from dqn_exp.api.agent import load as load
    from dqn_exp.api.overrides import interval as interval
    from dqn_exp.api.results import Results as Results
    from dqn_exp.api.training import search as search
    from dqn_exp.api.training import sweep as sweep
    from dqn_exp.api.training import train as train
    from dqn_exp.core.errors import ConfigError as ConfigError
    from dqn_exp.core.errors import RunError as RunError
    from dqn_exp.training.callbacks import Callback as Callback
    from dqn_exp.training.callbacks import RunInfo as RunInfo
    from dqn_exp.training.custom_metrics import MetricInput as MetricInput

__version__ = "0.1.0"

# Modules and folders of these names exist as well, and can be called.
_CALLABLE_MODULES = ("search", "sweep", "train")

_PLACES = {
    "Agent": "api.agent",
    "load": "api.agent",
    "interval": "api.overrides",
    "Results": "api.results",
    "Callback": "training.callbacks",
    "RunInfo": "training.callbacks",
    "MetricInput": "training.custom_metrics",
    "ConfigError": "core.errors",
    "RunError": "core.errors",
}
"""Modules of the Python API by name."""

__all__ = [*_PLACES, *_CALLABLE_MODULES]


def __getattr__(name: str) -> Any:
    """Imports the Python API when it is used, so that the commands start fast."""
    if name in _CALLABLE_MODULES:
        return importlib.import_module(f"dqn_exp.{name}")
    if name in _PLACES:
        return getattr(importlib.import_module(f"dqn_exp.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
