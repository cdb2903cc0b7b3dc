"""The choice of the engine, which follows from the structure of a config and its environment."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from dqn_exp.config.agent_schema import CategoricalConfig, ConvConfig, QuantileConfig
from dqn_exp.config.schema import Config

EngineName = Literal["native", "torch"]

WIDEST = 1_024
"""Units of the widest hidden layer for which compiled code was measured to be faster than torch.

That is with eight runs; one run is slower by a tenth at this width, see docs/benchmarks.md.
"""


WIDEST_ENDS = 4_096
"""Features of an observation, and outputs, up to which compiled code was measured to be faster.

That is with one run, and without convolutions. With 28,224 features (84x84 frames) torch was 1.6
times as fast, with 10,000 outputs 1.9 times, see docs/benchmarks.md.
"""


class Choice(NamedTuple):
    """An engine and the reason for it."""

    engine: EngineName
    reason: str


def choose_engine(config: Config, num_features: int, num_actions: int) -> Choice:
    """Returns the engine that `engine=auto` selects.

    Args:
        config: of a run.
        num_features: of an observation.
        num_actions: of the environment.
    """
    reasons = list(reasons_against_native(config))
    if reasons:
        return Choice("torch", f"compiled code does not support {', '.join(reasons)}")
    widest = max(config.network.hidden_sizes, default=0)
    if widest > WIDEST:
        return Choice("torch", f"compiled code was not measured with layers of {widest:,} units")
    num_outputs = num_actions * outputs_per_action(config)
    sizes = [(num_outputs, "outputs")]
    if not isinstance(config.network, ConvConfig):
        sizes.append((num_features, "features"))
    for count, what in sizes:
        if count > WIDEST_ENDS:
            return Choice("torch", f"torch is faster with {count:,} {what}")
    return Choice("native", "compiled code supports this agent and is faster")


def outputs_per_action(config: Config) -> int:
    """Returns how many numbers a network returns for each action (K)."""
    match config.agent.value:
        case CategoricalConfig(num_atoms=count) | QuantileConfig(num_quantiles=count):
            return count
        case _:
            return 1


def explain_engine(config: Config, num_features: int, num_actions: int) -> str:
    """Returns a line that says which engine trains a config, and why, as `choose_engine` does."""
    chosen, reason = choose_engine(config, num_features, num_actions)
    if config.engine != chosen:
        return (
            f"Engine {config.engine}, as configured; engine=auto would select {chosen}: {reason}."
        )
    return f"Engine {chosen}: {reason}."


def _reasons_of(network: ConvConfig) -> Iterator[str]:
    odd = sorted({filters for filters, _, _ in network.convolutions if filters % 16})
    if odd:
        counts = " and ".join(map(str, odd))
        yield f"convolutions of {counts} filters, which is no multiple of 16"


def reasons_against_native(config: Config) -> Iterator[str]:
    """Yields the keys that the native engine does not support, with their values."""
    agent = config.agent
    if config.device != "cpu":
        yield f"device={config.device}"
    if config.network.kind not in ("mlp", "conv"):
        yield f"network={config.network.kind}"
    if isinstance(config.network, ConvConfig):
        yield from _reasons_of(config.network)
    if agent.value.kind not in ("scalar", "categorical", "quantile"):
        yield f"agent/value={agent.value.kind}"
    if agent.target.kind not in ("greedy", "double", "munchausen"):
        yield f"agent/target={agent.target.kind}"
    if config.buffer.kind not in ("uniform", "prioritized"):
        yield f"buffer={config.buffer.kind}"
    if agent.optimizer.kind not in ("adam", "rmsprop"):
        yield f"agent/optimizer={agent.optimizer.kind}"
