"""Types and markers of config fields."""

import math
import re
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

T = TypeVar("T")


class PerRunMark:
    """Marks a hyperparameter that may differ between the runs of one population."""


PerRun = Annotated[T, PerRunMark()]
"""`PerRun[float]` declares a hyperparameter that may differ between the runs of a population. All
others are structure: equal for all runs of a population."""


class NoEffectMark:
    """Marks a key that does not change results, except in the last bits."""


NoEffect = Annotated[T, NoEffectMark()]
"""`NoEffect[int]` declares a key that does not change results. It is no part of the config hash,
and may be changed when a run resumes."""


def _refuse_lookalikes(value: Any) -> Any:
    # Python takes True for 1, and pydantic takes "3" for 3; in an experiment both are mistakes.
    if isinstance(value, bool | str):
        raise PydanticCustomError("not_a_number", "expected a number")
    return value


def _refuse_extremes(value: float) -> float:
    # Beyond these bounds, single precision overflows or underflows.
    if value and not 1e-30 <= abs(value) <= 1e30:
        raise PydanticCustomError("extreme", "expected a magnitude from 1e-30 to 1e30")
    return value


def _refuse_other_than_integers(value: Any) -> Any:
    is_infinite = isinstance(value, float) and not math.isfinite(value)
    if is_infinite or isinstance(value, bool | str):
        raise PydanticCustomError("not_an_integer", "expected an integer")
    return value


def refuse_other_names(values: dict[str, Any]) -> dict[str, Any]:
    """Raises an error unless all keys of nested mappings are strings.

    Files keep no others, and a run that resumes must get the same values.
    """
    for key, value in values.items():
        if not isinstance(key, str):
            raise PydanticCustomError("not_a_name", "expected names as keys of a mapping")
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                refuse_other_names(inner)
    return values


def refuse_other_paths(name: str) -> str:
    """Raises an error unless a name is that of a directory below another one."""
    if not re.fullmatch(r"\w[\w.,=+-]*(/\w[\w.,=+-]*)*", name):
        raise PydanticCustomError("not_a_path", "expected a name such as gammas or 2026/gammas")
    return name


def refuse_other_import_paths(path: str) -> str:
    """Raises an error unless a text is an import path."""
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", path):
        raise PydanticCustomError("not_an_import_path", "expected an import path")
    return path


ImportPath = Annotated[str, AfterValidator(refuse_other_import_paths)]
Kwargs = Annotated[dict[str, Any], AfterValidator(refuse_other_names)] | None
Integer = Annotated[int, BeforeValidator(_refuse_other_than_integers)]
Number = Annotated[float, BeforeValidator(_refuse_lookalikes), Field(allow_inf_nan=False)]
Seed = Annotated[Integer, Field(ge=0, lt=2**63)]
Count = Annotated[Integer, Field(ge=1, lt=2**31)]
Period = Annotated[Integer, Field(ge=1, lt=2**62)]
Share = Annotated[Number, Field(ge=0, le=1)]
Positive = Annotated[Number, Field(gt=0), AfterValidator(_refuse_extremes)]
Return = Annotated[Number, AfterValidator(_refuse_extremes)]
Decay = Literal["linear", "exponential"]


class Section(BaseModel):
    """A group of keys. Unknown keys are refused; defaults are in the YAML files only."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def sections_of(annotation: Any) -> list[type[Section]]:
    """Returns the sections that a field may hold: none for a plain value."""
    candidates = get_args(annotation) or (annotation,)
    return [c for c in candidates if isinstance(c, type) and issubclass(c, Section)]


def has_mark(metadata: list[Any], kind: type) -> bool:
    """Returns whether a field is marked as `PerRun` or `NoEffect`."""
    return any(isinstance(mark, kind) for mark in metadata)
