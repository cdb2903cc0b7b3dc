"""From plain containers to a checked config, and from its problems to lines for the user."""

import difflib
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dqn_exp.engine_choice import choose_engine, reasons_against_native
from dqn_exp.errors import ConfigError
from dqn_exp.schema import AgentConfig, CategoricalConfig, Config, Section

LOSSES = {
    "scalar": ("mse", "huber"),
    "categorical": ("cross_entropy",),
    "quantile": ("quantile_huber",),
}
"""Which losses a meaning of outputs has."""

SMALLEST_WIDTH = 1e-4
"""Of the support of a distribution, over its ends: their difference is in single precision."""

EXPECTED = {
    "greater_than_equal": "expected at least {ge}",
    "greater_than": "expected more than {gt}",
    "less_than_equal": "expected at most {le}",
    "less_than": "expected less than {lt}",
    "literal_error": "expected {expected}",
    "int_from_float": "expected a whole number",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "not_a_number": "expected a number",
    "finite_number": "expected a finite number",
    "bool_type": "expected true or false",
    "list_type": "expected a list, such as [128]",
    "model_type": "expected a group of keys",
    "model_attributes_type": "expected a group of keys",
    "dict_type": "expected a group of keys",
    "string_type": "expected a text",
    "extreme": "expected a magnitude from 1e-30 to 1e30",
}
"""What pydantic's kinds of errors mean to the user, with the names of their contexts."""


def to_config(values: Mapping[str, Any]) -> Config:
    """Returns the typed config of plain containers, with the engine that engine=auto means.

    Raises:
        ConfigError: with every problem that was found.
    """
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError([_to_line(detail) for detail in error.errors()]) from None
    problems = list(_contradictions(config))
    if problems:
        raise ConfigError(problems)
    if config.engine == "auto":
        return config.model_copy(update={"engine": choose_engine(config).engine})
    return config


def known_keys() -> dict[str, str]:
    """Returns all keys, dotted, and the names of their groups.

    With each goes the option of a group that it comes with, such as buffer=prioritized, or
    nothing where it always stands.
    """
    return dict(_keys(Config, "", ""))


def suggest(key: str) -> str:
    """Returns " Did you mean ...?" for an unknown key, or nothing."""
    known = known_keys()
    if known.get(key):
        return f" It comes with {known[key]}."
    # Of keys with the same last name, the one in the outermost group.
    outermost_last = sorted(known, key=lambda name: -name.count("."))
    last_names = {name.rsplit(".", 1)[-1]: name for name in outermost_last}
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.75)
    near = near or [
        last_names[name]
        for name in difflib.get_close_matches(key.rsplit(".", 1)[-1], last_names, n=1)
    ]
    return f" Did you mean {_as_written(near[0])}?" if near else " See the keys with --cfg job."


def _as_written(key: str) -> str:
    # The option of a group is chosen with slashes, as in agent/value=categorical.
    has_options = any(option.startswith(f"{key.replace('.', '/')}=") for option in _all_options())
    return key.replace(".", "/") if has_options else key


def _all_options() -> set[str]:
    return {option for option in known_keys().values() if option}


def _keys(section: type[Section], prefix: str, option: str) -> Iterator[tuple[str, str]]:
    for name, field in section.model_fields.items():
        key, options = prefix + name, _options(field.annotation)
        yield key, option
        for inner in options:
            kind = "" if len(options) == 1 else _kind_of(inner)
            own_option = f"{key.replace('.', '/')}={kind}" if kind else option
            for inner_key, inner_option in _keys(inner, f"{key}.", own_option):
                everywhere = all(inner_key.rpartition(".")[2] in o.model_fields for o in options)
                yield inner_key, option if everywhere else inner_option


def _options(annotation: Any) -> list[type[Section]]:
    candidates = typing.get_args(annotation) or (annotation,)
    return [c for c in candidates if isinstance(c, type) and issubclass(c, Section)]


def _kind_of(section: type[Section]) -> str:
    (kind,) = typing.get_args(section.model_fields["kind"].annotation)
    return str(kind)


def _to_line(detail: ErrorDetails) -> str:
    key = ".".join(_path(detail))
    if detail["type"] == "extra_forbidden":
        return f"{key}: unknown key.{suggest(key)}"
    if detail["type"] == "missing":
        return f"{key}: missing; expected a value for this key.{_origin(key)}"
    if detail["type"] == "union_tag_not_found":
        return f"{key}.kind: missing; expected a value for this key."
    if detail["type"] == "union_tag_invalid":
        context = detail["ctx"]
        expected = context["expected_tags"].replace(", ", " or ")
        return f"{key}.kind: expected {expected}, got {context['tag']!r}."
    hint = ""
    if (option := f"{key.replace('.', '/')}={detail['input']}") in _all_options():
        hint = f" Say {option}."
    return f"{key}: {_expected(detail)}, got {_shown(detail['input'])}.{hint}"


