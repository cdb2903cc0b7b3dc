"""Deep Q-learning experiments: one run, or a whole sweep trained as one set of tensors.

Axis letters, used in every docstring of the package:

* N: runs that are live in a population, always the first axis,
* B: transitions of a batch,
* E: episodes that are evaluated in parallel,
* D: features of an observation, flattened,
* A: actions,
* K: outputs per action (1 where an output is a value),
* P: parameters of one run,
* C: capacity of a run's replay buffer, in transitions,
* n: steps of a transition, one reward each.

M is any other count, such as that of some of the runs.

A run with index `i` is row `i` of every array whose shape begins with N. Nothing in the package
mixes rows, so a run has the same numbers whether it trains alone or among others.
"""

from dqn_exp.notebook import Runs, load_runs, run

__version__ = "0.1.0"
__all__ = ["Runs", "load_runs", "run"]
