"""The space of a search, from overrides in Hydra's grammar."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Sweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial

from dqn_exp.core.errors import ConfigError


class Space(NamedTuple):
    """The space of a search.

    Attributes:
        distributions: of the searched keys.
        fixed: overrides of all other keys.
        written: searched keys as overrides write them, such as +env.kwargs.size.
    """

    distributions: dict[str, BaseDistribution]
    fixed: list[str]
    written: Mapping[str, str] = MappingProxyType({})

    def overrides(self, values: Mapping[str, Any], seed: int) -> list[str]:
        """Returns the overrides of a run.

        Args:
            values: of the searched keys.
            seed: of the run.
        """
        searched = [
            f"{self.written.get(key, key)}={_to_text(value)}" for key, value in values.items()
        ]
        return [*self.fixed, *searched, f"seed={seed}"]

    def corners(self) -> Iterator[dict[str, Any]]:
        """Yields values such that each end of each range, and each choice, occurs."""
        ends = {key: _ends(one) for key, one in self.distributions.items()}
        first = {key: values[0] for key, values in ends.items()}
        yield first
        for key, values in ends.items():
            yield from (first | {key: value} for value in values[1:])


def read_space(declared: Mapping[str, str], arguments: Sequence[str]) -> Space:
    """Returns the space that overrides span.

    Args:
        declared: ranges of a recipe by key; a command's override of the same key replaces them.
        arguments: overrides of the command.

    Raises:
        ConfigError: With a line for each range that cannot be searched.
    """
    parser = OverridesParser.create()
    texts = [f"{key}={value}" for key, value in declared.items()]
    by_key = {
        override.get_key_element().lstrip("+"): override
        for override in parser.parse_overrides([*texts, *arguments])
    }
    problems: list[str] = []
    distributions: dict[str, BaseDistribution] = {}
    fixed = []
    for key, override in by_key.items():
        if not override.is_sweep_override():
            fixed.append(str(override.input_line))
            continue
        try:
            distributions[key] = _to_distribution(override)
        except ValueError as error:
            problems.append(f"{key}: {error}, got {override.input_line}.")
    if "seed" in by_key:
        problems.append("seed: a trial has the seeds 0, 1, ...; set hydra.sweeper.seeds instead.")
    if not distributions and not problems:
        problems.append(
            "hydra/sweeper=search: expected a range to search, such as "
            "agent.learning_rate=tag(log,interval(1e-4,1e-2)), got none."
        )
    if problems:
        raise ConfigError(problems)
    return Space(distributions, fixed, {key: one.get_key_element() for key, one in by_key.items()})


def suggest(trial: Trial, key: str, distribution: BaseDistribution) -> None:
    """Sets the value of a key in a trial, unless it has one."""
    match distribution:
        case FloatDistribution(low=low, high=high, log=log, step=step):
            trial.suggest_float(key, low, high, log=log, step=step)
        case IntDistribution(low=low, high=high, log=log, step=step):
            trial.suggest_int(key, low, high, log=log, step=step)
        case CategoricalDistribution(choices=choices):
            trial.suggest_categorical(key, choices)


def _to_distribution(override: Override) -> BaseDistribution:
    value: Any = override.value()
    assert isinstance(value, Sweep)
    is_log = "log" in value.tags
    if unknown := value.tags - {"log"}:
        raise ValueError(f"expected tag(log, ...) or none, got the tag {sorted(unknown)[0]}")
    if isinstance(value, IntervalSweep):
        low, high = value.start, value.end
        assert low is not None and high is not None
        return _numeric(low, high, is_log, None)
    if isinstance(value, RangeSweep):
        numbers = [*value.range()]
        if is_log and value.step != 1:
            raise ValueError("expected a step of 1 with tag(log, ...)")
        if not numbers:
            raise ValueError("expected at least one value")
        return _numeric(min(numbers), max(numbers), is_log, None if is_log else abs(value.step))
    if is_log:
        raise ValueError("expected tag(log, ...) around interval(...) or range(...)")
    # As they are written, since lists and groups are choices as well.
    return CategoricalDistribution([str(one) for one in override.sweep_string_iterator()])


def _numeric(low: float, high: float, is_log: bool, step: float | None) -> BaseDistribution:
    if low > high or (is_log and low <= 0):
        raise ValueError(f"expected {'0 < ' * is_log}low <= high")
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=is_log, step=int(step or 1))
    return FloatDistribution(float(low), float(high), log=is_log, step=step)


def _ends(distribution: BaseDistribution) -> list[Any]:
    match distribution:
        case FloatDistribution(low=low, high=high) | IntDistribution(low=low, high=high):
            return list(dict.fromkeys([low, high]))
        case CategoricalDistribution(choices=choices):
            return list(choices)
        case _:
            raise AssertionError(distribution)


def _to_text(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)
