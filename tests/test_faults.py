"""What breaks, really broken: the run is marked, the others complete, the table is right."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.make import make_vector_env
from dqn_exp.files.failed_episode import load_failed_episode
from dqn_exp.files.ownership import grant_ownership
from dqn_exp.sweep import dispatcher, executor
from dqn_exp.sweep.process_executor import ProcessExecutor
from dqn_exp.training import trainer
from dqn_exp.training.playback import replay
from dqn_exp.training.population import Run, train_population
from dqn_exp.training.progress import NoProgress
from tests import probes
from tests.command import files_below, short, table_of
from tests.conftest import ignore_results, make_config, results_of, some_of, train_in_folders
from tests.resuming import SETTINGS, make_folders
from tests.stepping import single_steps

probes.register()


def is_broken(folder: Path) -> bool:
    return json.loads((folder / "result.json").read_text())["status"] == "failed"


@pytest.mark.parametrize("how", ["step", "reset"])
@pytest.mark.parametrize("breaks", ["training", "evaluation"])
def test_an_environment_that_raises_ends_its_own_run_alone(tmp_path, caplog, how, breaks):
    # Which episodes break follows from their seeds, and those from the seeds of the run.
    seeds = [{"seed": 0 if breaks == "evaluation" else i, "eval__seed": i} for i in range(6)]
    fragile = {"env__id": "ProbeFragile-v0", "env__kwargs": {"how": how, "one_in": 41}}
    if breaks == "evaluation":
        fragile |= {"eval__episodes": 5, "trainer__total_episodes": 3}
        fragile["env__kwargs"] = {"how": how, "one_in": 12}
    configs = [make_config(**{**SETTINGS, **fragile, **one}) for one in seeds]
    folders = make_folders(tmp_path / "together", len(configs))
    with caplog.at_level("INFO"):
        results = train_in_folders(configs, folders)
    statuses = Counter(result.status for result in results)
    assert statuses.keys() == {"completed", "failed"}, statuses
    assert "Traceback" in caplog.text and "probes.py" in caplog.text
    if breaks == "training":  # Evaluations of all runs are due, and fail, at once.
        assert re.search(r"The other (\d runs go|run goes) on\.", caplog.text)
    where = "at the reset of" if how == "reset" else "at step 1 of"
    errors = [result.error for result in results if result.status == "failed"]
    assert all(f"{where} {breaks} episode" in error for error in errors), errors
    for row, config in enumerate(configs):
        alone = make_folders(tmp_path / f"alone {row}", 1)
        (result,) = train_in_folders([config], alone)
        assert result.status == results[row].status
        found, expected = results_of(folders[row]), results_of(alone[0])
        if result.status == "failed":  # When it was last saved is a matter of the clock.
            assert f"raised RuntimeError: the environment is broken in its {how} (" in result.error
            found, expected = ({**one, "checkpoint.pt": b""} for one in (found, expected))
        assert found == expected


def test_the_log_of_a_run_whose_environment_raises_has_the_traceback(command, tmp_path):
    ended = command(
        "-m", "env.id=ProbeFragile-v0", "env.max_episode_steps=8", "seed=range(5)",
        "hydra.sweep.dir=s",
    )  # fmt: skip
    rows = table_of(tmp_path / "s")
    failed = [row for row in rows if row["status"] == "failed"]
    assert 0 < len(failed) < 5 and {row["status"] for row in rows} == {"completed", "failed"}
    assert ended.status == 1 and f"{5 - len(failed)} of 5 runs completed." in ended.out
    lines = ended.err.splitlines()
    for row, line in zip(failed, lines, strict=False):
        where = f"s/{row['dir']}/train.log"
        reason = "ProbeFragile-v0 raised RuntimeError: the environment is broken in its step (pr"
        assert line.startswith(f"Run {row['job']} (seed={row['seed']}) failed: {reason}")
        again = f"Play it again with: python -m dqn_exp.watch s/{row['dir']} --failed"
        assert line.endswith(f"). See {where}. {again}")
        assert "Traceback" in (tmp_path / where).read_text()
    for row in rows:
        if row["status"] == "completed":
            assert "Traceback" not in (tmp_path / "s" / row["dir"] / "train.log").read_text()


def test_a_failed_evaluation_is_played_again_in_its_own_environment(command, tmp_path):
    ended = command(
        "env.id=tests.probes:ProbeFragile-v0", "env.kwargs={one_in: 1000000007}",
        "eval.env_kwargs={one_in: 5}", "env.max_episode_steps=8", "hydra.run.dir=s",
    )  # fmt: skip
    assert ended.status == 1 and "of evaluation episode 0 (seed " in ended.err
    failed = load_failed_episode(tmp_path / "s")
    assert failed.env["kwargs"] == {"one_in": 5}
    _, steps = replay(tmp_path / "s")
    with pytest.raises(RuntimeError, match="the environment is broken in its step"):
        list(steps)


def test_a_directory_that_vanishes_fails_its_run_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "FLUSH_SECONDS", 0.0)
    configs = [make_config(**{**SETTINGS, "seed": seed}) for seed in range(3)]
    peace, folders = make_folders(tmp_path / "peace", 3), make_folders(tmp_path / "broken", 3)
    train_in_folders(configs, peace)
    count = iter(range(10**9))

    def remove() -> bool:
        if next(count) == 60:
            shutil.rmtree(folders[1])
        return False

    results = train_in_folders(configs, folders, remove)
    assert [result.status for result in results] == ["completed", "failed", "completed"]
    assert results[1].error.startswith("FileNotFoundError:") and results[1].steps < 200
    assert not folders[1].exists()
    for row in (0, 2):
        assert results_of(folders[row]) == results_of(peace[row])


def test_the_table_of_the_sweep_tells_of_a_directory_that_has_vanished(
    command, tmp_path, monkeypatch
):  # fmt: skip
    advance, ticks = trainer.Trainer.advance, iter(range(10**9))

    def ticking(self) -> None:
        if next(ticks) == 60:
            shutil.rmtree(tmp_path / "s/1_seed=2")
        advance(self)

    monkeypatch.setattr(trainer.Trainer, "advance", ticking)
    with single_steps():
        ended = command("-m", "seed=1,2,3", "hydra.sweep.dir=s")
    assert ended.status == 1 and ended.err.startswith("Run 1 (seed=2) failed: FileNotFoundError:")
    statuses = [row["status"] for row in table_of(tmp_path / "s")]
    assert statuses == ["completed", "failed", "completed"]
    assert not (tmp_path / "s/1_seed=2").exists() and "Logging error" not in ended.err


@pytest.mark.parametrize("most_bytes", [60_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_disk_that_is_full_fails_the_run_that_needs_more_and_can_be_tried_again(
    most_bytes, tmp_path, command, resumed
):  # fmt: skip
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    sweep = (
        "-m", "network.hidden_sizes=[8]", "buffer.capacity=300,10_000",
        "trainer.total_steps=4_000", "checkpoint.every_steps=300", "eval.every_steps=2_000",
    )  # fmt: skip
    assert command(*sweep, "hydra.sweep.dir=peace").status == 0
    full = subprocess.run(
        [sys.executable, "-m", "dqn_exp.train", *short(*sweep, "hydra.sweep.dir=full")],
        cwd=tmp_path, preexec_fn=limit, capture_output=True, text=True, check=False,
    )  # fmt: skip
    first, second = full.stderr.splitlines()[:2]
    assert full.returncode == 1 and "Traceback" not in full.stderr, full
    assert "File too large" in first + second
    rows = table_of(tmp_path / "full")
    assert [row["status"] for row in rows] == ["completed", "failed"]
    big = tmp_path / "full" / rows[1]["dir"]
    result = json.loads((big / "result.json").read_text())
    assert result["status"] == "failed" and "File too large" in result["error"]
    # How far it has come depends on the disk: saving on the way takes 5% of the time at most.
    assert not list(big.glob(".*.[0-9]*"))
    assert "File too large" in (big / "train.log").read_text()
    again = resumed("full", "--retry-failed")
    assert again.status == 0, again
    for row in rows:
        peace = results_of(tmp_path / "peace" / row["dir"])
        assert results_of(tmp_path / "full" / row["dir"]) == peace


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "dqn_exp.train", *short(*arguments)],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1"},
        start_new_session=True,
    )  # fmt: skip


def end_of(process: subprocess.Popen) -> tuple[str, str]:
    """Waits for the end of a process; returns what it has written."""
    try:
        return process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGABRT)  # All its processes say where they are.
        pytest.fail("\n".join(process.communicate()))


def wait_for(process: subprocess.Popen, condition) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def children_of(pid: int) -> Iterator[int]:
    """The processes that a process has started and that run the code of a worker of loky."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = (path / "stat").read_text().rsplit(")", 1)[1].split()[1]
            if int(parent) == pid and b"popen_loky" in (path / "cmdline").read_bytes():
                yield int(path.name)
        except OSError:
            continue


