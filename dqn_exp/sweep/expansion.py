"""Expansion of a sweep to the overrides of its jobs."""

import re
from collections.abc import Mapping, Sequence
from functools import cache

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from dqn_exp.config.conf_dir import conf_dir
from dqn_exp.config.messages import known_keys
from dqn_exp.core.errors import ConfigError
from dqn_exp.sweep.job import key_of
from dqn_exp.sweep.setting_rows import file_rows, number_or_text, zipped_rows
from hydra_plugins.dqn_population.population_sweeper import PopulationSweeper


def expand(
    sweeper: PopulationSweeper, arguments: Sequence[str]
) -> tuple[list[list[str]], list[str]]:
    """Returns the overrides of each job of a sweep, and the swept keys.

    A key that belongs to one option of a swept group is left out of the jobs with other options.

    Raises:
        ConfigError: If there is no job, or an option of the sweeper is invalid.
    """
    assert sweeper.hydra_context is not None
    size: object = sweeper.max_batch_size
    if size is not None and (type(size) is not int or size < 1):
        raise ConfigError(
            [f"hydra.sweeper.max_batch_size: expected an integer of at least 1, got {size}."]
        )
    parser = OverridesParser.create(config_loader=sweeper.hydra_context.config_loader)
    if problems := _repeated(parser.parse_overrides(list(arguments))):
        raise ConfigError(problems)
    declared = [f"{key}={value}" for key, value in sweeper.params.items()]
    # The command line comes later and replaces what a recipe declares.
    by_key: dict[str, Override] = {
        override.get_key_element().lstrip("+"): override
        for override in parser.parse_overrides([*declared, *arguments])
    }
    swept = [key for key, override in by_key.items() if override.is_sweep_override()]
    if problems := [problem for key in swept for problem in _problems_of(key, by_key[key])]:
        raise ConfigError(problems)
    crossed = [key for key in swept if sweeper.mode != "zip" or key == "seed"]
    if problems := [one for key in crossed for one in _problems_of_repeats(key, by_key[key])]:
        raise ConfigError(problems)
    pairs, paired = zipped_rows(sweeper.mode, {key: by_key[key] for key in swept})
    settings, listed = file_rows(sweeper.settings, list(by_key))
    others = [override for key, override in by_key.items() if key not in paired]
    (overrides,) = sweeper.split_arguments(others, None)
    rows = [[*setting, *pair, *job] for setting in settings for pair in pairs for job in overrides]
    jobs = [_without_foreign_keys(row, _options_of(by_key)) for row in rows]
    distinct = [list(job) for job in dict.fromkeys(map(tuple, jobs))]
    told = [key for key in swept if _is_told(key, by_key)]
    return distinct, [*(key.lstrip("+") for key in listed), *told]


def _repeated(overrides: Sequence[Override]) -> list[str]:
    """Returns a problem for each swept key that is given several times."""
    given: dict[str, list[Override]] = {}
    for override in overrides:
        given.setdefault(override.get_key_element().lstrip("+"), []).append(override)
    return [
        f"{key}: expected all values of a swept key at once, got "
        f"{' and '.join(str(one.input_line) for one in several)}."
        for key, several in given.items()
        if len(several) > 1 and any(one.is_sweep_override() for one in several)
    ]


def _is_told(key: str, by_key: Mapping[str, Override]) -> bool:
    """Returns whether a swept key distinguishes jobs, rather than their options."""
    swept = [name for name, override in by_key.items() if override.is_sweep_override()]
    is_of_option = key.startswith(tuple(f"{name.replace('/', '.')}." for name in swept))
    return not is_of_option or len(list(by_key[key].sweep_string_iterator())) > 1


def _problems_of(key: str, override: Override) -> list[str]:
    try:
        values = list(override.sweep_string_iterator())
    except ValueError as error:
        return [f"{key}: expected values, got {override.input_line}: {error}."]
    except HydraException:  # An interval.
        return [
            f"{key}: expected values, got {override.input_line}, which only a search "
            "samples. Add hydra/sweeper=search, or write choice(...) or range(...)."
        ]
    if not values:
        return [f"{key}: expected values, got none from {override.input_line}."]
    return []


def _problems_of_repeats(key: str, override: Override) -> list[str]:
    values: dict[float | str, str] = {}
    repeated = []
    for text in override.sweep_string_iterator():
        value = number_or_text(str(text))
        if value in values:
            repeated.append(values[value])
        values[value] = str(text)
    return [
        f"{key}: expected different values, got {value} several times in {override.input_line}: "
        "its runs would be equal."
        for value in dict.fromkeys(repeated)
    ]


def _options_of(by_key: Mapping[str, Override]) -> dict[str, list[str]]:
    """Returns the options of each swept group."""
    groups = {option.partition("=")[0] for option in known_keys().values() if option}
    return {
        key: list(override.sweep_string_iterator())
        for key, override in by_key.items()
        if key in groups and override.is_sweep_override()
    }


def _without_foreign_keys(job: Sequence[str], options: Mapping[str, Sequence[str]]) -> list[str]:
    """Returns the overrides of a job without keys of options that other jobs have."""
    chosen = {key_of(override): override.partition("=")[2] for override in job}
    kept = []
    for override in job:
        group, _, kind = known_keys().get(key_of(override), "").partition("=")
        kinds = [_kind_of(group, option) for option in options.get(group, ())]
        if kind in kinds and _kind_of(group, chosen[group]) != kind:
            continue
        kept.append(override)
    return kept


@cache
def _kind_of(group: str, option: str) -> str:
    """Returns what an option of a group is a kind of, as network=minatar is of network=conv."""
    path = conf_dir() / group / f"{option}.yaml"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if found := re.search(r"^ *kind: (\w+)", text, re.MULTILINE):
        return found[1]
    base = re.search(r"^ *- (\w+)$", text, re.MULTILINE)
    return _kind_of(group, base[1]) if base else option
