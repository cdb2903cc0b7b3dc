"""Batches of jobs that become populations."""

import resource
import subprocess
import sys

import pytest

from dqn_exp.sweep.launcher import group_jobs
from tests.command import short, table_of
from tests.conftest import results_of


def test_structures_become_populations_of_bounded_size(command, tmp_path):
    sweep = ("-m", "seed=range(5)", "network.hidden_sizes=[8],[9,3]", "engine=torch")
    ended = command(*sweep, "hydra.sweep.dir=a", "hydra.launcher.max_population_size=3")
    assert "Training 10 runs as 4 populations." in ended.out
    ended = command(*sweep, "hydra.sweep.dir=b")
    assert "Training 10 runs as 2 populations." in ended.out
    for first, second in zip(table_of(tmp_path / "a"), table_of(tmp_path / "b"), strict=True):
        assert first == second
        folders = tmp_path / "a" / first["dir"], tmp_path / "b" / second["dir"]
        assert results_of(folders[0]) == results_of(folders[1])


@pytest.mark.slow
def test_open_files_do_not_grow_with_the_number_of_runs(tmp_path):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    arguments = short("trainer.total_steps=30", "-m", "seed=range(80)", "hydra.sweep.dir=s")
    done = subprocess.run(
        [sys.executable, "-m", "dqn_exp.train", *arguments],
        cwd=tmp_path, preexec_fn=limit, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [row["status"] for row in table_of(tmp_path / "s")] == ["completed"] * 80


class FakeJob:
    def __init__(self, structure: str) -> None:
        self.environment: dict[str, str] = {}
        self.checked = self
        self.structure = lambda: structure


@pytest.mark.parametrize(
    ("structures", "most", "num_workers", "sizes"),
    [
        ("A" * 24, None, 1, [24]),
        ("A" * 24, None, 2, [12, 12]),
        ("A" * 24, None, 5, [4, 5, 5, 5, 5]),
        ("A" * 10, None, 8, [1, 1, 1, 1, 1, 1, 2, 2]),
        ("A" * 5, None, 4, [1, 1, 1, 2]),
        ("A" * 24, 10, 2, [8, 8, 8]),
        ("A" * 10 + "B" * 14, None, 1, [10, 14]),
        ("A" * 10 + "B" * 14, None, 2, [10, 7, 7]),
        ("AB" * 3, None, 8, [1] * 6),
        ("A" * 7, 3, 1, [2, 2, 3]),
    ],
)
def test_populations_are_split_so_that_all_workers_are_busy(structures, most, num_workers, sizes):
    jobs = [FakeJob(structure) for structure in structures]
    groups = list(group_jobs(jobs, most, num_workers))
    assert sorted(map(len, groups)) == sorted(sizes)
    assert sorted(map(id, (job for group in groups for job in group))) == sorted(map(id, jobs))
    assert all(len({job.structure() for job in group}) == 1 for group in groups)
