"""Builders that the tests share: configs, populations, and their files."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from dqn_exp.conf_dir import conf_dir
from dqn_exp.config import Config, to_config
from dqn_exp.population import Run, train_population
from dqn_exp.recorder import Result

GROUPS = {"agent": "dqn", "network": "mlp", "buffer": "uniform", "env": "cartpole_v0"}

os.environ.setdefault("HYDRA_FULL_ERROR", "1")


def config_values(**overrides: Any) -> dict[str, Any]:
    """The defaults as plain containers, with values for keys such as `agent__gamma`."""
    page = yaml.safe_load((conf_dir() / "config.yaml").read_text())
    values = {key: value for key, value in page.items() if key not in {"defaults", "hydra"}}
    for group, option in GROUPS.items():
        values[group] = yaml.safe_load((conf_dir() / group / f"{option}.yaml").read_text())
    # The YAML of Python takes 2e-3 for a text, that of OmegaConf for a number.
    values["agent"]["learning_rate"] = float(values["agent"]["learning_rate"])
    values["log"]["progress"] = False
    values["num_threads"] = 1
    for name, value in overrides.items():
        group, _, key = name.rpartition("__")
        (values[group] if group else values)[key] = value
    return values


def make_config(**overrides: Any) -> Config:
    return to_config(config_values(**overrides))


@pytest.fixture
def train(tmp_path: Path) -> Callable[[Sequence[Config], str], list[Path]]:
    """Trains configs as one population in a new folder; returns the directories of the runs."""

    def train_in(configs: Sequence[Config], name: str) -> list[Path]:
        folders = [tmp_path / name / str(index) for index in range(len(configs))]
        for folder in folders:
            folder.mkdir(parents=True)
        runs = [Run(c, f, c.hyperparameters()) for c, f in zip(configs, folders, strict=True)]
        train_population(runs, lambda results: None)
        return folders

    return train_in


@pytest.fixture(autouse=True)
def keep_threads() -> Iterator[None]:
    """Populations choose the number of threads of the process."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def results_of(folder: Path) -> Mapping[str, bytes]:
    """The bytes that must not depend on what a run is trained with."""
    names = ("episodes.csv", "evaluations.csv", "checkpoint.pt")
    return {name: (folder / name).read_bytes() for name in names if (folder / name).exists()}


def ignore_results(results: Sequence[Result]) -> None:
    """Takes what `train_population` tells while it goes on."""
