"""Results as tables of pandas."""

import pytest

from dqn_exp.analysis.run_tables import read_tables
from dqn_exp.core.errors import ConfigError
from tests.sweep_files import SWEPT, returns_of, write_run, write_sweep


def test_a_run_is_a_row_and_its_evaluations_are_rows_with_its_name(tmp_path):
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    tables = read_tables([tmp_path / "s"])
    runs, evaluations = tables["runs"], tables["evaluations"]
    assert len(runs) == 30 and set(runs["status"]) == {"completed"}
    assert {"agent.gamma", "agent.epsilon", "seed", "objective", "steps"} <= set(runs.columns)
    assert len(evaluations) == 30 * 3 * 2 and set(evaluations["run"]) == set(runs.index)
    finals = evaluations[evaluations["step"] == 300].groupby("run")["return"].mean()
    for name, row in runs.iterrows():
        values = {key: row[key] for key in ("agent.gamma", "agent.epsilon", "seed")}
        assert finals[name] == pytest.approx(returns_of(values)[300])
        assert row["objective"] == pytest.approx(returns_of(values)[300])


def test_large_seeds_keep_all_digits(tmp_path):
    write_run(tmp_path / "r", {10: 1.0})
    table = "step,episode,seed,return,length\n10,0,9007199254740993,1.0,5\n"
    (tmp_path / "r/evaluations.csv").write_text(table)
    assert read_tables([tmp_path])["evaluations"]["seed"].tolist() == [9007199254740993]


def test_a_directory_without_runs_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="expected the directory of a run or a sweep"):
        read_tables([tmp_path])
