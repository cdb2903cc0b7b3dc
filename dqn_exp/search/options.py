"""Typed options of the search, whose defaults are in conf/hydra/sweeper/search.yaml."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dqn_exp.config.messages import as_yaml, expectation
from dqn_exp.core.errors import ConfigError

Count = Annotated[int, Field(ge=1, strict=True)]


class SearchOptions(BaseModel):
    """Options of `hydra/sweeper=search`.

    Attributes:
        n_trials: trials of the search.
        timeout: seconds after which no trial begins; None for no limit.
        target: value of a trial after which no other begins; None for none.
        seeds: runs of a trial, with seeds 0, 1, ...
        statistic: of the final mean returns of a trial's runs; the value of the trial.
        sampler: of the settings.
        sampler_seed: of the sampler.
        pruner: of trials that are worse than others.
        reduction_factor: of successive halving and Hyperband: one in this many trials continues.
        finalists: best settings that are trained again with fresh seeds; 0 for none.
        fresh_seeds: runs of each of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_trials: Count
    timeout: Annotated[float, Field(gt=0)] | None
    target: float | None
    seeds: Count
    statistic: Literal["iqm", "mean", "median", "min"]
    sampler: Literal["tpe", "gp", "cmaes", "random", "qmc"]
    sampler_seed: Annotated[int, Field(ge=0, strict=True)]
    pruner: Literal["halving", "hyperband", "median", "wilcoxon", "none"]
    reduction_factor: Annotated[int, Field(ge=2, strict=True)]
    finalists: Annotated[int, Field(ge=0, strict=True)]
    fresh_seeds: Count


def to_search_options(values: Mapping[str, Any]) -> SearchOptions:
    """Returns the typed options.

    Raises:
        ConfigError: With a line for each invalid one.
    """
    try:
        return SearchOptions.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError([_to_line(detail) for detail in error.errors()]) from None


def _to_line(detail: Any) -> str:
    key = f"hydra.sweeper.{detail['loc'][0]}"
    if detail["type"] == "extra_forbidden":
        names = ", ".join(SearchOptions.model_fields)
        return f"{key}: unknown key of the search; expected one of {names}."
    return f"{key}: {expectation(detail)}, got {as_yaml(detail['input'])}."
