"""Networks, target rules and buffers from the user's own modules, and their checks."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from dqn_exp.config.agent_schema import CustomNetworkConfig, CustomTargetConfig
from dqn_exp.config.schema import Config, CustomBufferConfig
from dqn_exp.core.errors import ConfigError
from dqn_exp.core.import_path import import_object, place
from dqn_exp.env.arguments import EnvShape

Section = CustomNetworkConfig | CustomTargetConfig | CustomBufferConfig


def make_custom(key: str, section: Section, *arguments: Any, **named: Any) -> Any:
    """Returns an instance of a class of the user.

    Args:
        key: of the import path.
        section: with the path and keyword arguments.
        arguments: that every class of its kind takes.
        named: further ones; those of the section are added.

    Raises:
        ConfigError: If there is no such class, or making it raises an error.
    """
    found = import_object(key, section.target)
    try:
        return found(*arguments, **named, **(section.kwargs or {}))
    except (Exception, SystemExit) as error:  # Foreign code may raise any error.
        raise ConfigError([f"{key}: creating {section.target} raised {place(error)}."]) from error


def problems_of_custom(
    config: Config, shape: EnvShape, make: Callable[[Config, EnvShape], Any]
) -> Iterator[str]:
    """Yields what is wrong with the user's classes of a config.

    Args:
        config: of a run.
        shape: of its environment.
        make: makes the network, the target rule and the buffer; returns the network and the number
            of outputs per action.
    """
    if not any(isinstance(one, Section) for one in _sections(config)):
        return
    try:
        network, num_outputs = make(config, shape)
        expected = (1, 2, shape.num_actions, num_outputs)
        found = _outputs(network, shape)
    except ConfigError as error:
        yield from error.problems
        return
    except (Exception, SystemExit) as error:  # Foreign code may raise any error.
        yield f"network.target: the forward pass raised {place(error)}."
        return
    if found != expected:
        yield (
            f"network.target: expected outputs of shape {expected} [N, B, A, K] for two "
            f"observations, got {found}."
        )


def _sections(config: Config) -> tuple[object, ...]:
    return config.network, config.agent.target, config.buffer


def _outputs(network: Any, shape: EnvShape) -> tuple[int, ...]:
    parameters = network.layout.init_parameters([0])
    observations = torch.zeros(1, 2, shape.num_features)
    with torch.no_grad():
        outputs = network.forward(network.layout.views(parameters), observations)
    return tuple(outputs.shape)