def _path(detail: ErrorDetails) -> list[str]:
    path: list[str] = []
    options: list[type[Section]] = [Config]
    for part in map(str, detail["loc"]):
        # Where a group has several options, pydantic names the one that was chosen.
        if len(options) > 1 and part in map(_kind_of, options):
            options = [option for option in options if _kind_of(option) == part]
        elif not part.startswith("function-"):
            path.append(part)
            fields = options[0].model_fields if options else {}
            options = _options(fields[part].annotation) if part in fields else []
    return path


def _origin(key: str) -> str:
    option = known_keys().get(key)
    return f" It comes with {option}." if option else ""


def _shown(value: Any) -> str:
    # As YAML and the command line write it.
    return "null" if value is None else repr(value)


def _expected(detail: ErrorDetails) -> str:
    form = EXPECTED.get(detail["type"])
    return detail["msg"].lower() if form is None else form.format(**detail.get("ctx", {}))


def _contradictions(config: Config) -> Iterator[str]:
    agent, trainer = config.agent, config.trainer
    capacity = config.buffer.capacity
    if agent.batch_size > capacity:
        yield (
            f"agent.batch_size: expected at most buffer.capacity, which is {capacity}, "
            f"got {agent.batch_size}. Raise buffer.capacity or lower agent.batch_size."
        )
    if agent.learning_starts >= capacity:
        yield (
            f"agent.learning_starts: expected less than buffer.capacity, which is {capacity}, "
            f"got {agent.learning_starts}: the buffer would never hold more."
        )
    if (agent.target_update_period is None) == (agent.target_update_tau is None):
        yield (
            "agent.target_update_period, agent.target_update_tau: expected one of the two, got "
            f"{_shown(agent.target_update_period)} and {_shown(agent.target_update_tau)}. "
            "Set the other to null."
        )
    if agent.n_step > capacity:
        yield (
            f"agent.n_step: expected at most buffer.capacity, which is {capacity}, "
            f"got {agent.n_step}."
        )
    yield from _contradictions_of_decay(agent, "epsilon", "epsilon_start")
    yield from _contradictions_of_decay(agent, "learning_rate", "learning_rate_end")
    yield from _contradictions_of_targets(agent)
    if config.engine == "native":
        for reason in reasons_against_native(config):
            yield (
                f"engine: expected torch or auto with {reason}, which the native engine does not "
                "support, got native."
            )
    if config.log.video and not config.log.tensorboard:
        yield "log.video: expected log.tensorboard=true beside it, where the film goes, got false."
    if trainer.total_steps is None and trainer.total_episodes is None:
        yield (
            "trainer.total_steps, trainer.total_episodes: expected at least one, got null for "
            "both: the run would never end."
        )


def _contradictions_of_decay(agent: AgentConfig, name: str, other: str) -> Iterator[str]:
    value, other_value = getattr(agent, name), getattr(agent, other)
    steps = getattr(agent, f"{name}_decay_steps")
    if (other_value is None) != (steps is None):
        yield (
            f"agent.{other}, agent.{name}_decay_steps: expected both or neither, got "
            f"{_shown(other_value)} and {_shown(steps)}."
        )
    if getattr(agent, f"{name}_decay") == "linear":
        return
    if other_value is None:
        yield (
            f"agent.{name}_decay: expected linear, got exponential without agent.{other}: "
            "there is nothing that decays."
        )
    elif 0 in (value, other_value):
        yield (
            f"agent.{name}_decay: expected linear where agent.{name} or agent.{other} is 0, got "
            "exponential: no factor leads to or from 0."
        )


def _contradictions_of_targets(agent: AgentConfig) -> Iterator[str]:
    kind = agent.value.kind
    losses = LOSSES[kind]
    if agent.loss not in losses:
        yield (
            f"agent.loss: expected {' or '.join(losses)} with agent.value.kind={kind}, "
            f"got {agent.loss}. The options of agent/value set both."
        )
    if isinstance(agent.value, CategoricalConfig):
        least, greatest = agent.value.v_min, agent.value.v_max
        if greatest - least <= SMALLEST_WIDTH * max(abs(least), abs(greatest)):
            yield (
                f"agent.value.v_min: expected less than agent.value.v_max, which is {greatest}, "
                f"by more than {SMALLEST_WIDTH} of it, got {least}."
            )
    if not agent.munchausen:
        return
    if agent.n_step > 1:
        yield (
            "agent.munchausen: expected agent.n_step=1, got "
            f"{agent.n_step}: every step on the way would need a log-probability of its own, of "
            "the policy of now, but only the first observation is stored."
        )
    if kind != "scalar":
        yield (
            f"agent.munchausen: expected agent.value.kind=scalar, got {kind}: the entropy that is "
            "added to the values has no place in a distribution of returns."
        )
    if agent.double:
        yield (
            "agent.munchausen: expected agent.double=false, got true: the target is a mean over "
            "a policy, with no maximum whose choice the online network could make."
        )
