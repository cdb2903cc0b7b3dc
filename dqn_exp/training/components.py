"""The parts that a trainer puts together."""

from collections.abc import Callable
from dataclasses import dataclass

from dqn_exp.agent.dqn import Agent
from dqn_exp.agent.engine import Engine
from dqn_exp.agent.normalization import Normalization
from dqn_exp.buffer.base import Buffer
from dqn_exp.buffer.n_step import NStep
from dqn_exp.training.custom_metrics import CustomMetrics
from dqn_exp.training.episodes import Episodes
from dqn_exp.training.evaluation import Evaluation
from dqn_exp.training.stretch import Stepper


@dataclass(frozen=True)
class Components:
    """The parts of a population.

    `compile` compiles or loads their code, before the wall time of the runs begins. `checks_scales`
    is whether the scales of observations are looked at, once for all runs.
    """

    agent: Agent
    engine: Engine
    stepper: Stepper
    n_step: NStep
    buffer: Buffer
    normalization: Normalization
    episodes: Episodes
    evaluation: Evaluation
    compile: Callable[[], None]
    checks_scales: bool
    custom_metrics: CustomMetrics
