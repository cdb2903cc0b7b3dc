"""Messages of Hydra, OmegaConf and YAML in the user's words: the override, and what to type."""

import difflib
import re
import shlex
import sys
from collections.abc import Callable
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from dqn_exp.config.conf_dir import conf_dir

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
        return _explain_yaml(error, error.problem_mark)
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
        default = f'{error.full_key}="${{oc.decode:${{oc.env:{name},DEFAULT}}}}"'
        text = f"the environment variable {name} is not set. Set it, or give a default: '{default}'"
    elif missing := re.search(r"Interpolation key '([^']+)' not found", text):
        text = f"${{{missing[1]}}} refers to the key {missing[1]}, which does not exist."
    key: Any = error.full_key
    return f"{key}: {text}" if key else text


def explain_twice(arguments: list[str]) -> list[str]:
    """Returns a line for each key that is given several times on the command line.

    Keys with several values at a time are left to the sweep, which refuses them.
    """
    values: dict[str, list[str]] = {}
    for argument in arguments:
        key, found, value = argument.partition("=")
        if found and not argument.startswith("-"):
            values.setdefault(key.lstrip("+"), []).append(value)
    return [
        f"{key} is given {len(given)} times; the last value is used: {key}={given[-1]}"
        for key, given in values.items()
        if len(given) > 1 and not any(map(_is_swept, given))
    ]


def _is_swept(value: str) -> bool:
    try:
        return OverridesParser.create().parse_override(f"key={value}").is_sweep_override()
    except HydraException:
        return False


def _explain_option(file: str, options: Any) -> str:
    group, _, name = file.rpartition("/")
    choices = list(options)
    told = f"expected one of {', '.join(choices)}" if len(choices) > 1 else f"expected {choices[0]}"
    near = difflib.get_close_matches(name, choices, n=1) if len(choices) > 1 else ()
    known = f"{group}={name}: {told}." + "".join(f" Did you mean {one}?" for one in near)
    if group == "agent":
        known += " Variants of it are options of agent/target, agent/value and agent/optimizer."
    if group == "env" and ENV_ID.fullmatch(name):
        return f"{known} Any environment is selected by its id: env.id={name}"
    return known


def _explain_syntax(override: str | None, reason: str) -> str:
    """Returns the message for an override that Hydra cannot parse."""
    written = (override or "").strip()
    key, found, value = written.partition("=")
    if not found:
        before, colon, after = written.partition(":")
        if not colon:
            return f"{written}: expected key=value."
        return f"{written}: expected an = in place of the colon. Write {before}={after}"
    if not KEY.fullmatch(key):
        return f"{written}: expected a key before the =, such as agent.gamma, got {key!r}."
    for applies, remedy in SYNTAX:
        if applies(value):
            return f"{key}: {remedy(key, value)}"
    if re.fullmatch(r"choice\(\s*\)", value):
        return f"{key}: choice() has no values. List some: -m '{key}=choice(A,B)'"
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
        joined = f"{key}={value}{following[0]}"
        if not {"-m", "--multirun"}.intersection(sys.argv):
            return f"the value ends with a comma. Leave out the space, and add -m: -m {joined}"
        return f"the value ends with a comma. Leave out the space: {joined}"
    return f"the value ends with a comma. Leave it out: {key}={value.rstrip(',')}"


def _is_given(key: str, value: str) -> bool:
    return f"{key}={value}" in sys.argv


def _as_mapping(key: str, value: str) -> str:
    inner = re.sub(r"""["']([\w.]+)["']\s*:\s*""", r"\1: ", value)
    inner = re.sub(r"([{,]\s*[\w.]+)\s*=\s*", r"\1: ", inner)
    written = shlex.quote(f"{key}={inner}")
    if re.match(r"""\{\s*["']""", value):
        return f"keys of a mapping take no quotes. Write {written}"
    return f"expected a colon and a space after the keys of a mapping. Write {written}"


def _one_by_one(key: str, value: str) -> str:
    first, _, rest = value.partition(";")
    return f"unexpected ; in {value}. Separate overrides with a space: {key}={first} {rest}".strip()


