"""Error messages of configs: one line per problem, with the key, what was expected and found."""

import difflib
import re
import sys
from collections.abc import Iterator
from typing import Any, get_args

from pydantic_core import ErrorDetails

from dqn_exp.config.fields import Section, sections_of
from dqn_exp.config.schema import Config

EXPECTED = {
    "greater_than_equal": "expected at least {ge}",
    "greater_than": "expected more than {gt}",
    "less_than_equal": "expected at most {le}",
    "less_than": "expected less than {lt}",
    "literal_error": "expected {expected}",
    "int_from_float": "expected an integer",
    "int_type": "expected an integer",
    "int_parsing": "expected an integer",
    "float_type": "expected a number",
    "not_a_number": "expected a number",
    "not_an_integer": "expected an integer",
    "finite_number": "expected a finite number",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
    "too_short": "expected a list with a length of at least {min_length}",
    "too_long": "expected at most {max_length} values",
    "model_type": "expected a group of keys",
    "model_attributes_type": "expected a group of keys",
    "dict_type": "expected a group of keys",
    "string_type": "expected a string",
    "not_an_import_path": "expected an import path such as my_module:MyClass",
    "extreme": "expected a magnitude from 1e-30 to 1e30",
}
"""What pydantic's kinds of errors mean to the user, with the names of their contexts."""


ALIASES = {
    **dict.fromkeys(("lr", "step_size"), "agent.learning_rate"),
    **dict.fromkeys(("discount", "discount_factor"), "agent.gamma"),
    **dict.fromkeys(("eps", "exploration"), "agent.epsilon"),
    **dict.fromkeys(("target_update", "target_update_interval", "target_update_freq",
                     "target_network_frequency", "sync_every"), "agent.target_update_period"),
    **dict.fromkeys(("tau", "polyak"), "agent.target_update_tau"),
    **dict.fromkeys(("train_freq", "train_frequency", "update_every"), "agent.train_every"),
    **dict.fromkeys(("n_steps", "nstep"), "agent.n_step"),
    **dict.fromkeys(("buffer_size", "replay_size", "memory_size"), "buffer.capacity"),
    **dict.fromkeys(("alpha", "per_alpha", "priority_alpha"), "buffer.priority_exponent"),
    **dict.fromkeys(("beta", "per_beta", "priority_beta"), "buffer.importance_exponent"),
    **dict.fromkeys(("hidden", "hidden_size", "hidden_dim", "layers"), "network.hidden_sizes"),
    **dict.fromkeys(("steps", "timesteps", "total_timesteps", "max_steps", "budget"),
                    "trainer.total_steps"),
    **dict.fromkeys(("episodes", "num_episodes", "n_episodes"), "trainer.total_episodes"),
    **dict.fromkeys(("env_id", "env_name", "environment"), "env.id"),
    "env_kwargs": "env.kwargs",
    **dict.fromkeys(("threads", "n_jobs", "num_workers"), "num_threads"),
    **dict.fromkeys(("seeds", "random_seed"), "seed"),
    **dict.fromkeys(("gpu", "cuda"), "device"),
}  # fmt: skip
"""Keys of other programs, and what they are called here."""


def to_line(detail: ErrorDetails) -> str:
    """Returns the message for an error that pydantic found in a config."""
    key = ".".join(_path(detail))
    if detail["type"] == "extra_forbidden":
        return f"{key}: unknown key.{suggest(key)}"
    if detail["type"] == "missing":
        if f"~{key}" in sys.argv:
            return f"~{key}: {key} is required and cannot be deleted. Remove this override."
        return f"{key}: missing; expected a value for this key.{_origin(key)}"
    if detail["type"] == "union_tag_not_found":
        return f"{key}.kind: missing; expected a value for this key."
    if detail["type"] == "union_tag_invalid":
        context = detail["ctx"]
        expected = context["expected_tags"].replace(", ", " or ")
        return f"{key}.kind: expected {expected}, got {context['tag']!r}."
    hint = _hint(key, detail["input"], detail["type"])
    if (option := f"{key.replace('.', '/')}={detail['input']}") in _all_options():
        hint = f" Select it with {option}."
    return f"{key}: {expectation(detail)}, got {as_yaml(detail['input'])}.{hint}"


