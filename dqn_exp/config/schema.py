"""Typed schema of an experiment: every key with its range, and what it means for its run.

A field says where it is declared whether the runs of one population may differ in it (`PerRun`),
and whether it is without effect on results (`NoEffect`). Grouping of jobs, the config hash and
docs/configs.md follow from these declarations.
"""

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool
from pydantic_core import PydanticCustomError

from dqn_exp.core.per_run import PerRun, PerRunMark

T = TypeVar("T")


class NoEffectMark:
    """Marks a key that does not change results, except in the last bits."""


NoEffect = Annotated[T, NoEffectMark()]
"""`NoEffect[int]` declares a key that does not change results. It is no part of the config hash,
and may be changed when a run resumes."""


def _refuse_lookalikes(value: Any) -> Any:
    # Python takes True for 1, and pydantic takes "3" for 3; in an experiment both are mistakes.
    if isinstance(value, bool | str):
        raise PydanticCustomError("not_a_number", "expected a number")
    return value


def _refuse_extremes(value: float) -> float:
    # Beyond these bounds, single precision overflows or underflows.
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
    """A group of keys. Unknown keys are refused; defaults are in the YAML files only."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ScalarConfig(Section):
    """Scalar values: one output per action."""

    kind: Literal["scalar"] = Field(description="Selected by agent/value=scalar.")


class CategoricalConfig(Section):
    """C51: probabilities of equally spaced returns."""

    kind: Literal["categorical"] = Field(description="Selected by agent/value=categorical.")
    num_atoms: Annotated[Integer, Field(ge=2, le=65_536)] = Field(
        description="Number of atoms of the support."
    )
    v_min: PerRun[Return] = Field(description="Smallest atom of the support.")
    v_max: PerRun[Return] = Field(description="Largest atom of the support.")


class QuantileConfig(Section):
    """QR-DQN: quantiles of the return."""

    kind: Literal["quantile"] = Field(description="Selected by agent/value=quantile.")
    num_quantiles: Annotated[Integer, Field(ge=1, le=65_536)] = Field(
        description="Number of quantiles."
    )


class GreedyTargetConfig(Section):
    """Bootstrapping from the target network's greedy action."""

    kind: Literal["greedy"] = Field(description="Selected by agent/target=greedy.")


class DoubleTargetConfig(Section):
    """Double DQN: bootstrapping from the online network's greedy action."""

    kind: Literal["double"] = Field(description="Selected by agent/target=double.")


class MunchausenTargetConfig(Section):
    """Munchausen DQN: a softmax policy, with log-probabilities added to the rewards."""

    kind: Literal["munchausen"] = Field(description="Selected by agent/target=munchausen.")
    scale: PerRun[Share] = Field(description="Munchausen scaling factor (alpha).")
    temperature: PerRun[Positive] = Field(description="Entropy temperature of the policy (tau).")
    clip: PerRun[Annotated[Number, Field(le=0)]] = Field(
        description="Lower bound of the temperature times a log-probability (l0)."
    )


class AdamConfig(Section):
    """Adam with decoupled weight decay."""

    kind: Literal["adam"] = Field(description="Selected by agent/optimizer=adam.")
    epsilon: PerRun[Positive] = Field(description="Added to the denominator.")
    weight_decay: PerRun[Annotated[Number, Field(ge=0)]] = Field(
        description="Decoupled weight decay, multiplied by the learning rate."
    )


class RMSPropConfig(Section):
    """Centred RMSProp, as in the DQN of 2015."""

    kind: Literal["rmsprop"] = Field(description="Selected by agent/optimizer=rmsprop.")
    decay: PerRun[Annotated[Number, Field(ge=0, lt=1)]] = Field(
        description="Decay rate of the moving averages."
    )
    epsilon: PerRun[Positive] = Field(
        description="Added to the variance of the gradient of the mean loss, under the root. "
        "The 0.01 of 2015 belongs to the summed loss, and is 0.01 / batch_size**2 here."
    )


