"""Messages of Hydra, OmegaConf and YAML in the user's words: the override, and what to type."""

import re
import shlex
import sys
from collections.abc import Callable
from typing import Any

import yaml
from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

EXTRAS = {"optuna": "pip install 'dqn-exp[optuna]'"}
"""Options of Hydra's groups that need an optional extra, and how to install it."""

BRACKETS = (("[", "]"), ("(", ")"), ("{", "}"))
KEY = re.compile(r"[~+]{0,2}[A-Za-z_][\w./@:-]*")
ENV_ID = re.compile(r"(.*:)?([\w-]+/)?[\w.-]+-v\d+")


def explain(error: Exception) -> str:
    """Returns the message of an error of Hydra, OmegaConf or YAML, as the user should read it."""
    if isinstance(error, OverrideParseException):
        return _explain_syntax(error.override, str(error))
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        return _explain_option(error.missing_cfg_file, error.options)
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"{mark.name}:{mark.line + 1}: {error.problem}"
    text = str(error)
    for pattern, translate in TRANSLATIONS:
        if found := re.search(pattern, text):
            return translate(found)
    if isinstance(error, OmegaConfBaseException):
        return explain_interpolation(error)
    return text.strip()


def explain_interpolation(error: OmegaConfBaseException) -> str:
    """Returns the message for a value that cannot be resolved, with its key."""
    text = str(error).splitlines()[0]
    if missing := re.search(r"Environment variable '([^']+)' not found", text):
        name = missing[1]
        default = f"${{oc.decode:${{oc.env:{name},0}}}}"
        text = f"the environment variable {name} is not set. Set it, or give a default: '{default}'"
    elif missing := re.search(r"Interpolation key '([^']+)' not found", text):
        text = f"${{{missing[1]}}} refers to the key {missing[1]}, which does not exist."
    key: Any = error.full_key
    return f"{key}: {text}" if key else text


def explain_twice(arguments: list[str]) -> list[str]:
    """Returns a line for each key that is given several times on the command line."""
    values: dict[str, list[str]] = {}
    for argument in arguments:
        key, found, value = argument.partition("=")
        if found and not argument.startswith("-"):
            values.setdefault(key.lstrip("+"), []).append(value)
    return [
        f"{key} is given {len(given)} times; the last value is used: {key}={given[-1]}"
        for key, given in values.items()
        if len(given) > 1
    ]


def _explain_option(file: str, options: Any) -> str:
    group, _, name = file.rpartition("/")
    known = f"{group}={name}: expected one of {', '.join(options)}."
    if group == "env" and ENV_ID.fullmatch(name):
        return f"{known} Any environment is selected by its id: env.id={name}"
    return f"{known} Install it with: {EXTRAS[name]}" if name in EXTRAS else known


def _explain_syntax(override: str | None, reason: str) -> str:
    """Returns the message for an override that Hydra cannot parse."""
    written = (override or "").strip()
    key, found, value = written.partition("=")
    if not found:
        before, colon, after = written.partition(":")
        return f"{written}: expected key=value" + (f": {before}={after}" if colon else ".")
    if not KEY.fullmatch(key):
        return f"{written}: expected a key before the =, such as agent.gamma, got {key!r}."
    for applies, remedy in SYNTAX:
        if applies(value):
            return f"{key}: {remedy(key, value)}"
    if evaluated := re.search(r"\w+ while evaluating '(.*)': (.*)", reason):
        return f"{key}: {evaluated[1]}: {evaluated[2]}."
    if "(" in value:
        return f"{key}: {value} cannot be read as a sweep. Examples: range(5), choice(a,b)."
    quoted = shlex.quote(f'{key}="{value}"')
    return f"{key}: the value {value} needs quotes of its own: {quoted}"


def _has_open(value: str) -> bool:
    return any(value.count(left) != value.count(right) for left, right in BRACKETS)


def _has_open_quote(value: str) -> bool:
    return value.count('"') % 2 == 1 or value.count("'") % 2 == 1


