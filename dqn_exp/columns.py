"""Arrays of N runs, with one value for each of their configs."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dqn_exp.per_run import NEVER
from dqn_exp.random_streams import RandomStream, Stream
from dqn_exp.schedule import Schedule
from dqn_exp.schema import Config

Configs = Sequence[Config]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def values(configs: Configs, key: str) -> list[Any]:
    """Returns the values of a key, such as `agent.gamma`."""
    return [attrgetter(key)(config) for config in configs]


def ints(configs: Configs, key: str, if_null: int = NEVER) -> Ints:
    """Returns the values `[N]` of a key, those that are null replaced."""
    given = values(configs, key)
    return np.fromiter((if_null if value is None else value for value in given), np.int64)


def floats(configs: Configs, key: str, if_null: float = np.inf) -> Floats:
    """Returns the values `[N]` of a key, those that are null replaced."""
    given = values(configs, key)
    return np.fromiter((if_null if value is None else value for value in given), np.float64)


def tensor(configs: Configs, key: str) -> torch.Tensor:
    """Returns the values `[N]` of a key in single precision, where the runs are trained."""
    return torch.from_numpy(floats(configs, key)).float().to(device(configs))


def device(configs: Configs) -> torch.device:
    """Returns where the runs are trained."""
    return torch.device(configs[0].device)


def make_stream(configs: Configs, stream: Stream, width: int) -> RandomStream:
    """Returns a stream of random numbers for each run, `width` of them an index."""
    return RandomStream([config.seed for config in configs], stream, width)


def make_schedule(configs: Configs, name: str, start: str, end: str) -> Schedule:
    """Builds what `agent.<name>` and its companions say, between the keys of its two ends."""
    # Where the other end is null, the value is what it is from the beginning to the end.
    always = floats(configs, f"agent.{name}")
    starts, ends = (
        np.where(np.isinf(given), always, given)
        for given in (floats(configs, f"agent.{key}") for key in (start, end))
    )
    decays = np.array(values(configs, f"agent.{name}_decay")) == "exponential"
    return Schedule(starts, ends, ints(configs, f"agent.{name}_decay_steps", if_null=1), decays)
