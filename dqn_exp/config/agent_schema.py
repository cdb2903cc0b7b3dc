"""Typed schema of the groups `agent` and `network`."""

from typing import Annotated, Literal

from pydantic import Field, StrictBool

from dqn_exp.config.fields import (
    Count,
    Decay,
    ImportPath,
    Integer,
    Kwargs,
    Number,
    Period,
    PerRun,
    Positive,
    Return,
    Section,
    Share,
)


class ScalarConfig(Section):
    """Scalar values: one output per action."""

    kind: Literal["scalar"] = Field(description="Selected by agent/value=scalar.")


class CategoricalConfig(Section):
    """C51: a categorical distribution over equally spaced returns."""

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
    """Double DQN: the target network evaluates the best action of the online network."""

    kind: Literal["double"] = Field(description="Selected by agent/target=double.")


class MunchausenTargetConfig(Section):
    """Munchausen DQN: a softmax policy, with clipped log-probabilities added to the rewards."""

    kind: Literal["munchausen"] = Field(description="Selected by agent/target=munchausen.")
    scale: PerRun[Share] = Field(description="Munchausen scaling factor (alpha).")
    temperature: PerRun[Positive] = Field(description="Entropy temperature of the policy (tau).")
    clip: PerRun[Annotated[Number, Field(le=0)]] = Field(
        description="Lower bound of the temperature times a log-probability (l0)."
    )


class CustomTargetConfig(Section):
    """A target rule from your own module."""

    kind: Literal["custom"] = Field(description="Selected by agent/target=custom.")
    target: ImportPath = Field(description="Import path of the class, as in my_module:MyTarget.")
    kwargs: Kwargs = Field(description="Additional keyword arguments; null for none.")


TargetConfig = GreedyTargetConfig | DoubleTargetConfig | MunchausenTargetConfig | CustomTargetConfig


class AdamConfig(Section):
    """Adam with decoupled weight decay."""

    kind: Literal["adam"] = Field(description="Selected by agent/optimizer=adam.")
    epsilon: PerRun[Positive] = Field(description="Added to the denominator.")
    weight_decay: PerRun[Annotated[Number, Field(ge=0)]] = Field(
        description="Coefficient of decoupled weight decay, which is scaled by the learning rate."
    )


class RMSPropConfig(Section):
    """Centered RMSProp, as in the 2015 DQN paper."""

    kind: Literal["rmsprop"] = Field(description="Selected by agent/optimizer=rmsprop.")
    decay: PerRun[Annotated[Number, Field(ge=0, lt=1)]] = Field(
        description="Decay rate of the moving averages."
    )
    variance_epsilon: PerRun[Positive] = Field(
        description="Constant added under the root to the variance of the gradient of the loss "
        "summed over the batch, as in the paper."
    )


class AgentConfig(Section):
    """The agent: exploration, targets, updates and the optimizer."""

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
    target: Annotated[TargetConfig, Field(discriminator="kind")]
    value: Annotated[ScalarConfig | CategoricalConfig | QuantileConfig, Field(discriminator="kind")]
    batch_size: Count = Field(description="Transitions per update.")
    loss: Literal["mse", "huber", "cross_entropy", "quantile_huber"] = Field(
        description="Loss of the TD errors, or of the distribution selected by agent/value."
    )
    huber_delta: PerRun[Positive] = Field(
        description="TD error at which the Huber loss becomes linear."
    )
    max_grad_norm: PerRun[Positive | None] = Field(
        description="Maximum gradient norm, to which larger gradients are scaled down; null for no "
        "clipping."
    )
    target_update_period: PerRun[Period | None] = Field(
        description="Gradient updates between two hard updates of the target network; "
        "null for soft updates."
    )
    target_update_tau: PerRun[Annotated[Number, Field(gt=0, le=1)] | None] = Field(
        description="Coefficient of the soft (Polyak) update after each gradient update; null for "
        "hard updates."
    )
    learning_starts: PerRun[Annotated[Integer, Field(ge=0, lt=2**31)]] = Field(
        description="Learning starts once the buffer holds more transitions than this."
    )
    train_every: PerRun[Period] = Field(
        description="Environment steps between two rounds of updates."
    )
    gradient_steps: Count = Field(description="Gradient updates per round.")
    bootstrap_truncated: PerRun[StrictBool] = Field(
        description="Whether targets bootstrap from the last observation of a truncated episode."
    )
    n_step: Annotated[Integer, Field(ge=1, le=1_000)] = Field(
        description="Number of rewards in a return before it bootstraps (n)."
    )
    reward_clip: PerRun[Positive | None] = Field(
        description="Magnitude to which rewards are clipped for learning; null for no clipping."
    )
    normalize_observations: StrictBool = Field(
        description="Whether networks take observations normalized by their running mean and "
        "standard deviation."
    )


class NetworkSection(Section):
    """Keys of all networks."""

    hidden_sizes: list[Annotated[Count, Field(le=65_536)]] = Field(
        description="Units of the hidden layers."
    )
    activation: Literal["relu", "tanh"] = Field(description="Activation of the hidden layers.")
    dueling: StrictBool = Field(description="Whether value and advantages have separate heads.")
    noisy: StrictBool = Field(
        description="Whether linear layers are noisy, with learned scales; convolutions never are."
    )
    noisy_sigma: PerRun[Annotated[Number, Field(ge=0)]] = Field(
        description="Initial scale of the noise."
    )


class MLPConfig(NetworkSection):
    """A multi-layer perceptron."""

    kind: Literal["mlp"] = Field(description="Selected by network=mlp.")


class ConvConfig(NetworkSection):
    """Convolutions, then a multi-layer perceptron, for images."""

    kind: Literal["conv"] = Field(description="Selected by network=conv.")
    convolutions: Annotated[
        list[Annotated[list[Annotated[Count, Field(le=4_096)]], Field(min_length=3, max_length=3)]],
        Field(min_length=1),
    ] = Field(description="Filters, size and stride of each convolution.")


class CustomNetworkConfig(NetworkSection):
    """A network from your own module."""

    kind: Literal["custom"] = Field(description="Selected by network=custom.")
    target: ImportPath = Field(description="Import path of the class, as in my_module:MyNetwork.")
    kwargs: Kwargs = Field(description="Additional keyword arguments; null for none.")
