"""Fixtures of the sweeps."""

from pathlib import Path

import pytest

from tests.sweep.executors import SWEEP, run


@pytest.fixture(scope="session")
def in_process(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("in_process")
    done = run(folder, "-m", *SWEEP, "hydra.sweep.dir=s")
    assert done.returncode == 0, done.stderr
    return folder / "s"
