"""A composed config with Hydra's node, and what it says of the run."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from dqn_exp.config import to_config
from dqn_exp.errors import ConfigError
from dqn_exp.schema import Config


def checked_config(config: DictConfig) -> Config:
    """Returns the typed config of a composed one, which holds Hydra's node too.

    Raises:
        ConfigError: with what is wrong with it.
    """
    return to_config(resolved_values(config))


def resolved_values(config: DictConfig) -> dict[str, Any]:
    """Returns a composed config, which holds Hydra's node too, in plain containers without that.

    Raises:
        ConfigError: if an interpolation cannot be resolved.
    """
    with hydra_config(config):
        try:
            values: Any = OmegaConf.to_container(_shallow_without_hydra(config), resolve=True)
        except OmegaConfBaseException as error:
            raise ConfigError([str(error).splitlines()[0]]) from error
    plain: dict[str, Any] = values
    return plain


@contextmanager
def hydra_config(config: DictConfig) -> Iterator[None]:
    """Makes a config the one that `${hydra:...}` refers to, which is one for the process."""
    singleton: Any = HydraConfig.instance()
    previous = singleton.cfg
    # Its own setter would copy the whole of Hydra's node, several times a job.
    singleton.cfg = config
    try:
        yield
    finally:
        singleton.cfg = previous


def without_hydra(config: DictConfig) -> DictConfig:
    """Returns a copy of what a composed config has besides Hydra's node."""
    return copy.deepcopy(_shallow_without_hydra(config))


def _shallow_without_hydra(config: DictConfig) -> DictConfig:
    task_config = copy.copy(config)
    with read_write(task_config), open_dict(task_config):
        del task_config["hydra"]
    return task_config
