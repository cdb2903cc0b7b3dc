"""Options of the search."""

import pytest
import yaml

from dqn_exp.config.conf_dir import conf_dir
from dqn_exp.core.errors import ConfigError
from dqn_exp.search.options import to_search_options


def defaults():
    values = yaml.safe_load((conf_dir() / "hydra/sweeper/search.yaml").read_text())
    return {key: value for key, value in values.items() if key not in ("_target_", "params")}


def test_the_defaults_are_valid_and_complete():
    assert to_search_options(defaults()).model_dump() == defaults()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("n_trials", 0, "hydra.sweeper.n_trials: .* at least 1, got 0."),
        ("seeds", 2.5, "hydra.sweeper.seeds: expected an integer, got 2.5."),
        ("sampler", "grid", "hydra.sweeper.sampler: .*'tpe'.*, got 'grid'."),
        ("pruner", "all", "hydra.sweeper.pruner: .*'halving'.*, got 'all'."),
        ("timeout", -1, "hydra.sweeper.timeout: .*0.*, got -1."),
        ("trials", 3, "hydra.sweeper.trials: unknown key of the search; expected one of n_trials"),
    ],
)
def test_an_invalid_option_is_named(key, value, message):
    with pytest.raises(ConfigError, match=message):
        to_search_options({**defaults(), key: value})
