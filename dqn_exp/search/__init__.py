"""Search with Optuna: spaces, trials and pruning; called, it searches."""

from dqn_exp.core.callable_module import make_callable

make_callable(__name__, "dqn_exp.api.training", "search")