class AgentConfig(Section):
    """How a run acts and learns."""

    gamma: PerRun[Share] = Field(description="Discount factor.")
    epsilon: PerRun[Share] = Field(description="Final probability of a random action.")
    epsilon_start: PerRun[Share | None] = Field(
        description="Probability of a random action at step 0; null for a constant epsilon."
    )
    epsilon_decay_steps: PerRun[Period | None] = Field(
        description="Steps from epsilon_start to epsilon."
    )
    epsilon_decay: PerRun[Decay] = Field(description="Shape of the decay.")
    learning_rate: PerRun[Positive] = Field(description="Learning rate at step 0.")
    learning_rate_end: PerRun[Positive | None] = Field(
        description="Final learning rate; null for a constant learning rate."
    )
    learning_rate_decay_steps: PerRun[Period | None] = Field(
        description="Steps from learning_rate to learning_rate_end."
    )
    learning_rate_decay: PerRun[Decay] = Field(description="Shape of the decay.")
    optimizer: Annotated[AdamConfig | RMSPropConfig, Field(discriminator="kind")]
    target: Annotated[
        GreedyTargetConfig | DoubleTargetConfig | MunchausenTargetConfig,
        Field(discriminator="kind"),
    ]
    value: Annotated[ScalarConfig | CategoricalConfig | QuantileConfig, Field(discriminator="kind")]
    batch_size: Count = Field(description="Transitions per update.")
    loss: Literal["mse", "huber", "cross_entropy", "quantile_huber"] = Field(
        description="Loss of the TD errors, or of the distribution that agent/value selects."
    )
    huber_delta: PerRun[Positive] = Field(
        description="TD error at which the Huber loss becomes linear."
    )
    max_grad_norm: PerRun[Positive | None] = Field(
        description="Limit of the gradient norm of a run; null for none."
    )
    target_update_period: PerRun[Period | None] = Field(
        description="Gradient updates between two copies to the target network; "
        "null for soft updates."
    )
    target_update_tau: PerRun[Annotated[Number, Field(gt=0, le=1)] | None] = Field(
        description="Step size of the soft update after each gradient update; null for copies."
    )
    learning_starts: PerRun[Annotated[Integer, Field(ge=0, lt=2**31)]] = Field(
        description="A run learns once its buffer holds more transitions than this."
    )
    train_every: PerRun[Period] = Field(description="Steps between two calls of the learner.")
    gradient_steps: Count = Field(description="Updates each time the learner is called.")
    bootstrap_truncated: PerRun[StrictBool] = Field(
        description="Whether targets bootstrap from the last observation of a truncated episode."
    )
    n_step: Annotated[Integer, Field(ge=1, le=1_000)] = Field(
        description="Steps of a transition before its target bootstraps."
    )
    reward_clip: PerRun[Positive | None] = Field(
        description="Magnitude that rewards are clipped to for learning; null for none."
    )
    normalize_observations: StrictBool = Field(
        description="Whether networks take observations normalized by their running mean and "
        "standard deviation."
    )


class NetworkConfig(Section):
    """The Q-network."""

    hidden_sizes: list[Annotated[Count, Field(le=65_536)]] = Field(
        description="Units of the hidden layers."
    )
    activation: Literal["relu", "tanh"] = Field(description="Activation of the hidden layers.")
    dueling: StrictBool = Field(description="Whether value and advantages have separate heads.")
    noisy: StrictBool = Field(description="Whether weights have noise with trained scales.")
    noisy_sigma: PerRun[Annotated[Number, Field(ge=0)]] = Field(
        description="Initial scale of the noise."
    )


class UniformConfig(Section):
    """A replay buffer with uniform sampling."""

    kind: Literal["uniform"] = Field(description="Selected by buffer=uniform.")
    capacity: PerRun[Count] = Field(
        description="Capacity in transitions; the oldest are overwritten."
    )


class PrioritizedConfig(Section):
    """A replay buffer with prioritized sampling."""

    kind: Literal["prioritized"] = Field(description="Selected by buffer=prioritized.")
    capacity: PerRun[Count] = Field(
        description="Capacity in transitions; the oldest are overwritten."
    )
    priority_exponent: PerRun[Share] = Field(
        description="Exponent of the priorities (alpha); 0 samples uniformly."
    )
    priority_epsilon: PerRun[Positive] = Field(description="Added to every priority.")
    importance_exponent: PerRun[Share] = Field(
        description="Exponent of the importance weights (beta) at step 0."
    )
    importance_exponent_end: PerRun[Share] = Field(
        description="Final exponent of the importance weights."
    )
    importance_exponent_decay_steps: PerRun[Period] = Field(
        description="Steps from importance_exponent to importance_exponent_end."
    )


class EnvConfig(Section):
    """The environment."""

    id: str = Field(description="Id registered with Gymnasium, or module:Id.")
    max_episode_steps: Count | None = Field(
        description="Time limit of an episode; null for the registered one."
    )
    kwargs: dict[str, Any] | None = Field(
        description="Keyword arguments of the environment; null for none."
    )


