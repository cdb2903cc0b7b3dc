"""Directories of runs and sweeps as a report reads them."""

import re

import pytest

from dqn_exp.analysis.report import write_report
from dqn_exp.analysis.run_reader import read_sources, read_table
from dqn_exp.core.errors import ConfigError
from tests.sweep_files import report_of, rows_of, write_run, write_single, write_sweep


def test_runs_without_a_list_of_jobs_are_told_apart_by_their_configs(tmp_path):
    for seed in range(3):
        for gamma in (0.5, 0.9):
            folder = tmp_path / f"s/{gamma}/{seed}"
            write_single(folder, {100: gamma}, seed=seed, agent__gamma=gamma)
    report_of([tmp_path / "s"])
    rows = rows_of(tmp_path / "s")
    assert [(row["agent.gamma"], row["n"]) for row in rows] == [("0.9", "3"), ("0.5", "3")]


def test_references_in_the_config_of_a_run_are_replaced(tmp_path):
    for game in ("pong", "breakout"):
        write_single(tmp_path / game, {100: 1.0}, env__id="atari/${env.game}-v5", env__game=game)
    sources = read_sources([tmp_path / game for game in ("pong", "breakout")])
    found = [run.config["env.id"] for source in sources for run in source.runs]
    assert found == ["atari/pong-v5", "atari/breakout-v5"]
    write_single(tmp_path / "elsewhere", {100: 1.0}, name="${oc.env:NOT_SET_ON_THIS_MACHINE}")
    (run,) = read_sources([tmp_path / "elsewhere"])[0].runs
    assert run.config["name"] == "${oc.env:NOT_SET_ON_THIS_MACHINE}"


def test_a_folder_of_sweeps_is_refused(tmp_path):
    for name in "ab":
        write_sweep(tmp_path / name, {"seed": [1]}, lambda values: {100: 5.0})
    with pytest.raises(ConfigError, match="holds 2 sweeps; expected the directory of one"):
        report_of([tmp_path])
    with pytest.raises(ConfigError, match="is inside"):
        write_report([tmp_path / "a", tmp_path / "a/0_seed=1"], tmp_path / "c", compares=True)
    assert not (tmp_path / "report").exists() and not (tmp_path / "c").exists()


def test_damaged_files_are_named(tmp_path):
    write_sweep(tmp_path / "s", {"seed": [0, 1]}, lambda values: {100: 5.0})
    path = tmp_path / "s/0_seed=0/evaluations.csv"
    for rows in ("10,0,x,5.0,5\n", "10,0,3,5.0\n"):
        path.write_text(f"step,episode,seed,return,length\n{rows}")
        said = r"0_seed=0/evaluations\.csv: expected rows of 5 numbers"
        with pytest.raises(ConfigError, match=said):
            report_of([tmp_path / "s"])


def test_a_row_that_was_being_written_is_left_out(tmp_path):
    path = tmp_path / "evaluations.csv"
    path.write_text("step,episode,seed,return,length\n10,0,3,5.0,5\n10,1,5,7.0,7\n20,0,3,9.")
    assert read_table(path, 5).tolist() == [[10, 0, 3, 5, 5], [10, 1, 5, 7, 7]]
    assert read_table(tmp_path / "none.csv", 5).shape == (0, 5)


def test_directories_that_hold_no_run_are_told(tmp_path):
    with pytest.raises(ConfigError, match="expected the directory of a run or a sweep"):
        read_sources([tmp_path])
    write_run(tmp_path / "r", {10: 1.0})
    with pytest.raises(ConfigError, match="given twice"):
        read_sources([tmp_path, tmp_path / "r" / ".."])
    (tmp_path / "foreign/.hydra").mkdir(parents=True)
    (tmp_path / "foreign/.hydra/config.yaml").write_text("lr: 1\n")
    with pytest.raises(ConfigError, match=r"expected a run of dqn_exp; its .* of another program"):
        read_sources([tmp_path / "foreign"])


def test_results_of_other_programs_are_left_out_with_a_line(tmp_path, caplog):
    write_run(tmp_path / "r", {10: 1.0})
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign/result.json").write_text('{"loss": 1}')
    (source,) = read_sources([tmp_path])
    assert [run.name for run in source.runs] == ["r"]
    assert re.search(r"Left out: .*foreign/result.json: expected the result of a run", caplog.text)


def test_a_sweep_and_its_confirmation_are_compared(tmp_path):
    swept = {"agent.gamma": [0.9, 0.98], "seed": [0, 1]}
    write_sweep(tmp_path / "s", swept, lambda values: {100: 1.0})
    write_sweep(tmp_path / "s/confirmation", swept, lambda values: {100: 2.0})
    sources = read_sources([tmp_path / "s", tmp_path / "s/confirmation"])
    assert [(source.name, len(source.runs)) for source in sources] == [
        ("s", 4),
        ("s/confirmation", 4),
    ]
