from typing import Literal

import pytest
from pydantic import BaseModel, ValidationError

from dqn_exp.config.fields import (
    Count,
    Integer,
    NoEffect,
    NoEffectMark,
    Number,
    Positive,
    Section,
    Share,
    has_mark,
    sections_of,
)


class Model(BaseModel):
    integer: Integer = 1
    number: Number = 1.0
    count: Count = 1
    share: Share = 0.5
    positive: Positive = 1.0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("integer", value) for value in (True, "3", 1.5, None)),
        *(("number", value) for value in (True, "3", float("nan"), float("inf"))),
        *(("count", value) for value in (0, -1, 2**31)),
        *(("share", value) for value in (-0.1, 1.1)),
        *(("positive", value) for value in (0.0, -1.0, 1e-31, 1e31)),
    ],
)
def test_values_that_are_mistakes_are_refused(key, value):
    with pytest.raises(ValidationError):
        Model(**{key: value})


def test_whole_floats_are_integers():
    assert Model(integer=1e5, count=3.0) == Model(integer=100_000, count=3)


class Inner(Section):
    kind: Literal["inner"] = "inner"


class Outer(Section):
    marked: NoEffect[int] = 1
    plain: int = 1
    inner: Inner | None = None


def test_marks_and_sections_are_found():
    marks = {name: has_mark(one.metadata, NoEffectMark) for name, one in Outer.model_fields.items()}
    assert marks == {"marked": True, "plain": False, "inner": False}
    assert sections_of(Outer.model_fields["inner"].annotation) == [Inner]
    assert sections_of(Outer.model_fields["plain"].annotation) == []