ROOT = Path(__file__).parent.parent
LONG = ("trainer.total_steps=200_000", "eval.every_steps=100_000", "checkpoint.every_steps=100")
ENDLESS = ("trainer.total_steps=1_000_000", "checkpoint.every_steps=50")
TWO_WORKERS = ("hydra/launcher=population_processes", "hydra.launcher.num_workers=2")


def wait_for_checkpoints(process: subprocess.Popen, sweep: Path, count: int) -> dict[Path, int]:
    """Waits until all runs of a sweep can go on; returns the steps that they have made."""
    steps: dict[Path, int] = {}

    def can_go_on() -> bool:
        results = sweep.glob("*/result.json")
        steps.update({path.parent: json.loads(path.read_text())["steps"] for path in results})
        return len(steps) == count and min(steps.values()) > 0

    wait_for(process, can_go_on)
    return steps


def worker_of(run: Path) -> int:
    """The process that trains a run, of which the name of its event file tells."""
    return int(next(run.glob("events.out.tfevents.*")).name.split(".")[-2])


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_what_its_runs_did_since_their_checkpoints(tmp_path):
    process = start(tmp_path, "-m", "seed=range(4)", "hydra.sweep.dir=s", *LONG, *TWO_WORKERS)
    steps = wait_for_checkpoints(process, tmp_path / "s", 4)
    # One worker may be well ahead of the other, and even have ended.
    worker = worker_of(min(steps, key=steps.__getitem__))
    assert worker in children_of(process.pid)
    os.kill(worker, signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out, err)
    assert out.count("ended with SIGKILL(-9). They resume") == 1 and "4 of 4 runs" in out
    configs = [path.parent for path in sorted((tmp_path / "s").glob("*/result.json"))]
    logs = [(folder / "train.log").read_text() for folder in configs]
    assert sum("Resuming from the checkpoint at step" in log for log in logs) == 2
    quiet = start(tmp_path, "-m", "seed=range(4)", "hydra.sweep.dir=peace", *LONG)
    assert quiet.wait(timeout=120) == 0
    quiet.communicate()
    for folder in configs:
        assert results_of(folder) == results_of(tmp_path / "peace" / folder.name)


