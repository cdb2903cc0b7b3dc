"""Whoever trains a population, the numbers are the same."""

import pytest

from tests.sweep.executors import LAUNCHERS, SWEEP, check_same, run


@pytest.mark.parametrize("name", ["processes", pytest.param("slurm", marks=pytest.mark.slow)])
def test_24_runs_are_the_same_with_every_executor(tmp_path, in_process, name):
    done = run(tmp_path, "-m", *SWEEP, *LAUNCHERS[name], "hydra.sweep.dir=s")
    assert done.returncode == 0, done.stderr
    assert "Training 24 runs as 2 populations." in done.stdout
    check_same(tmp_path / "s", in_process)


def test_a_gpu_trains_what_it_should(tmp_path):
    import torch

    if not torch.cuda.is_available():
        pytest.skip("This machine has no GPU.")
    done = run(
        tmp_path, "-m", "seed=1,2", "device=cuda", *LAUNCHERS["processes"], "hydra.sweep.dir=s"
    )
    assert done.returncode == 0, done.stderr
