"""What stands on internals of Hydra."""

import copy

import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import OmegaConf

from dqn_exp.core.errors import ConfigError
from dqn_exp.sweep.hydra_internals import (
    explain,
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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Could not override 'agent.gama'.\nKey 'gama'", "agent.gama: unknown key. Did you mean"),
        (
            "Could not override 'hydra.launcher.num_wrokers'.",
            "hydra.launcher.num_wrokers: unknown key of this launcher.",
        ),
        ("Ambiguous value for argument 'seed=1,2'\n1. ...", "seed=1,2: several values; add -m"),
        ("Sweep parameters 'seed=1,2' requires --multirun", "seed=1,2: several values; add -m"),
        ("  anything else \n", "anything else"),
    ],
)  # fmt: skip
def test_messages_of_hydra_are_told_in_the_words_of_this_project(text, told):
    assert explain(HydraException(text)).startswith(told)


def test_an_interpolation_that_leads_nowhere_is_a_problem():
    with pytest.raises(ConfigError, match="Interpolation key 'nowhere' not found"):
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
