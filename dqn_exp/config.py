"""The typed schema of an experiment: every key, its range, and whether it may differ by run."""

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from dqn_exp.errors import ConfigError
from dqn_exp.per_run import PerRun, PerRunMark


def _refuse_lookalikes(value: Any) -> Any:
    # Python takes True for 1, and pydantic "3" for 3; in an experiment both are mistakes.
    if isinstance(value, bool | str):
        raise PydanticCustomError("not_a_number", "expected a number")
    return value


Integer = Annotated[int, BeforeValidator(_refuse_lookalikes)]
Number = Annotated[float, BeforeValidator(_refuse_lookalikes), Field(allow_inf_nan=False)]
Seed = Annotated[Integer, Field(ge=0, lt=2**63)]
Count = Annotated[Integer, Field(ge=1, lt=2**31)]
Period = Annotated[Integer, Field(ge=1, lt=2**62)]
Share = Annotated[Number, Field(ge=0, le=1)]
Positive = Annotated[Number, Field(gt=0)]


WITHOUT_EFFECT = ("log", "checkpoint", "device", "engine", "num_threads")
"""Keys and groups that do not change what a run learns, but for last bits."""


EXPECTED = {
    "greater_than_equal": "expected at least {ge}",
    "greater_than": "expected more than {gt}",
    "less_than_equal": "expected at most {le}",
    "less_than": "expected less than {lt}",
    "literal_error": "expected {expected}",
    "int_from_float": "expected a whole number",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "not_a_number": "expected a number",
    "finite_number": "expected a finite number",
    "bool_type": "expected true or false",
    "list_type": "expected a list, such as [128]",
    "model_type": "expected a group of keys",
    "model_attributes_type": "expected a group of keys",
    "dict_type": "expected a group of keys",
    "string_type": "expected a text",
}
"""What pydantic's kinds of errors mean to the user, with the names of their contexts."""


