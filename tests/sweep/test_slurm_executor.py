"""Populations as jobs of SLURM."""

import os
import sys

from tests.command import table_of
from tests.sweep.executors import run

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


def test_jobs_of_slurm_are_asked_for_as_the_options_say(tmp_path):
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
        "hydra/launcher=population_slurm", "hydra.launcher.num_workers=2",
        "hydra.launcher.timeout_min=90", "hydra.launcher.cpus_per_task=1",
        "hydra.launcher.gpus_per_node=1", "+hydra.launcher.parameters.slurm_partition=fast",
    )  # fmt: skip
    path = f"{bin_}:{os.environ['PATH']}"
    done = run(tmp_path, "-m", "seed=1,2,3", *options, "hydra.sweep.dir=s", PATH=path)
    assert done.returncode == 0, done.stderr
    assert [row["status"] for row in table_of(tmp_path / "s")] == ["completed"] * 3
    jobs = [file.read_text() for file in bin_.glob("*.job")]
    assert len(jobs) == 2  # One structure, and both workers busy.
    for text in jobs:
        for line in ("--time=90", "--cpus-per-task=1", "--gpus-per-node=1", "--partition=fast"):
            assert f"#SBATCH {line}" in text
