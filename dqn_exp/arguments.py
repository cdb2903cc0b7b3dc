"""The command line of training, before Hydra reads it."""

import re
from contextlib import suppress

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

MULTIRUN = frozenset(("-m", "--multirun"))
FLAGS = frozenset(
    (
        *("-h", "--help", "--hydra-help", "--version", "-r", "--resolve", "--run"),
        *("-m", "--multirun", "-sc", "--shell-completion"),
    )
)
WITH_VALUE = frozenset(
    (
        *("-c", "--cfg", "-p", "--package", "-cp", "--config-path", "-cn", "--config-name"),
        *("-cd", "--config-dir", "--experimental-rerun", "-i", "--info"),
    )
)
NEEDS_NO_VALUE = frozenset(("-i", "--info"))


def arrange(arguments: list[str]) -> list[str]:
    """Returns arguments with all options before all overrides, as Hydra's parser needs them.

    Raises:
        ValueError: If there is an unknown option.
    """
    options, overrides, rest = [], [], list(arguments)
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("-"):
            overrides.append(argument)
            continue
        options.append(argument)
        name, has_value, _ = argument.partition("=")
        if name in WITH_VALUE:
            takes_next = not has_value and rest and not rest[0].startswith("-")
            if takes_next and not (name in NEEDS_NO_VALUE and "=" in rest[0]):
                options.append(rest.pop(0))
        elif name not in FLAGS:
            raise ValueError(_unknown(argument))
    if MULTIRUN.intersection(options):
        overrides = _sweep_options(overrides)
    return [*options, *overrides]


def _sweep_options(overrides: list[str]) -> list[str]:
    """Returns overrides in which keys of options of a swept group are swept as well.

    Hydra would otherwise set them in the page of the whole sweep, which has none of the options.
    """
    parser, is_swept = OverridesParser.create(), dict[str, bool]()
    for override in overrides:
        with suppress(HydraException):  # Hydra will tell what is wrong with it.
            is_swept[override] = parser.parse_override(override).is_sweep_override()
    swept = [one.partition("=")[0] for one, is_so in is_swept.items() if is_so]
    prefixes = tuple(key.lstrip("+").replace("/", ".") + "." for key in swept)
    return [
        f"{key}=choice({value})"
        if key.startswith(prefixes) and is_swept.get(override) is False and value != "null"
        else override
        for override, (key, _, value) in ((one, one.partition("=")) for one in overrides)
    ]


def config_dirs(arguments: list[str]) -> list[str]:
    """Returns the values of --config-dir."""
    found = []
    for index, argument in enumerate(arguments):
        name, has_value, value = argument.partition("=")
        if name in ("-cd", "--config-dir"):
            found += [value] if has_value else arguments[index + 1 : index + 2]
    return found


def _unknown(argument: str) -> str:
    override = argument.lstrip("-")
    if re.match(r"[\w./@]+=", override):
        return f"{argument}: overrides have no dashes: {override}"
    return f"{argument}: unknown option. List the options with --help."
