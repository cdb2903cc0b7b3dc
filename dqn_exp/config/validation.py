"""Validation of plain containers to a typed config."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from dqn_exp.config.agent_schema import AgentConfig, CategoricalConfig
from dqn_exp.config.engine_choice import reasons_against_native
from dqn_exp.config.fields import Decay
from dqn_exp.config.messages import as_yaml, to_line
from dqn_exp.config.schema import Config
from dqn_exp.core.errors import ConfigError

LOSSES = {
    "scalar": ("mse", "huber"),
    "categorical": ("cross_entropy",),
    "quantile": ("quantile_huber",),
}
"""Losses of each kind of value."""

MIN_SUPPORT_WIDTH = 1e-4
"""Width of a C51 support relative to its ends, which are subtracted in single precision."""


def to_config(values: Mapping[str, Any]) -> Config:
    """Returns the typed config of plain containers.

    Raises:
        ConfigError: With one line per problem.
    """
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError([to_line(detail) for detail in error.errors()]) from None
    problems = list(_contradictions(config))
    if problems:
        raise ConfigError(problems)
    return config


def _contradictions(config: Config) -> Iterator[str]:
    agent, trainer = config.agent, config.trainer
    yield from _contradictions_of_buffer(agent, config.buffer.capacity)
    if (agent.target_update_period is None) == (agent.target_update_tau is None):
        yield (
            "agent.target_update_period, agent.target_update_tau: expected one of the two, got "
            f"{as_yaml(agent.target_update_period)} and {as_yaml(agent.target_update_tau)}. "
            "Set the other to null."
        )
    yield from _contradictions_of_decay(
        _Decay(
            name="epsilon",
            value=agent.epsilon,
            other="epsilon_start",
            other_value=agent.epsilon_start,
            steps=agent.epsilon_decay_steps,
            shape=agent.epsilon_decay,
        )
    )
    yield from _contradictions_of_decay(
        _Decay(
            name="learning_rate",
            value=agent.learning_rate,
            other="learning_rate_end",
            other_value=agent.learning_rate_end,
            steps=agent.learning_rate_decay_steps,
            shape=agent.learning_rate_decay,
        )
    )
    yield from _contradictions_of_value(agent)
    yield from _contradictions_of_target(agent)
    if config.engine == "native":
        for reason in reasons_against_native(config):
            yield (
                f"engine: expected torch or auto with {reason}, which the native engine does not "
                "support, got native."
            )
    if config.log.video and not config.log.tensorboard:
        yield "log.video: expected log.tensorboard=true, which receives the video, got false."
    if trainer.stop_at_return is not None and config.eval.every_steps is None:
        yield (
            "trainer.stop_at_return: expected eval.every_steps, at which it is compared with "
            f"returns, got {trainer.stop_at_return:g} with eval.every_steps=null."
        )
    if trainer.total_steps is None and trainer.total_episodes is None:
        yield (
            "trainer.total_steps, trainer.total_episodes: expected at least one, got null for "
            "both: the run would never end."
        )


def _contradictions_of_buffer(agent: AgentConfig, capacity: int) -> Iterator[str]:
    if agent.batch_size > capacity:
        yield (
            f"agent.batch_size: expected at most buffer.capacity, which is {capacity}, "
            f"got {agent.batch_size}. Raise buffer.capacity or lower agent.batch_size."
        )
    if agent.learning_starts >= capacity:
        yield (
            f"agent.learning_starts: expected less than buffer.capacity, which is {capacity}, "
            f"got {agent.learning_starts}: the buffer would never hold more."
        )
    if agent.n_step > capacity:
        yield (
            f"agent.n_step: expected at most buffer.capacity, which is {capacity}, "
            f"got {agent.n_step}."
        )


class _Decay(NamedTuple):
    """A decaying key and the key of its other end, with their values."""

    name: str
    value: float
    other: str
    other_value: float | None
    steps: int | None
    shape: Decay


def _contradictions_of_decay(decay: _Decay) -> Iterator[str]:
    name, value, other, other_value, steps, shape = decay
    if (other_value is None) != (steps is None):
        yield (
            f"agent.{other}, agent.{name}_decay_steps: expected both or neither, got "
            f"{as_yaml(other_value)} and {as_yaml(steps)}."
        )
    if shape == "linear":
        return
    if other_value is None:
        yield (
            f"agent.{name}_decay: expected linear, got exponential without agent.{other}: "
            "nothing decays."
        )
    elif 0 in (value, other_value):
        yield (
            f"agent.{name}_decay: expected linear where agent.{name} or agent.{other} is 0, got "
            "exponential: an exponential decay cannot start or end at 0."
        )


def _contradictions_of_value(agent: AgentConfig) -> Iterator[str]:
    kind = agent.value.kind
    losses = LOSSES[kind]
    if agent.loss not in losses:
        yield (
            f"agent.loss: expected {' or '.join(losses)} with agent/value={kind}, "
            f"got {agent.loss}. The options of agent/value set both."
        )
    if isinstance(agent.value, CategoricalConfig):
        low, high = agent.value.v_min, agent.value.v_max
        if high - low <= MIN_SUPPORT_WIDTH * max(abs(low), abs(high)):
            yield (
                f"agent.value.v_min: expected less than agent.value.v_max, which is {high}, "
                f"by more than {MIN_SUPPORT_WIDTH} of it, got {low}."
            )


def _contradictions_of_target(agent: AgentConfig) -> Iterator[str]:
    if agent.target.kind != "munchausen":
        return
    if agent.n_step > 1:
        yield (
            f"agent/target=munchausen: expected agent.n_step=1, got {agent.n_step}: every step in "
            "between would need a log-probability under the current policy, but only the first "
            "observation is stored."
        )
    if agent.value.kind != "scalar":
        yield (
            f"agent/target=munchausen: expected agent/value=scalar, got {agent.value.kind}: the "
            "entropy bonus is not defined for a distribution of returns."
        )