def _after_comma(key: str, value: str) -> str:
    """Returns the remedy for a blank after a comma, at which the shell splits an argument."""
    following = sys.argv[sys.argv.index(f"{key}={value}") + 1 :] if _is_given(key, value) else []
    if following and "=" not in following[0]:
        return f"the value ends with a comma. Leave out the space: {key}={value}{following[0]}"
    return f"the value ends with a comma. Leave it out: {key}={value.rstrip(',')}"


def _is_given(key: str, value: str) -> bool:
    return f"{key}={value}" in sys.argv


def _as_mapping(key: str, value: str) -> str:
    inner = re.sub(r"""["']([\w.]+)["']\s*:\s*""", r"\1: ", value)
    inner = re.sub(r"([{,]\s*[\w.]+)\s*=\s*", r"\1: ", inner)
    return (
        "in a mapping, keys have no quotes, and a colon and a space follow: "
        f"{shlex.quote(f'{key}={inner}')}"
    )


def _closed(key: str, value: str) -> str:
    if _has_open_quote(value):
        bare = value.strip("'" + '"')
        return f"a quote is not closed in {value}. Numbers and names need none: {key}={bare}"
    pairs = BRACKETS
    missing = "".join(right for left, right in pairs if _is_open(value, left, right))
    return (
        "a bracket is not closed. Put the whole override in quotes, so that the shell leaves it as "
        f"it is: {shlex.quote(key + '=' + value + missing)}"
    )


def _is_open(value: str, left: str, right: str) -> bool:
    return value.count(left) > value.count(right)


SYNTAX: tuple[tuple[Callable[[str], bool], Callable[[str, str], str]], ...] = (
    (lambda value: value.endswith(","), _after_comma),
    (lambda value: value.startswith("="), lambda key, value: f"expected one =: {key}{value}"),
    (
        lambda value: not _has_open(value) and bool(re.match(r"""\{\s*(["']|[\w.]+\s*=)""", value)),
        _as_mapping,
    ),
    (lambda value: _has_open(value) or _has_open_quote(value), _closed),
)
"""Kinds of values that Hydra cannot parse, and the remedies."""


def _explain_unknown(found: re.Match[str]) -> str:
    from dqn_exp.config.messages import known_keys, suggest  # Delayed: pydantic is slow to import.

    key = found[1]
    if found[0].endswith("does not exist") and key in known_keys():
        return f"~{key}: {key} is already null. Remove this override."
    if key.startswith("hydra.launcher."):
        return (
            f"{key}: unknown key of this launcher. Others have more keys, such as "
            "hydra/launcher=population_processes."
        )
    if key.startswith("env.kwargs."):
        name = key.removeprefix("env.kwargs.")
        return (
            f"{key}: a new key of a mapping needs a +: +{key}=VALUE, or all at once: "
            f"'env.kwargs={{{name}: VALUE}}'"
        )
    return f"{key}: unknown key.{suggest(key)}"


TRANSLATIONS: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (
        "hydra/sweeper/optuna",  # A recipe selects it.
        lambda _: f"hydra/sweeper=optuna: not installed. Install it with: {EXTRAS['optuna']}",
    ),
    (
        r"Could not (?:override|delete from config.*) '([^']+)'(?: does not exist)?",
        _explain_unknown,
    ),
    (
        r"An item is already at '([^']+)'",
        lambda found: f"+{found[1]}: the key already exists. Leave out the +: {found[1]}=VALUE",
    ),
    (
        r"Multiple values for ([^\s.]+)\.",
        lambda found: f"{found[1]}: it is selected already. Leave out the +: {found[1]}=NAME",
    ),
    (
        r"Ambiguous value for argument '([^']+)'|Sweep parameters '([^']+)' requires --multirun",
        lambda found: f"{found[1] or found[2]}: several values; add -m to sweep over them.",
    ),
    (
        r"Config group override must be a string or a list",
        lambda _: (
            "A config group needs the name of an option, as in network=mlp; got a number instead "
            "of a name."
        ),
    ),
    (
        r"Cannot find primary config '([^']+)'",
        lambda found: (
            f"--config-name={found[1]}: there is no such page. Recipes are selected with "
            "experiment=NAME."
        ),
    ),
    (
        r"Additional config directory '([^']+)' not found",
        lambda found: f"--config-dir={found[1]}: the directory does not exist.",
    ),
)
"""Messages of Hydra, and their translations."""
