"""What the README claims, at full length: long checks, run by hand with `scripts/test -m slow`."""

import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import results_of
from tests.sweep.test_sweeper import check_complete, table_of

pytestmark = pytest.mark.slow


def run(folder: Path, *arguments: str, num_files: int | None = None) -> tuple[str, int]:
    """Runs the command; returns its output and its peak memory in bytes."""

    def limit() -> None:
        if num_files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (num_files, num_files))

    process = subprocess.Popen(
        [sys.executable, "-m", "dqn_exp.train", *arguments],
        cwd=folder, preexec_fn=limit, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout as stream:
        out = stream.read()
    # Unlike Popen's own wait, this one tells the peak memory of that process alone.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, out
    return out, usage.ru_maxrss * 1024


def test_ten_seeds_of_the_book_learn(tmp_path):
    run(tmp_path, "-m", "experiment=book", "seed=range(10)", "hydra.sweep.dir=s")
    means = []
    for row in table_of(tmp_path / "s"):
        with (tmp_path / "s" / row["dir"] / "episodes.csv").open() as file:
            returns = [float(episode["return"]) for episode in csv.DictReader(file)]
        assert len(returns) == 500
        means.append(statistics.mean(returns[450:]))
    print(f"mean {statistics.mean(means):.1f}, lowest {min(means):.1f}")
    assert statistics.mean(means) >= 188 and min(means) >= 150


def test_ten_seeds_of_a_recipe_all_but_solve_cartpole(tmp_path):
    run(tmp_path, "-m", "experiment=double", "seed=range(10)", "hydra.sweep.dir=s")
    objectives = [float(row["objective"]) for row in table_of(tmp_path / "s")]
    print(f"mean {statistics.mean(objectives):.1f}, lowest {min(objectives):.1f}")
    assert statistics.mean(objectives) >= 490


def test_81_runs_are_one_population_and_each_is_the_same_alone(tmp_path):
    out, _ = run(tmp_path, "-m", "experiment=book_sweep", "hydra.sweep.dir=s")
    assert "Training 81 runs as 1 population." in out
    rows = table_of(tmp_path / "s")
    assert len(rows) == 81
    for row in rows:
        check_complete(tmp_path / "s" / row["dir"])
    row = rows[38]
    keys = ("agent.gamma", "agent.epsilon", "agent.target_update_period", "buffer.capacity")
    length = ("trainer.total_steps=20_000", "trainer.total_episodes=null")
    own = [f"{key}={row[key]}" for key in keys]
    for name in ("once", "twice"):
        run(tmp_path, "experiment=book", *length, *own, f"hydra.run.dir={name}")
        assert results_of(tmp_path / name) == results_of(tmp_path / "s" / row["dir"])


def test_memory_grows_by_what_the_runs_learn_with(tmp_path):
    peaks = {}
    for count in (32, 256):
        arguments = (f"seed=range({count})", "trainer.total_steps=10_200", "eval.every_steps=null")
        _, peaks[count] = run(tmp_path, "-m", *arguments, f"hydra.sweep.dir={count}")
    grown, more = peaks[256] - peaks[32], 256 - 32
    buffer, parameters = 10_000 * (4 + 4 + 3) * 4, (4 * 128 + 128 + 128 * 2 + 2) * 4
    print(f"{grown / more / 1e6:.2f} MB a run")
    assert grown <= 1.2 * more * (buffer + 6 * parameters) + 200e6


def test_a_thousand_short_runs_need_few_open_files(tmp_path):
    arguments = ("-m", "experiment=smoke", "seed=range(1000)", "trainer.total_steps=200")
    run(tmp_path, *arguments, "eval.every_steps=null", "hydra.sweep.dir=s", num_files=1024)
    assert [row["status"] for row in table_of(tmp_path / "s")] == ["completed"] * 1000
    for row in table_of(tmp_path / "s")[::100]:
        result = json.loads((tmp_path / "s" / row["dir"] / "result.json").read_text())
        assert result["steps"] == 200


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job"]])
def test_help_is_there_within_a_second(tmp_path, arguments):
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        run(tmp_path, *arguments)
        seconds.append(time.perf_counter() - began)
    print(f"{statistics.median(seconds):.2f} s")
    assert statistics.median(seconds) <= 1
