"""What stands on internals of Hydra."""

import copy

import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from dqn_exp.core.errors import ConfigError
from dqn_exp.sweep.hydra_internals import (
    hydra_config,
    resolved_values,
    share_config_store,
)


def test_the_files_of_hydra_are_those_of_its_own_launcher(command, tmp_path):
    for name in ("basic", "population"):
        assert command("-m", "seed=1,2", "hydra.sweep.dir=s", f"hydra/launcher={name}").status == 0
        (tmp_path / "s").rename(tmp_path / name)
    for folder in ("0_seed=1", "1_seed=2"):
        first, second = (tmp_path / name / folder / ".hydra" for name in ("basic", "population"))
        for file in ("config.yaml", "overrides.yaml"):
            assert (first / file).read_bytes() == (second / file).read_bytes()
        # The choice of the launcher and its options are all that differs.
        words = ("launcher", "max_population", "executor", "max_resubmissions")
        lines = [set((path / "hydra.yaml").read_text().splitlines()) for path in (first, second)]
        assert all(any(word in line for word in words) for line in lines[0] ^ lines[1])


def test_an_interpolation_that_leads_nowhere_is_a_problem():
    with pytest.raises(ConfigError, match="refers to the key nowhere, which does not exist"):
        resolved_values(OmegaConf.create({"seed": "${nowhere}", "hydra": {}}))


def test_the_config_of_hydra_is_the_previous_one_after_a_block():
    outer = HydraConfig.instance().cfg
    config = OmegaConf.create({"hydra": {"job": {"num": 7}}})
    with hydra_config(config):
        assert HydraConfig.instance().cfg is config
    assert HydraConfig.instance().cfg is outer


def test_the_store_of_structured_configs_is_shared_by_copies():
    share_config_store()
    store = ConfigStore.instance()
    assert copy.deepcopy({"store": store})["store"] is store
