import pytest

from dqn_exp.files.directories import (
    duplicates,
    job_directory_name,
    problems_of_run_directory,
    problems_of_sweep_directory,
    shorten,
)


@pytest.mark.parametrize(
    ("overrides", "swept", "expected"),
    [
        (["agent.gamma=0.9", "seed=1"], None, "3_gamma=0.9,seed=1"),
        (["agent.gamma=0.9", "seed=1"], ["seed"], "3_seed=1"),
        (["experiment=book", "seed=1"], None, "3_seed=1"),
        (["network.hidden_sizes=[64, 64]"], None, "3_hidden_sizes=64,64"),
        (["agent.learning_rate=0.00123456789"], None, "3_learning_rate=0.001235"),
        (["env.id=a/b:C-v0"], None, "3_id=a-b-C-v0"),
        ([], None, "3"),
    ],
)
def test_a_job_is_named_after_its_number_and_swept_values(overrides, swept, expected):
    assert job_directory_name(3, overrides, swept) == expected


def test_long_names_are_cut_between_characters():
    name = job_directory_name(3, ["env.id=" + "ä" * 300], None)
    assert len(name.encode()) <= 120 and name.startswith("3_id=ää")


def test_a_directory_with_a_run_or_a_sweep_is_refused(tmp_path):
    assert problems_of_run_directory(tmp_path / "new", "k") == []
    (tmp_path / "result.json").touch()
    assert "already holds a run" in problems_of_run_directory(tmp_path, "k")[0]
    (tmp_path / "result.json").rename(tmp_path / "sweep.csv")
    assert "already holds a sweep" in problems_of_run_directory(tmp_path, "k")[0]
    assert "already holds a sweep" in problems_of_sweep_directory(tmp_path, "k")[0]


def test_a_sweep_needs_an_empty_directory(tmp_path):
    (tmp_path / ".jobs.jsonl.17").touch()  # Of a sweep that was killed before it began.
    assert problems_of_sweep_directory(tmp_path, "k") == []
    (tmp_path / "notes.txt").touch()
    assert "expected an empty or a new directory" in problems_of_sweep_directory(tmp_path, "k")[0]


def test_what_cannot_be_created_is_refused(tmp_path):
    (tmp_path / "file").touch()
    assert "is not a directory" in problems_of_run_directory(tmp_path / "file/run", "k")[0]
    assert "at most 255 bytes" in problems_of_run_directory(tmp_path / ("x" * 256), "k")[0]


def test_paths_are_shown_relative_to_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(shorten(tmp_path / "a/b")) == "a/b"
    assert shorten(tmp_path.parent) == tmp_path.parent
    assert duplicates([tmp_path, tmp_path / "a", tmp_path]) == [tmp_path]
