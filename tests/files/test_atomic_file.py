import os

import pytest

from dqn_exp.files.atomic_file import remove_remains, replaced_durably, write_atomically


def test_content_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a"
    write_atomically(path, b"old")

    def fail(descriptor):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="disk full"):
            write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new" and os.listdir(tmp_path) == ["a"]


def test_the_previous_content_is_kept_and_stays_if_writing_fails(tmp_path):
    path, previous = tmp_path / "a", tmp_path / "b"
    for content in (b"1", b"2"):
        with replaced_durably(path, previous) as file:
            file.write(content)
    with pytest.raises(RuntimeError), replaced_durably(path, previous) as file:
        file.write(b"half")
        raise RuntimeError
    assert (path.read_bytes(), previous.read_bytes()) == (b"2", b"1")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_remains_of_killed_processes_are_removed(tmp_path):
    for name in ("a", ".a.17", ".a.18", ".b.17"):
        (tmp_path / name).touch()
    remove_remains(tmp_path / "a")
    assert sorted(os.listdir(tmp_path)) == [".b.17", "a"]
