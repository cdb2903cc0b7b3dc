"""The typed schema of an experiment: every key, its range, and whether it may differ by run."""

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool
from pydantic_core import PydanticCustomError

from dqn_exp.effects import WITHOUT_EFFECT, has_effect
from dqn_exp.per_run import PerRun, PerRunMark


def _refuse_lookalikes(value: Any) -> Any:
    # Python takes True for 1, and pydantic "3" for 3; in an experiment both are mistakes.
    if isinstance(value, bool | str):
        raise PydanticCustomError("not_a_number", "expected a number")
    return value


def _refuse_extremes(value: float) -> float:
    # Beyond these, single precision has nothing left to compute with.
    if value and not 1e-30 <= abs(value) <= 1e30:
        raise PydanticCustomError("extreme", "expected a magnitude from 1e-30 to 1e30")
    return value


Integer = Annotated[int, BeforeValidator(_refuse_lookalikes)]
Number = Annotated[float, BeforeValidator(_refuse_lookalikes), Field(allow_inf_nan=False)]
Seed = Annotated[Integer, Field(ge=0, lt=2**63)]
Count = Annotated[Integer, Field(ge=1, lt=2**31)]
Period = Annotated[Integer, Field(ge=1, lt=2**62)]
Share = Annotated[Number, Field(ge=0, le=1)]
Positive = Annotated[Number, Field(gt=0), AfterValidator(_refuse_extremes)]
Return = Annotated[Number, AfterValidator(_refuse_extremes)]
Decay = Literal["linear", "exponential"]


