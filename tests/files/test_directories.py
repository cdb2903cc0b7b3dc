import pytest

from dqn_exp.core.errors import ConfigError
from dqn_exp.files.directories import (
    duplicates,
    make_directory,
    problems_of_nesting,
    problems_of_run_directory,
    problems_of_sweep_directory,
    quote,
    shorten,
)
from dqn_exp.files.result import Result


def test_a_directory_with_a_run_or_a_sweep_is_refused(tmp_path):
    assert problems_of_run_directory(tmp_path / "new", "k") == []
    (tmp_path / "result.json").touch()
    assert "a result.json that is not of dqn_exp" in problems_of_run_directory(tmp_path, "k")[0]
    for status, told in (("interrupted", "or resume it with"), ("completed", "go on to N steps")):
        Result(status, 3, "hash").write(tmp_path)
        (problem,) = problems_of_run_directory(tmp_path, "k")
        assert problem.startswith(f"k: {tmp_path} already holds a") and told in problem
    (tmp_path / "result.json").rename(tmp_path / "sweep.csv")
    assert "already holds a sweep" in problems_of_run_directory(tmp_path, "k")[0]
    assert "already holds a sweep" in problems_of_sweep_directory(tmp_path, "k")[0]


def test_a_run_in_the_directory_of_a_sweep_is_refused(tmp_path):
    (tmp_path / "jobs.jsonl").touch()
    (problem,) = problems_of_nesting(tmp_path / "a/b", "k")
    assert "which holds a sweep. Choose a directory outside it." in problem
    assert problems_of_nesting(tmp_path.parent / "other", "k") == []


def test_a_sweep_needs_an_empty_directory(tmp_path):
    (tmp_path / ".jobs.jsonl.17").touch()  # Of a sweep that was killed before it began.
    assert problems_of_sweep_directory(tmp_path, "k") == []
    (tmp_path / "notes.txt").touch()
    assert "expected an empty or a new directory" in problems_of_sweep_directory(tmp_path, "k")[0]


def test_what_cannot_be_created_is_refused(tmp_path):
    (tmp_path / "file").touch()
    assert "is not a directory" in problems_of_run_directory(tmp_path / "file/run", "k")[0]
    assert "at most 255 bytes" in problems_of_run_directory(tmp_path / ("x" * 256), "k")[0]
    deep = tmp_path.joinpath(*["y" * 100] * 50)
    assert "at most 4000 bytes, got 5" in problems_of_run_directory(deep, "k")[0]
    with pytest.raises(ConfigError, match=r"^k: .* cannot be created: Not a directory\.$"):
        make_directory(tmp_path / "file/run", "k")


def test_paths_are_quoted_where_a_shell_needs_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [quote(tmp_path / name) for name in ("a", "a b", "x=1,y")] == ["a", "'a b'", "x=1,y"]


def test_paths_are_shown_relative_to_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(shorten(tmp_path / "a/b")) == "a/b"
    assert shorten(tmp_path.parent) == tmp_path.parent
    assert duplicates([tmp_path, tmp_path / "a", tmp_path]) == [tmp_path]