@pytest.mark.slow
def test_a_run_that_kills_its_worker_again_and_again_is_marked_and_the_others_complete(tmp_path):
    fragile = ("env.id=tests.probes:ProbeFragile-v0", "env.max_episode_steps=8", "seed=range(6)")
    short = ("trainer.total_steps=80", "-m", *fragile)
    statuses = {}
    for how, workers in (("step", ()), ("kill", TWO_WORKERS)):
        kwargs = f"env.kwargs={{how: {how}, one_in: 14}}"
        process = start(tmp_path, *short, kwargs, f"hydra.sweep.dir={how}", *workers)
        out, err = process.communicate(timeout=240)
        assert process.returncode == 1, (out, err)
        statuses[how] = [row["status"] for row in table_of(tmp_path / how)]
    # Those whose own environments break are marked, and no other.
    assert statuses["kill"] == statuses["step"]
    assert min(statuses["kill"].count(one) for one in ("completed", "failed")) >= 2
    lost = "failed: A worker with only this run was lost 3 times; the last one died: process"
    for row in table_of(tmp_path / "kill"):
        is_listed = f"Run {row['job']} (seed={row['seed']}) {lost}" in err
        assert is_listed == (row["status"] == "failed")
        assert is_broken(tmp_path / "kill" / row["dir"]) == is_listed


@pytest.mark.parametrize(
    ("number", "launcher"),
    some_of(
        [(signal.SIGTERM, TWO_WORKERS)],
        [signal.SIGINT, signal.SIGTERM],
        [(), TWO_WORKERS],
    ),
)
def test_a_signal_ends_workers_at_their_next_step_with_checkpoints(
    tmp_path, resumed, number, launcher
):  # fmt: skip
    process = start(tmp_path, "-m", "seed=1,2,3", "hydra.sweep.dir=s", *ENDLESS, *launcher)
    wait_for_checkpoints(process, tmp_path / "s", 3)
    process.send_signal(number)
    out, err = end_of(process)
    assert process.returncode == 130, (out, err)
    # A process of loky's that outlives ours may warn of what the workers have left.
    told = [line for line in err.splitlines() if "warn" not in line.lower() and line]
    assert told[-1] == "Interrupted. Resume with: python -m dqn_exp.resume s"
    assert [row["status"] for row in table_of(tmp_path / "s")] == ["interrupted"] * 3
    plan = resumed("s", "--dry-run").out.splitlines()[:-1]
    steps = {f"s/{p.parent.name}": json.loads(p.read_text())["steps"]
             for p in (tmp_path / "s").glob("*/result.json")}  # fmt: skip
    assert sorted(plan) == sorted(f"resume {run}, from step {step}" for run, step in steps.items())


@pytest.mark.slow
def test_workers_end_when_their_sweep_was_killed_and_it_can_go_on(tmp_path, resumed):
    process = start(tmp_path, "-m", "seed=range(4)", "hydra.sweep.dir=s", *ENDLESS, *TWO_WORKERS)
    wait_for_checkpoints(process, tmp_path / "s", 4)
    workers = list(children_of(process.pid))
    assert len(workers) == 2
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    plan = resumed("s", "--dry-run")
    assert plan.status == 0 and plan.out.count("resume s/") == 4, plan
    process.communicate(timeout=20)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.4, 1.2])