def _hint(key: str, value: Any, kind: str) -> str:
    """Returns what to type instead of a text or a list where a number was expected."""
    if re.fullmatch(r"network\.convolutions(\.\d+)?", key):
        return " Each convolution is [filters, kernel size, stride], as in [[16,3,1]]."
    if kind == "list_type":
        return f" A list with one value: {key}=[{as_yaml(value)}]"
    if isinstance(value, list) and value and all(isinstance(one, int | float) for one in value):
        return f" To sweep over values: -m {key}={','.join(map(str, value))}"
    if key == "device" and isinstance(value, int):
        return f" The names of devices are cpu, cuda and cuda:N: device=cuda:{value}"
    if not isinstance(value, str):
        return ""
    if variable := re.fullmatch(r"\$\{?(\w+)\}?", value):
        return f" For an environment variable: {_from_environment(key, variable[1])}"
    if steps := re.fullmatch(r"(-?\d+)\.\.(-?\d+)", value):
        return f" To sweep over integers: -m '{key}=range({steps[1]},{int(steps[2]) + 1})'"
    try:
        float(value)
    except ValueError:
        return ""
    return (
        f" Write it without quotes, {key}={value}; for an environment variable, "
        f"{_from_environment(key, 'NAME')}"
    )


def _from_environment(key: str, name: str) -> str:
    """Returns what to type; Hydra reads nested interpolations in quotes only."""
    return f"""'{key}="${{oc.decode:${{oc.env:{name}}}}}"'"""


def expectation(detail: ErrorDetails) -> str:
    """Returns what was expected in place of a value that pydantic refused."""
    form = EXPECTED.get(detail["type"])
    return detail["msg"].lower() if form is None else form.format(**detail.get("ctx", {}))


def as_yaml(value: Any) -> str:
    """Returns a value as it is written in YAML and on the command line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)


def suggest(key: str) -> str:
    """Returns " Did you mean ...?" for an unknown key, or how to list the keys."""
    known = known_keys()
    if known.get(key):
        return f" It belongs to {known[key]}."
    group, _, name = key.rpartition(".")
    alias = ALIASES.get(name.lower(), "")
    if alias and group in ("", alias.rpartition(".")[0]):
        return f" Did you mean {alias}?"
    # Of keys with the same last part, the one in the outermost group.
    outermost_last = sorted(known, key=lambda one: -one.count("."))
    last_names = {one.rsplit(".", 1)[-1]: one for one in outermost_last}
    alike = [one for one in known if one.rsplit(".", 1)[-1] == name]
    near = alike if not group and len(alike) == 1 else []
    near = near or difflib.get_close_matches(key, known, n=1, cutoff=0.75)
    near = near or [last_names[one] for one in difflib.get_close_matches(name, last_names, n=1)]
    if not near:
        return " List the keys with --cfg job."
    written = _as_written(near[0])
    options = sorted(one for one in _all_options() if one.startswith(f"{written}="))
    return f" Did you mean {' or '.join(options) if options else written}?"


def known_keys() -> dict[str, str]:
    """Returns all dotted keys and groups, each with the option that it belongs to.

    An option is, for instance, buffer=prioritized; it is empty for a key that always exists.
    """
    return dict(_keys(Config, "", ""))


def _as_written(key: str) -> str:
    # The option of a group is selected with slashes, as in agent/value=categorical.
    has_options = any(option.startswith(f"{key.replace('.', '/')}=") for option in _all_options())
    return key.replace(".", "/") if has_options else key


def _all_options() -> set[str]:
    return {option for option in known_keys().values() if option} | {
        f"{key.replace('.', '/')}={_kind_of(option)}"
        for key, options in _unions(Config, "")
        for option in options
    }


def _unions(section: type[Section], prefix: str) -> Iterator[tuple[str, list[type[Section]]]]:
    for name, field in section.model_fields.items():
        options = sections_of(field.annotation)
        if len(options) > 1:
            yield prefix + name, options
        for option in options:
            yield from _unions(option, f"{prefix}{name}.")


def _keys(section: type[Section], prefix: str, option: str) -> Iterator[tuple[str, str]]:
    for name, field in section.model_fields.items():
        key, options = prefix + name, sections_of(field.annotation)
        yield key, option
        for inner in options:
            kind = "" if len(options) == 1 else _kind_of(inner)
            own_option = f"{key.replace('.', '/')}={kind}" if kind else option
            for inner_key, inner_option in _keys(inner, f"{key}.", own_option):
                name_in_section = inner_key.removeprefix(f"{key}.")
                everywhere = all(name_in_section in o.model_fields for o in options)
                yield inner_key, option if everywhere else inner_option


def _kind_of(section: type[Section]) -> str:
    (kind,) = get_args(section.model_fields["kind"].annotation)
    return str(kind)


def _path(detail: ErrorDetails) -> list[str]:
    path: list[str] = []
    options: list[type[Section]] = [Config]
    for part in map(str, detail["loc"]):
        # Pydantic names the selected option of a union.
        if len(options) > 1 and part in map(_kind_of, options):
            options = [option for option in options if _kind_of(option) == part]
        elif not part.startswith("function-"):
            path.append(part)
            fields = options[0].model_fields if options else {}
            options = sections_of(fields[part].annotation) if part in fields else []
    return path


def _origin(key: str) -> str:
    option = known_keys().get(key)
    return f" It belongs to {option}." if option else ""
