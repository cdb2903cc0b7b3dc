"""Populations as tasks of Ray."""

import pytest

from tests.sweep.executors import LAUNCHERS, SWEEP, check_same, run


@pytest.mark.slow
def test_24_runs_are_the_same_as_tasks_of_ray(tmp_path, in_process):
    done = run(tmp_path, "-m", *SWEEP, *LAUNCHERS["ray"], "hydra.sweep.dir=s")
    assert done.returncode == 0, done.stderr
    check_same(tmp_path / "s", in_process)
