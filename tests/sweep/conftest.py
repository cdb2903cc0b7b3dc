"""Fixtures of the sweeps."""

import sys
from pathlib import Path

import pytest

from dqn_exp import train
from tests.command import short
from tests.sweep.executors import SWEEP


@pytest.fixture(scope="session")
def in_process(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("in_process")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["train", *short("-m", *SWEEP, "hydra.sweep.dir=s")])
        train.main()
    return folder / "s"