class TrainerConfig(Section):
    """Budgets of a run, which ends at the first one that it reaches."""

    total_steps: PerRun[Period | None] = Field(description="Environment steps; null for no limit.")
    total_episodes: PerRun[Period | None] = Field(description="Episodes; null for no limit.")


class EvalConfig(Section):
    """Evaluation of the greedy policy; the last one is always at the end of the run."""

    every_steps: PerRun[Period | None] = Field(
        description="Steps between two evaluations; null for the last one only."
    )
    episodes: Count = Field(description="Episodes per evaluation.")
    seed: PerRun[Seed] = Field(description="Seed from which the seeds of the episodes derive.")


class LogConfig(Section):
    """Progress and TensorBoard."""

    every_steps: NoEffect[PerRun[Period]] = Field(
        description="Steps between two entries in TensorBoard."
    )
    progress: NoEffect[StrictBool] = Field(description="Whether progress is shown.")
    tensorboard: NoEffect[PerRun[StrictBool]] = Field(
        description="Whether an event file is written."
    )
    video: NoEffect[PerRun[StrictBool]] = Field(
        description="Whether an episode of the final policy is added to TensorBoard's images."
    )


class CheckpointConfig(Section):
    """Checkpoints of the complete state; the last one is always at the end of the run."""

    every_steps: NoEffect[PerRun[Period | None]] = Field(
        description="Steps between two checkpoints, more where they would take over 5 % of the "
        "time; null for the last one only."
    )


class Config(Section):
    """One run of an experiment."""

    seed: PerRun[Seed] = Field(description="Seed of all random numbers of the run.")
    device: NoEffect[str] = Field(description="Device of torch, such as cpu or cuda.")
    engine: NoEffect[Literal["auto", "native", "torch"]] = Field(
        description="Engine that acts and learns; auto selects native where it supports the agent."
    )
    num_threads: NoEffect[Count | None] = Field(
        description="Limit of threads; null for one per core."
    )
    report: NoEffect[PerRun[StrictBool]] = Field(
        description="Whether a report is written at the end of a sweep."
    )
    agent: AgentConfig
    network: NetworkConfig
    buffer: Annotated[UniformConfig | PrioritizedConfig, Field(discriminator="kind")]
    env: EnvConfig
    trainer: TrainerConfig
    eval: EvalConfig
    log: LogConfig
    checkpoint: CheckpointConfig

    def structure(self) -> str:
        """Returns, as JSON, the values that must be equal for runs to share a population."""
        leaves = _leaves(self)
        return _to_json({leaf.key: leaf.value for leaf in leaves if not leaf.is_per_run})

    def hash(self) -> str:
        """Returns a hash of all values that change results."""
        return hashlib.sha256(_to_json(self.hyperparameters()).encode()).hexdigest()[:16]

    def hyperparameters(self) -> dict[str, Any]:
        """Returns the values that change results, by dotted key."""
        return {leaf.key: leaf.value for leaf in _leaves(self) if leaf.has_effect}


class Leaf(NamedTuple):
    """A key of a config, with its value and its declarations."""

    key: str
    value: Any
    is_per_run: bool
    has_effect: bool


def changes_results(key: str) -> bool:
    """Returns whether a dotted key changes results; groups and unknown keys do."""
    return key not in keys_without_effect()


@cache
def keys_without_effect() -> tuple[str, ...]:
    """Returns the dotted keys that do not change results."""
    return tuple(_keys_without_effect(Config, ""))


def _keys_without_effect(section: type[Section], prefix: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        for option in sections_of(field.annotation):
            yield from _keys_without_effect(option, f"{prefix}{name}.")
        if _has_mark(field.metadata, NoEffectMark):
            yield prefix + name


def sections_of(annotation: Any) -> list[type[Section]]:
    """Returns the sections that a field may hold: none for a plain value."""
    candidates = get_args(annotation) or (annotation,)
    return [c for c in candidates if isinstance(c, type) and issubclass(c, Section)]


def _leaves(section: Section, prefix: str = "") -> Iterator[Leaf]:
    for name, field in type(section).model_fields.items():
        key, value, marks = prefix + name, getattr(section, name), field.metadata
        if isinstance(value, Section):
            yield from _leaves(value, f"{key}.")
        else:
            is_per_run = _has_mark(marks, PerRunMark)
            yield Leaf(key, value, is_per_run, not _has_mark(marks, NoEffectMark))


def _has_mark(metadata: list[Any], kind: type) -> bool:
    return any(isinstance(mark, kind) for mark in metadata)


def _to_json(values: Any) -> str:
    return json.dumps(values, sort_keys=True, default=str)
