"""Which engine trains a config: a matter of its structure alone."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from dqn_exp.schema import Config

Name = Literal["native", "torch"]

WIDEST = 1_024
"""Units of a hidden layer up to which compiled code was measured to be as fast as torch: README."""


class Choice(NamedTuple):
    """An engine, and why it is taken."""

    engine: Name
    reason: str


def choose_engine(config: Config) -> Choice:
    """Returns the engine that `engine=auto` means."""
    reasons = list(reasons_against_native(config))
    if reasons:
        return Choice("torch", f"compiled code does not know {', '.join(reasons)}")
    widest = max(config.network.hidden_sizes, default=0)
    if widest > WIDEST:
        return Choice("torch", f"compiled code was not measured with layers of {widest} units")
    return Choice("native", "compiled code knows all of this agent, and is faster")


def explain_engine(config: Config) -> str:
    """Returns in a line which engine trains a config, and why."""
    chosen, reason = choose_engine(config)
    if config.engine != chosen:
        why = "as configured or begun"
        return f"Engine {config.engine}, {why}; engine=auto would take {chosen}: {reason}."
    return f"Engine {chosen}: {reason}."


def reasons_against_native(config: Config) -> Iterator[str]:
    """Yields what the native engine does not support, as keys and their values."""
    agent = config.agent
    if config.device != "cpu":
        yield f"device={config.device}"
    if config.network.noisy:
        yield "network.noisy=true"
    if agent.value.kind != "scalar":
        yield f"agent/value={agent.value.kind}"
    if config.buffer.kind not in ("uniform", "prioritized"):
        yield f"buffer={config.buffer.kind}"
    if agent.optimizer.kind != "adam":
        yield f"agent/optimizer={agent.optimizer.kind}"
    for name in ("munchausen", "normalize_observations"):
        if getattr(agent, name):
            yield f"agent.{name}=true"