class Section(BaseModel):
    """A group of keys; others are refused, and there are no defaults but those of the YAML."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ScalarConfig(Section):
    """Outputs are values."""

    kind: Literal["scalar"] = Field(description="Chosen by agent/value=scalar.")


class CategoricalConfig(Section):
    """Outputs are the probabilities of fixed returns (C51)."""

    kind: Literal["categorical"] = Field(description="Chosen by agent/value=categorical.")
    num_atoms: Annotated[Integer, Field(ge=2, le=65_536)] = Field(description="Returns.")
    v_min: PerRun[Return] = Field(description="The least of them.")
    v_max: PerRun[Return] = Field(description="The greatest of them.")


class QuantileConfig(Section):
    """Outputs are quantiles of the return (QR-DQN)."""

    kind: Literal["quantile"] = Field(description="Chosen by agent/value=quantile.")
    num_quantiles: Annotated[Integer, Field(ge=1, le=65_536)] = Field(description="Quantiles.")


class AdamConfig(Section):
    """Adam, with weights that decay apart from the gradients."""

    kind: Literal["adam"] = Field(description="Chosen by agent/optimizer=adam.")
    epsilon: PerRun[Positive] = Field(description="Added to the root of the mean square.")
    weight_decay: PerRun[Annotated[Number, Field(ge=0)]] = Field(
        description="Share of the parameters that an update takes away, over the learning rate."
    )


class RMSPropConfig(Section):
    """RMSProp, as the DQN of 2015 used it."""

    kind: Literal["rmsprop"] = Field(description="Chosen by agent/optimizer=rmsprop.")
    decay: PerRun[Annotated[Number, Field(ge=0, lt=1)]] = Field(
        description="What the means keep of themselves at an update."
    )
    epsilon: PerRun[Positive] = Field(description="Added to the variance, under the root.")


class AgentConfig(Section):
    """How a run acts and learns."""

    gamma: PerRun[Share] = Field(description="Discount of the future.")
    epsilon: PerRun[Share] = Field(description="Probability of a random action, in the end.")
    epsilon_start: PerRun[Share | None] = Field(
        description="Probability of a random action at step 0; null: as in the end."
    )
    epsilon_decay_steps: PerRun[Period | None] = Field(
        description="Steps from epsilon_start to epsilon."
    )
    epsilon_decay: PerRun[Decay] = Field(description="By equal differences or equal factors.")
    learning_rate: PerRun[Positive] = Field(description="Of the optimizer, at step 0.")
    learning_rate_end: PerRun[Positive | None] = Field(
        description="Learning rate in the end; null: as at step 0."
    )
    learning_rate_decay_steps: PerRun[Period | None] = Field(
        description="Steps from learning_rate to learning_rate_end."
    )
    learning_rate_decay: PerRun[Decay] = Field(description="By equal differences or factors.")
    optimizer: Annotated[AdamConfig | RMSPropConfig, Field(discriminator="kind")]
    value: Annotated[ScalarConfig | CategoricalConfig | QuantileConfig, Field(discriminator="kind")]
    batch_size: Count = Field(description="Transitions of an update.")
    loss: Literal["mse", "huber", "cross_entropy", "quantile_huber"] = Field(
        description="Of the TD error; the last two are those of distributions."
    )
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
    double: StrictBool = Field(description="Whether the online network chooses the next action.")
    n_step: Annotated[Integer, Field(ge=1, le=1_000)] = Field(
        description="Steps of a transition, before its target bootstraps."
    )
    munchausen: StrictBool = Field(
        description="Whether actions are rewarded for their log-probability."
    )
    munchausen_scale: PerRun[Share] = Field(description="Of that reward.")
    munchausen_temperature: PerRun[Positive] = Field(description="Of the policy.")
    munchausen_clip: PerRun[Annotated[Number, Field(le=0)]] = Field(
        description="Least value of temperature times log-probability."
    )
    reward_clip: PerRun[Positive | None] = Field(
        description="Greatest magnitude of a reward to learn from; null: any."
    )
    normalize_observations: StrictBool = Field(
        description="Whether networks see observations less their mean, over their deviation."
    )


class NetworkConfig(Section):
    """The Q-network."""

    hidden_sizes: list[Annotated[Count, Field(le=65_536)]] = Field(
        description="Units of the hidden layers."
    )
    activation: Literal["relu", "tanh"] = Field(description="Of the hidden layers.")
    dueling: StrictBool = Field(description="Whether values and advantages have their own heads.")
    noisy: StrictBool = Field(description="Whether weights have noise, whose scale is trained.")
    noisy_sigma: PerRun[Annotated[Number, Field(ge=0)]] = Field(
        description="Initial scale of the noise."
    )


class UniformConfig(Section):
    """A replay buffer whose transitions all have the same probability."""

    kind: Literal["uniform"] = Field(description="Chosen by buffer=uniform.")
    capacity: PerRun[Count] = Field(description="Transitions; the oldest are overwritten.")


class PrioritizedConfig(Section):
    """A replay buffer that prefers transitions from which there is much to learn."""

    kind: Literal["prioritized"] = Field(description="Chosen by buffer=prioritized.")
    capacity: PerRun[Count] = Field(description="Transitions; the oldest are overwritten.")
    priority_exponent: PerRun[Share] = Field(description="0: as in a uniform buffer.")
    smallest_priority: PerRun[Positive] = Field(description="Added to every priority.")
    importance_exponent: PerRun[Share] = Field(
        description="How much of the bias the weights take away, at step 0."
    )
    importance_exponent_end: PerRun[Share] = Field(description="And in the end.")
    importance_exponent_steps: PerRun[Period] = Field(description="Steps between the two.")


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
    video: PerRun[StrictBool] = Field(
        description="Whether an episode of the final policy goes to TensorBoard's images."
    )


class CheckpointConfig(Section):
    """The file with the complete state; one at the end is always written."""

    every_steps: PerRun[Period | None] = Field(
        description="Steps, as long as that takes 5 % of the time at most; null: only at the end."
    )


class Config(Section):
    """An experiment: one run."""

    seed: PerRun[Seed] = Field(description="Of everything random in the run.")
    device: str = Field(description="Of torch, such as cpu or cuda.")
    engine: Literal["auto", "native", "torch"] = Field(
        description="What acts and learns; auto: native where it knows the agent and is faster."
    )
    num_threads: Count | None = Field(description="The most threads; null: one a core.")
    report: PerRun[StrictBool] = Field(description="Whether a sweep ends with a report.")
    agent: AgentConfig
    network: NetworkConfig
    buffer: Annotated[UniformConfig | PrioritizedConfig, Field(discriminator="kind")]
    env: EnvConfig
    trainer: TrainerConfig
    eval: EvalConfig
    log: LogConfig
    checkpoint: CheckpointConfig

    def structure(self) -> str:
        """Returns what must be equal for runs to share a population, as JSON."""
        return _to_json({key: value for key, value, is_per_run in _leaves(self) if not is_per_run})

    def hash(self) -> str:
        """Returns a hash of all that changes results: not of log, checkpoints, device, threads."""
        content = _to_json(self.model_dump(exclude=set(WITHOUT_EFFECT)))
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def hyperparameters(self) -> dict[str, Any]:
        """Returns by dotted key the values that change results."""
        return {key: value for key, value, _ in _leaves(self) if has_effect(key)}


def _leaves(section: Section, prefix: str = "") -> Iterator[tuple[str, Any, bool]]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            is_per_run = any(isinstance(mark, PerRunMark) for mark in field.metadata)
            yield prefix + name, value, is_per_run


def _to_json(values: Any) -> str:
    return json.dumps(values, sort_keys=True, default=str)
