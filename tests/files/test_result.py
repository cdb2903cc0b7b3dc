import json

import pytest

from dqn_exp.files.result import Result, read_result


def test_a_result_is_read_as_it_was_written(tmp_path):
    assert read_result(tmp_path) is None
    result = Result("completed", 3, "abc", objective=200.0, cpu="X", versions={"numba": "1"})
    result.write(tmp_path)
    assert read_result(tmp_path) == result and result.has_ended


def test_numbers_that_json_does_not_know_are_null(tmp_path):
    Result("diverged", 3, "abc", objective=float("nan")).write(tmp_path)
    assert json.loads((tmp_path / "result.json").read_text())["objective"] is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"status": "running"}'])
def test_a_foreign_file_is_an_error_with_a_remedy(tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(ValueError, match=r"result\.json: expected the result of a run, got"):
        read_result(tmp_path)


@pytest.mark.parametrize("status", ["running", "interrupted"])
def test_other_runs_are_not_over(status):
    assert not Result(status, 0, "abc").has_ended