def _closed(key: str, value: str) -> str:
    if _has_open_quote(value):
        bare = value.strip("'" + '"')
        return f"a quote is not closed in {value}. Numbers and names need none: {key}={bare}"
    pairs = BRACKETS
    missing = "".join(right for left, right in pairs if _is_open(value, left, right))
    opened = next(left for left, right in pairs if value.count(left) != value.count(right))
    bare, closed = value.strip("[](){}"), shlex.quote(f"{key}={value}{missing}")
    if re.fullmatch(r"-?[\d.]+", bare) and opened != "(":
        return f"the {opened} in {value} is not closed. Write {key}={bare} or, for a list, {closed}"
    return f"the {opened} in {value} is not closed. Write, in quotes, {closed}"


def _explain_yaml(error: yaml.MarkedYAMLError, mark: yaml.Mark) -> str:
    problem, line = str(error.problem), mark.line + 1
    if "<stream end>" in problem:
        problem = "the file ends before a bracket, brace or quote is closed"
        line = error.context_mark.line + 1 if error.context_mark else max(1, line - 1)
    return f"{mark.name}:{line}: {problem}."


def _is_open(value: str, left: str, right: str) -> bool:
    return value.count(left) > value.count(right)


SYNTAX: tuple[tuple[Callable[[str], bool], Callable[[str, str], str]], ...] = (
    (lambda value: value.endswith(","), _after_comma),
    (lambda value: ";" in value and not _has_open_quote(value), _one_by_one),
    (
        lambda value: value.startswith("="),
        lambda key, value: f"expected a single =. Write {key}{value}",
    ),
    (
        lambda value: not _has_open(value) and bool(re.match(r"""\{\s*(["']|[\w.]+\s*=)""", value)),
        _as_mapping,
    ),
    (lambda value: _has_open(value) or _has_open_quote(value), _closed),
)
"""Kinds of values that Hydra cannot parse, and the remedies."""


def _explain_unknown(found: re.Match[str]) -> str:
    # Delayed: pydantic is slow to import.
    from dqn_exp.sweep.unknown_keys import explain_unknown_key

    return explain_unknown_key(found)


def _explain_values(found: re.Match[str]) -> str:
    override = found[1] or found[2]
    if decimal := re.fullmatch(r"([^=]+)=(-?0),(\d\d+)", override):
        key, whole, part = decimal.groups()
        return (
            f"{override}: these are two values, {whole} and {part}. Add -m to sweep over them; a "
            f"decimal number is written {key}={whole}.{part}"
        )
    if {"-m", "--multirun"}.intersection(sys.argv):
        return f"{override}: expected one value, got several."
    return f"{override}: several values; add -m to sweep over them."


def _explain_number(_found: re.Match[str]) -> str:
    """Returns the message for a number where the name of an option was expected."""
    for argument in sys.argv[1:]:
        key, is_override, value = argument.partition("=")
        if is_override and not KEY.fullmatch(key):
            return f"{argument}: expected a key before the =, such as agent.gamma, got {key!r}."
        is_group = "." not in key and (conf_dir() / key.lstrip("+")).is_dir()
        if is_group and re.fullmatch(r"-?[\d.]+|true|false|null", value):
            return f"{argument}: expected the name of an option, as in network=mlp, got {value}."
    return "A config group needs the name of an option, as in network=mlp; got none."


def _explain_selected(found: re.Match[str]) -> str:
    group = found[1]
    given = next((one for one in sys.argv if one.startswith(f"+{group}=")), f"+{group}=NAME")
    return (
        f"{given}: the group {group} has an option already, which this override can replace. "
        f"Leave out the +: {given.lstrip('+')}"
    )


TRANSLATIONS: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
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
        _explain_selected,
    ),
    (
        r"Ambiguous value for argument '([^']+)'|Sweep parameters '([^']+)' requires --multirun",
        _explain_values,
    ),
    (
        r"Config group override must be a string or a list",
        _explain_number,
    ),
    (
        r"Cannot find primary config '([^']+)'",
        lambda found: (
            f"--config-name={found[1]}: no such config exists. Recipes are selected with "
            "experiment=NAME."
        ),
    ),
    (
        r"Additional config directory '([^']+)' not found",
        lambda found: f"--config-dir={found[1]}: the directory does not exist.",
    ),
)
"""Messages of Hydra, and their translations."""
