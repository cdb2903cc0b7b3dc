"""Whoever trains a population, the numbers are the same."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from dqn_exp.config.conf_dir import conf_dir
from dqn_exp.core.errors import ConfigError
from dqn_exp.sweep.launcher import group_jobs
from dqn_exp.sweep.launcher_options import to_options
from tests.conftest import results_of
from tests.sweep.test_sweeper import SHORT, check_complete, table_of

# 24 runs of two structures.
SWEEP = ("seed=range(4)", "agent.gamma=0.9,0.95,0.99", "agent.n_step=1,3")
LAUNCHERS = {
    "processes": ("hydra/launcher=population_processes", "hydra.launcher.num_workers=2"),
    "slurm": (
        "hydra/launcher=population_slurm", "hydra.launcher.cluster=local",
        "hydra.launcher.num_workers=2", "hydra.launcher.cpus_per_task=1",
    ),
    "ray": ("hydra/launcher=population_ray", "hydra.launcher.num_workers=2"),
}  # fmt: skip

FAKE_SLURM = {
    # What submitit calls, for a cluster of one machine that begins every job at once.
    "sbatch": """\
        script = Path(sys.argv[-1])
        number = str(1 + len(list(here.glob("*.job"))))
        (here / f"{number}.job").write_text(script.read_text())
        environment = {**os.environ, "SLURM_JOB_ID": number, "SLURM_NTASKS": "1",
                       "SLURM_JOB_NUM_NODES": "1", "SLURM_NODEID": "0", "SLURM_PROCID": "0",
                       "SLURM_LOCALID": "0", "SLURM_JOB_NODELIST": "here"}
        job = subprocess.Popen(["bash", str(script)], env=environment, start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print("Submitted batch job", number)
        """,
    "srun": """\
        program = [word for word in sys.argv[1:] if not word.startswith("-")]
        while not program[0].endswith("python"):
            program.pop(0)
        os.execvp(program[0], program[:1] + sys.argv[sys.argv.index(program[0]) + 1:])
        """,
    "sacct": """\
        print("JobID|State|NodeList")
        for path in here.glob("*.job"):
            print(f"{path.stem}|RUNNING|here")
        """,
}


def defaults_of(executor: str) -> dict[str, Any]:
    """The options of a launcher as its YAML files have them."""
    folder, values = conf_dir() / "hydra/launcher", {}
    for name in ("population", f"population_{executor}"):
        if (folder / f"{name}.yaml").exists():
            values |= yaml.safe_load((folder / f"{name}.yaml").read_text())
    return {key: value for key, value in values.items() if key not in ("_target_", "defaults")}


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dqn_exp.train", *SHORT, *arguments],
        cwd=folder, capture_output=True, text=True, check=False, timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )  # fmt: skip


@pytest.fixture(scope="module")
def in_process(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("in_process")
    done = run(folder, "-m", *SWEEP, "hydra.sweep.dir=s")
    assert done.returncode == 0, done.stderr
    return folder / "s"


def check_same(sweep: Path, in_process: Path) -> None:
    assert (sweep / "sweep.csv").read_bytes() == (in_process / "sweep.csv").read_bytes()
    rows = table_of(in_process)
    assert len(rows) == 24
    for row in rows:
        check_complete(sweep / row["dir"])
        assert results_of(sweep / row["dir"]) == results_of(in_process / row["dir"])
        log = (sweep / row["dir"] / "train.log").read_text()
        assert log.count("evaluation episodes") == 2 and "Completed after 160 steps" in log


@pytest.mark.parametrize(
    "name", ["processes", "slurm", pytest.param("ray", marks=pytest.mark.slow)]
)
def test_24_runs_are_the_same_with_every_executor(tmp_path, in_process, name):
    done = run(tmp_path, "-m", *SWEEP, *LAUNCHERS[name], "hydra.sweep.dir=s")
    assert done.returncode == 0, done.stderr
    assert "Training 24 runs as 2 populations." in done.stdout
    check_same(tmp_path / "s", in_process)


def test_jobs_of_slurm_are_asked_for_as_the_options_say(tmp_path, in_process):
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name, body in FAKE_SLURM.items():
        lines = "\n".join(line.removeprefix(" " * 8) for line in body.splitlines())
        head = (
            "import os, subprocess, sys\nfrom pathlib import Path\nhere = Path(__file__).parent\n"
        )
        (bin_ / name).write_text(f"#!{sys.executable}\n{head}{lines}\n")
        (bin_ / name).chmod(0o755)
    options = (
        "hydra/launcher=population_slurm", "hydra.launcher.num_workers=3",
        "hydra.launcher.timeout_min=90", "hydra.launcher.cpus_per_task=1",
        "hydra.launcher.gpus_per_node=1", "+hydra.launcher.parameters.slurm_partition=fast",
    )  # fmt: skip
    path = f"{bin_}:{os.environ['PATH']}"
    done = run(tmp_path, "-m", *SWEEP, *options, "hydra.sweep.dir=s", PATH=path)
    assert done.returncode == 0, done.stderr
    check_same(tmp_path / "s", in_process)
    jobs = [file.read_text() for file in bin_.glob("*.job")]
    assert len(jobs) == 4  # Two structures, and all three workers busy.
    for text in jobs:
        for line in ("--time=90", "--cpus-per-task=1", "--gpus-per-node=1", "--partition=fast"):
            assert f"#SBATCH {line}" in text


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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"executor": "processes", "num_workers": 0}, "num_workers: expected at least 1, got 0"),
        ({"executor": "processes", "max_resubmissions": -1}, "expected at least 0, got -1"),
        (
            {"executor": "proceses"},
            "expected one of in_process, processes, slurm, ray, got proceses",
        ),
        ({"executor": "slurm", "cluster": "slurm"}, "there is no sbatch. Set it to local"),
    ],
)
def test_options_of_the_launcher_are_checked(settings, message, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match=message):
        to_options({**defaults_of(settings["executor"]), **settings})


@pytest.mark.parametrize(
    ("kind", "module"), [("processes", "loky"), ("slurm", "submitit"), ("ray", "ray")]
)
def test_an_extra_that_is_not_installed_is_named(monkeypatch, kind, module):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=rf"{module}, .* pip install 'dqn-exp\[{kind}\]'"):
        to_options(defaults_of(kind))


def test_each_gpu_has_a_worker_of_its_own(monkeypatch):
    import torch

    from dqn_exp.sweep.process_executor import ProcessExecutor

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    executor = ProcessExecutor(None, "cuda", num_cores=4)
    assert (executor.num_workers, executor.num_threads) == (2, 2)
    seen = []
    for index in range(2):
        worker = executor._alive(index)
        seen.append(worker.pool.submit(os.getenv, "CUDA_VISIBLE_DEVICES").result())
    executor.close()
    assert seen == ["2", "5"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert ProcessExecutor(None, "cuda", num_cores=4).num_workers == 3
    assert ProcessExecutor(None, "cpu", num_cores=4).num_workers == 4


def test_a_gpu_trains_what_it_should(tmp_path):
    import torch

    if not torch.cuda.is_available():
        pytest.skip("This machine has no GPU.")
    done = run(
        tmp_path, "-m", "seed=1,2", "device=cuda", *LAUNCHERS["processes"], "hydra.sweep.dir=s"
    )
    assert done.returncode == 0, done.stderr