def test_ctrl_c_while_workers_begin_fails_no_run(tmp_path, seconds):
    process = start(tmp_path, "-m", "seed=range(4)", "hydra.sweep.dir=s", *ENDLESS, *TWO_WORKERS)
    wait_for(process, (tmp_path / "s/sweep.csv").exists)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)  # As a terminal does, to all of them.
    out, err = end_of(process)
    assert process.returncode == 130 and "resume s" in err, (out, err)
    statuses = {row["status"] for row in table_of(tmp_path / "s")}
    assert statuses <= {"pending", "interrupted"}


def test_a_worker_that_cannot_be_started_is_tried_again(command, tmp_path, monkeypatch):
    submit, times = executor.InProcessExecutor.submit, iter(range(10))

    def submit_later(self, *arguments):
        if next(times) == 0:
            raise RuntimeError("sbatch: error: QOSMaxSubmitJobPerUserLimit")
        return submit(self, *arguments)

    monkeypatch.setattr(executor.InProcessExecutor, "submit", submit_later)
    ended = command("-m", "seed=1,2,3", "hydra.sweep.dir=s")
    assert ended.status == 0 and "3 of 3 runs completed." in ended.out, ended
    assert "could not be started: sbatch: error: QOSMax" in ended.out


def test_a_population_waits_where_a_cluster_takes_one_at_a_time(command, tmp_path, monkeypatch):
    submit, tasks = ProcessExecutor.submit, []

    def submit_one(self, *arguments):
        if any(not task.is_done() for task in tasks):
            raise RuntimeError("sbatch: error: QOSMaxSubmitJobPerUserLimit")
        tasks.append(submit(self, *arguments))
        return tasks[-1]

    monkeypatch.setattr(ProcessExecutor, "submit", submit_one)
    sweep = ("-m", "seed=range(6)", "hydra.sweep.dir=s", "hydra.launcher.max_population_size=1")
    ended = command(*sweep, *TWO_WORKERS)
    assert ended.status == 0 and "6 of 6 runs completed." in ended.out, ended
    assert len(tasks) == 6


def test_runs_fail_if_no_worker_can_ever_be_started(command, tmp_path, monkeypatch):
    def refuse(self, *arguments):
        raise RuntimeError("sbatch: error: no such partition")

    monkeypatch.setattr(executor.InProcessExecutor, "submit", refuse)
    monkeypatch.setattr(dispatcher, "RETRY_SECONDS", (0.01, 0.01))
    ended = command("-m", "seed=1,2", "hydra.sweep.dir=s")
    assert ended.status == 1 and ended.out.count("could not be started: sbatch") == 3, ended
    error = "No worker could be started: sbatch: error: no such partition"
    for row in table_of(tmp_path / "s"):
        result = json.loads((tmp_path / "s" / row["dir"] / "result.json").read_text())
        assert result["status"] == row["status"] == "failed"
        assert result["error"] == error, result


def test_a_worker_that_was_given_up_touches_its_runs_no_more(tmp_path):
    config = make_config(**SETTINGS)
    (folder,) = make_folders(tmp_path, 1)
    seen, count = {}, iter(range(10**9))

    def should_stop() -> bool:
        if next(count) == 60:
            grant_ownership(folder, "of another")
            seen.update(files_below(folder))
        return False

    grant_ownership(folder, "its own")
    run = Run(config, folder, {}, token="its own")
    with single_steps():
        (result,) = train_population([run], ignore_results, should_stop, NoProgress())
    assert result.status == "failed" and "given to another worker" in result.error
    assert files_below(folder) == seen
    # Nor does one that begins late, after it was given up.
    (late,) = train_population([run], ignore_results, lambda: False, NoProgress())
    assert late.status == "failed" and files_below(folder) == seen
    other = Run(config, folder, {}, token="of another")
    (result,) = train_population([other], ignore_results, lambda: False, NoProgress())
    assert result.status == "completed"
    peace = make_folders(tmp_path / "peace", 1)
    train_in_folders([config], peace)
    assert results_of(folder) == results_of(peace[0])


def test_errors_of_environments_stay_with_their_runs_when_others_retire():
    environments = make_vector_env(
        EnvArguments("ProbeFragile-v0", 8, {"how": "reset", "one_in": 1}), 4
    )
    environments.reset(np.array([1, 3]), np.array([5, 6]))
    assert environments.errors.keys() == {1, 3}
    third = environments.errors[3]
    environments.retire(0)
    assert environments.errors.keys() == {1, 0} and environments.errors[0] is third
    environments.retire(1)
    assert environments.errors.keys() == {0}
