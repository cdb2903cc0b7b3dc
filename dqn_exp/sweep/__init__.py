"""Hydra's sweeps: sweeper, launcher, jobs, executors and resuming; called, it trains a sweep."""

from dqn_exp.core.callable_module import make_callable

make_callable(__name__, "dqn_exp.api.training", "sweep")
