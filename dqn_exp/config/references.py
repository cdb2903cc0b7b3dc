"""References between the values of a config, such as `${env.game}`."""

from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException


def replace_references(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns nested values without references, or unchanged if one leads nowhere."""
    try:
        resolved: Any = OmegaConf.to_container(OmegaConf.create(dict(values)), resolve=True)
    except OmegaConfBaseException:  # Such as an environment variable of another machine.
        return dict(values)
    return dict(resolved)
