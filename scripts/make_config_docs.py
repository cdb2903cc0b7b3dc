"""Writes docs/configs.md, the page of all keys, from the typed schema and the defaults.

    python scripts/make_config_docs.py

A test fails if the page is out of date.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Lt
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dqn_exp.config.fields import PerRunMark, has_mark
from dqn_exp.config.schema import Config, changes_results

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/configs.md"

HEAD = """\
# Configs

<!-- Generated from the schema by scripts/make_config_docs.py; edit the schema instead. -->

All keys with their defaults.
Any key can be set on the command line, as in `agent.gamma=0.99`, and swept with `-m`.
Runs whose values differ only in keys marked *per run* train as one population; a key marked *structure* splits a sweep into several populations.
Keys marked *no effect* do not change results, except in the last bits, and are not part of the config hash.
Steps are environment steps of a run, and updates are gradient updates of a run.
"""

TAIL = """
## Groups and recipes

`agent`, `network`, `buffer` and `env` are folders of `conf/` with options, as in `buffer=prioritized` or `env=acrobot`; `agent` has the further groups `agent/target`, `agent/value` and `agent/optimizer`.
A recipe of `conf/experiment/`, as in `experiment=book`, overrides their values, and `without=...` removes a component from a recipe.
Put your own files into a folder and pass it with `--config-dir`.

| group | options |
|---|---|
"""


def main() -> None:
    """Writes the page."""
    PAGE.write_text(to_page())


def to_page() -> str:
    """Returns the page."""
    lines = [HEAD]
    for title, section, defaults, prefix in _sections():
        lines.append(f"\n## {title}\n\n{_sentence(section)}\n\n")
        rows = [_to_row(*one, defaults, prefix) for one in _own_fields(section)]
        head = "| key | default | values | runs | meaning |\n|---|---|---|---|---|\n"
        lines += [head, *rows] if rows else ["This option has no keys.\n"]
    lines.append(TAIL)
    lines += [f"| `{name}` | {', '.join(options)} |\n" for name, options in _alternatives()]
    return "".join(lines)


def _sections() -> Iterator[tuple[str, type[BaseModel], Mapping[str, Any], str]]:
    """Yields title, section, its defaults, and the prefix of its keys."""
    values = _composed()
    yield "Top level", Config, values, ""
    for name, field in Config.model_fields.items():
        sections = _sections_of(field.annotation)
        if len(sections) > 1:
            yield from _options(name, sections)
        for section in sections if len(sections) == 1 else ():
            yield f"`{name}`", section, values[name], f"{name}."
            for inner, inner_field in section.model_fields.items():
                yield from _options(f"{name}.{inner}", _sections_of(inner_field.annotation))


def _options(
    key: str, sections: list[type[BaseModel]]
) -> Iterator[tuple[str, type[BaseModel], Mapping[str, Any], str]]:
    for section in sections:
        (kind,) = get_args(section.model_fields["kind"].annotation)
        option = f"{key.replace('.', '/')}={kind}"
        values = _composed(option)
        for part in key.split("."):
            values = values[part]
        yield f"`{option}`", section, values, f"{key}."


def _composed(*overrides: str) -> dict[str, Any]:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("config", list(overrides))
    values: Any = OmegaConf.to_container(config, resolve=True)
    plain: dict[str, Any] = values
    return plain


def _own_fields(section: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in section.model_fields.items():
        if name != "kind" and not _sections_of(field.annotation):
            yield name, field


def _to_row(name: str, field: FieldInfo, defaults: Mapping[str, Any], prefix: str) -> str:
    runs = "per run" if has_mark(field.metadata, PerRunMark) else "structure"
    if not changes_results(prefix + name):
        runs += ", no effect"
    default = yaml.safe_dump(defaults[name], default_flow_style=True).split("\n")[0]
    values = _values(field.annotation, field.metadata)
    return f"| `{prefix}{name}` | `{default}` | {values} | {runs} | {field.description} |\n"


def _values(annotation: Any, metadata: list[Any]) -> str:
    """Describes the values that a key may have."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return _values(inner, [*more, *metadata])
    if get_origin(annotation) is Literal:
        return ", ".join(map(str, get_args(annotation)))
    if get_origin(annotation) in (Union, UnionType):
        parts = [part for part in get_args(annotation) if part is not NoneType]
        return " or ".join([*(_values(part, metadata) for part in parts), "null"])
    if get_origin(annotation) is list:
        (inner,) = get_args(annotation)
        return re.sub(r"^\w+", r"list of \g<0>s", _values(inner, []))
    names = {int: "integer", float: "number", bool: "true, false", str: "string"}
    name = names.get(annotation, "mapping")
    return f"{name}{_range(metadata)}"


def _range(metadata: list[Any]) -> str:
    bounds = [bound for mark in metadata for bound in _bounds(mark)]
    lows = [f"from {bound.ge}" for bound in bounds if isinstance(bound, Ge)]
    lows += [f"above {bound.gt}" for bound in bounds if isinstance(bound, Gt)]
    upto = "to" if lows else "at most"
    highs = [f"{upto} {_shorten(bound.le)}" for bound in bounds if isinstance(bound, Le)]
    # A key may narrow the limit of its type.
    highs = highs or [f"below {_shorten(bound.lt)}" for bound in bounds if isinstance(bound, Lt)]
    return "".join(f", {words}" for words in [" ".join(lows + highs)] if words)


def _bounds(mark: Any) -> list[Any]:
    return mark.metadata if isinstance(mark, FieldInfo) else [mark]


def _shorten(bound: Any) -> str:
    is_power = isinstance(bound, int) and bound > 2**20 and bound & (bound - 1) == 0
    return f"2^{bound.bit_length() - 1}" if is_power else f"{bound:,}"


def _sections_of(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for part in get_args(annotation) for section in _sections_of(part)]


def _sentence(section: type[BaseModel]) -> str:
    return re.sub(r"\s+", " ", section.__doc__ or "").strip()


def _alternatives() -> Iterator[tuple[str, list[str]]]:
    folders = sorted({path.parent for path in (ROOT / "conf").glob("*/**/*.yaml")})
    for folder in folders:
        names = sorted(path.stem for path in folder.glob("*.yaml"))
        yield str(folder.relative_to(ROOT / "conf")), names


if __name__ == "__main__":
    main()
