"""Messages for overrides of keys that do not exist."""

import difflib
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

import yaml
from hydra.conf import HydraConf

from dqn_exp.config.conf_dir import conf_dir
from dqn_exp.config.messages import known_keys, suggest

PLAIN_OVERRIDE = re.compile(r"(\w+(?:\.\w+)+)=.*", re.DOTALL)
"""An override that neither adds nor deletes a key, nor selects an option of a group."""


def explain_unknown_key(found: re.Match[str]) -> str:
    """Returns a line for the key that Hydra does not know, and for others of the command.

    Args:
        found: in Hydra's message, which names the first of them.
    """
    key, known = found[1], known_keys()
    if found[0].endswith("does not exist") and key in known:
        return f"~{key}: {key} is already null. Remove this override."
    keys = dict.fromkeys([key, *_unknown_in(sys.argv[1:], known)])
    if key == "env.kwargs":
        del keys[key]
        # Hydra repeats the override.
        keys = dict.fromkeys([*_unknown_arguments(found.string), *keys])
    return "\n".join(map(_explain, keys))


def _unknown_arguments(message: str) -> Iterator[str]:
    """Yields the keys of env.kwargs={name: value} that no environment of `conf/env` has."""
    names = re.findall(r"[{,]\s*(\w+)\s*:", message)
    unknown = [name for name in names if name not in _known_arguments()]
    for name in unknown or names:
        yield f"env.kwargs.{name}"


def _unknown_in(arguments: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    """Yields the unknown keys that arguments override, except for those of mappings and Hydra."""
    for argument in arguments:
        if is_override := PLAIN_OVERRIDE.fullmatch(argument):
            key = is_override[1]
            is_of_mapping = "kwargs." in key or key.startswith("hydra.")
            if key not in known and not is_of_mapping:
                yield key


def _explain(key: str) -> str:
    if key.startswith("hydra.launcher."):
        return _explain_launcher(key)
    if key.startswith("hydra."):
        names = [field.name for field in fields(HydraConf)]
        near = difflib.get_close_matches(key.split(".")[1], names, n=1)
        hint = f" Did you mean hydra.{near[0]}?" if near else ""
        return f"{key}: unknown key of Hydra.{hint} List its keys with --cfg hydra."
    if key.startswith("env.kwargs."):
        name = key.removeprefix("env.kwargs.")
        near = difflib.get_close_matches(name, _known_arguments(), n=1)
        hint = f" Did you mean env.kwargs.{near[0]}?" if near else ""
        return f"{key}: unknown key.{hint} A new key of a mapping needs a +: +{key}=VALUE"
    return f"{key}: unknown key.{suggest(key)}"


def _known_arguments() -> set[str]:
    """Returns the arguments of environments that the files of `conf/env` name."""
    texts = [path.read_text(encoding="utf-8") for path in (conf_dir() / "env").glob("*.yaml")]
    return {name for text in texts for name in yaml.safe_load(text).get("kwargs") or {}}


def _explain_launcher(key: str) -> str:
    name = next(
        (one.partition("=")[2] for one in sys.argv if "hydra/launcher=" in one), "population"
    )
    found: dict[str, Any] = {}
    for one in ("population", name):
        path = conf_dir() / f"hydra/launcher/{one}.yaml"
        found |= yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    known = ", ".join(sorted(set(found) - {"defaults", "_target_"}))
    return (
        f"{key}: unknown key of hydra/launcher={name}, whose keys are {known}. Other launchers, "
        "such as hydra/launcher=population_processes, have further keys."
    )
