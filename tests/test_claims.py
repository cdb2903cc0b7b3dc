"""What the README claims, at full length: long checks, run by hand with `scripts/test -m slow`."""

import csv
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from scipy import stats

from tests.command import check_complete, table_of
from tests.conftest import results_of

pytestmark = pytest.mark.slow

REFERENCE = Path(__file__).parent.parent / "scripts/reference_dqn.c"
NUM_SEEDS = 40
SIGNIFICANT = 0.01


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


def book_returns(folder: Path) -> list[float]:
    """The mean return of episodes 451 to 500 of each of 40 seeds."""
    run(folder, "-m", "experiment=book", f"seed=range({NUM_SEEDS})", "hydra.sweep.dir=s")
    means = []
    for row in table_of(folder / "s"):
        with (folder / "s" / row["dir"] / "episodes.csv").open() as file:
            returns = [float(episode["return"]) for episode in csv.DictReader(file)]
        assert len(returns) == 500
        means.append(statistics.mean(returns[450:]))
    return means


def reference_returns(folder: Path) -> list[float]:
    """The same of an independent program in C, with other random numbers."""
    program = folder / "reference_dqn"
    flags = ("-O3", "-march=native", "-ffast-math")
    subprocess.run(["gcc", *flags, REFERENCE, "-o", program, "-lm"], check=True)
    command = [program, "0", str(NUM_SEEDS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [float(line.split()[1]) for line in done.stdout.splitlines()]


def check_same_distribution(values: list[float], others: list[float], poor: float) -> None:
    """Neither ranks nor the share of poor runs tell the two apart."""
    ranks = stats.mannwhitneyu(values, others).pvalue
    table = [[sum(one < poor for one in group), len(group)] for group in (values, others)]
    shares = stats.fisher_exact([[few, count - few] for few, count in table]).pvalue
    for group, (few, count) in zip((values, others), table, strict=True):
        print(f"mean {statistics.mean(group):.1f}, median {statistics.median(group):.1f},", end=" ")
        print(f"lowest {min(group):.1f}, {few} of {count} below {poor}")
    print(f"Mann-Whitney p = {ranks:.2g}, Fisher p = {shares:.2g}")
    assert ranks > SIGNIFICANT and shares > SIGNIFICANT


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
def test_returns_of_the_book_are_distributed_as_those_of_an_independent_program(tmp_path):
    check_same_distribution(book_returns(tmp_path), reference_returns(tmp_path), poor=160)


def test_both_engines_learn_alike(tmp_path):
    objectives = {}
    for engine in ("native", "torch"):
        recipe = ("-m", "experiment=double", f"seed=range({NUM_SEEDS})", f"engine={engine}")
        run(tmp_path, *recipe, f"hydra.sweep.dir={engine}")
        objectives[engine] = [float(row["objective"]) for row in table_of(tmp_path / engine)]
    check_same_distribution(objectives["native"], objectives["torch"], poor=475)


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
        arguments = (f"seed=range({count})", "trainer.total_steps=10_200", "report=false")
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