class Section(BaseModel):
    """A group of keys; others are refused, and there are no defaults but those of the YAML."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AgentConfig(Section):
    """How a run acts and learns."""

    gamma: PerRun[Share] = Field(description="Discount of the future.")
    epsilon: PerRun[Share] = Field(description="Probability of a random action, in the end.")
    epsilon_start: PerRun[Share | None] = Field(
        description="Probability of a random action at step 0; null: as in the end."
    )
    epsilon_decay_steps: PerRun[Period | None] = Field(
        description="Steps from epsilon_start to epsilon, linearly."
    )
    learning_rate: PerRun[Positive] = Field(description="Of Adam.")
    batch_size: Count = Field(description="Transitions of an update.")
    loss: Literal["mse", "huber"] = Field(description="Of the TD error.")
    huber_delta: PerRun[Positive] = Field(description="TD error where Huber's loss is linear.")
    max_grad_norm: PerRun[Positive | None] = Field(description="Of a run's gradient; null: any.")
    target_update_period: PerRun[Period | None] = Field(
        description="Gradient updates between copies to the target network; null: soft updates."
    )
    target_update_tau: PerRun[Annotated[Number, Field(gt=0, le=1)] | None] = Field(
        description="Share of the way that the target goes at every update; null: copies."
    )
    learning_starts: PerRun[Annotated[Integer, Field(ge=0, lt=2**31)]] = Field(
        description="Learning begins once the buffer holds more transitions than this."
    )
    train_every: PerRun[Period] = Field(description="Steps between two times of learning.")
    gradient_steps: Count = Field(description="Updates each time a run learns.")
    bootstrap_truncated: PerRun[StrictBool] = Field(
        description="Whether an episode that the time limit has cut has a future."
    )


class NetworkConfig(Section):
    """The Q-network."""

    hidden_sizes: list[Annotated[Count, Field(le=65_536)]] = Field(
        description="Units of the hidden layers."
    )
    activation: Literal["relu", "tanh"] = Field(description="Of the hidden layers.")


class BufferConfig(Section):
    """The replay buffer."""

    capacity: PerRun[Count] = Field(description="Transitions; the oldest are overwritten.")


class EnvConfig(Section):
    """The environment."""

    id: str = Field(description="As registered with Gymnasium.")
    max_episode_steps: Count | None = Field(description="Time limit; null: the registered one.")
    kwargs: dict[str, Any] | None = Field(description="Arguments of the environment; null: none.")


class TrainerConfig(Section):
    """When a run ends: at the budget that is reached first."""

    total_steps: PerRun[Period | None] = Field(description="Environment steps; null: any.")
    total_episodes: PerRun[Period | None] = Field(description="Episodes; null: any.")


class EvalConfig(Section):
    """Evaluation of the greedy policy; one at the end always happens."""

    every_steps: PerRun[Period | None] = Field(description="Steps; null: only at the end.")
    episodes: Count = Field(description="Episodes of an evaluation.")
    seed: PerRun[Seed] = Field(description="From which the episodes' seeds derive.")


class LogConfig(Section):
    """What is shown and logged."""

    every_steps: PerRun[Period] = Field(description="Steps between two entries in TensorBoard.")
    progress: StrictBool = Field(description="Whether progress is shown.")
    tensorboard: PerRun[StrictBool] = Field(description="Whether an event file is written.")


class CheckpointConfig(Section):
    """The file with the trained parameters; one at the end is always written."""

    every_steps: PerRun[Period | None] = Field(description="Steps; null: only at the end.")


class Config(Section):
    """An experiment: one run."""

    seed: PerRun[Seed] = Field(description="Of everything random in the run.")
    device: str = Field(description="Of torch, such as cpu or cuda.")
    engine: Literal["torch"] = Field(description="What acts and learns.")
    num_threads: Count | None = Field(description="The most threads; null: one a core.")
    agent: AgentConfig
    network: NetworkConfig
    buffer: BufferConfig
    env: EnvConfig
    trainer: TrainerConfig
    eval: EvalConfig
    log: LogConfig
    checkpoint: CheckpointConfig

    def structure(self) -> str:
        """Returns what must be equal for runs to share a population, as JSON."""
        return _to_json({key: self._at(key) for key, is_per_run in _keys() if not is_per_run})

    def hash(self) -> str:
        """Returns a hash of all that changes results: not of log, checkpoints, device, threads."""
        content = _to_json(self.model_dump(exclude=set(WITHOUT_EFFECT)))
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def hyperparameters(self) -> dict[str, Any]:
        """Returns by dotted key the values that change results."""
        keys = (key for key, _ in _keys() if key.split(".")[0] not in WITHOUT_EFFECT)
        return {key: self._at(key) for key in keys}

    def _at(self, key: str) -> Any:
        value: Any = self
        for name in key.split("."):
            value = getattr(value, name)
        return value


def to_config(values: Mapping[str, Any]) -> Config:
    """Returns the typed config of plain containers.

    Raises:
        ConfigError: with every problem that was found.
    """
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError([_to_line(detail) for detail in error.errors()]) from None
    problems = list(_contradictions(config))
    if problems:
        raise ConfigError(problems)
    return config


def known_keys() -> list[str]:
    """Returns all keys, dotted, and the names of their groups."""
    keys = [key for key, _ in _keys()]
    return sorted({*keys, *(key.split(".")[0] for key in keys)})


def suggest(key: str) -> str:
    """Returns " Did you mean ...?" for an unknown key, or nothing."""
    known = known_keys()
    last_names = {name.rsplit(".", 1)[-1]: name for name in known}
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.75)
    near = near or [
        last_names[name]
        for name in difflib.get_close_matches(key.rsplit(".", 1)[-1], last_names, n=1)
    ]
    return f" Did you mean {near[0]}?" if near else " See the keys with --cfg job."


def _keys() -> Iterator[tuple[str, bool]]:
    for name, field in Config.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            for key, inner in field.annotation.model_fields.items():
                yield f"{name}.{key}", any(isinstance(m, PerRunMark) for m in inner.metadata)
        else:
            yield name, any(isinstance(m, PerRunMark) for m in field.metadata)


def _to_json(values: Any) -> str:
    return json.dumps(values, sort_keys=True, default=str)


def _to_line(detail: ErrorDetails) -> str:
    key = ".".join(str(part) for part in detail["loc"] if not str(part).startswith("function-"))
    if detail["type"] == "extra_forbidden":
        return f"{key}: unknown key.{suggest(key)}"
    if detail["type"] == "missing":
        return f"{key}: missing; expected a value for this key."
    return f"{key}: {_expected(detail)}, got {_shown(detail['input'])}."


def _shown(value: Any) -> str:
    # As YAML and the command line write it.
    return "null" if value is None else repr(value)


def _expected(detail: ErrorDetails) -> str:
    form = EXPECTED.get(detail["type"])
    return detail["msg"].lower() if form is None else form.format(**detail.get("ctx", {}))


def _contradictions(config: Config) -> Iterator[str]:
    agent, trainer = config.agent, config.trainer
    capacity = config.buffer.capacity
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
    if (agent.target_update_period is None) == (agent.target_update_tau is None):
        yield (
            "agent.target_update_period, agent.target_update_tau: expected one of the two, got "
            f"{_shown(agent.target_update_period)} and {_shown(agent.target_update_tau)}. "
            "Set the other to null."
        )
    if (agent.epsilon_start is None) != (agent.epsilon_decay_steps is None):
        yield (
            "agent.epsilon_start, agent.epsilon_decay_steps: expected both or neither, got "
            f"{_shown(agent.epsilon_start)} and {_shown(agent.epsilon_decay_steps)}."
        )
    if trainer.total_steps is None and trainer.total_episodes is None:
        yield (
            "trainer.total_steps, trainer.total_episodes: expected at least one, got null for "
            "both: the run would never end."
        )
