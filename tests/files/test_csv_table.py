import csv
import os
import zlib

import pytest

from dqn_exp.files.csv_table import CsvTable, Mark, problem_of


def test_rows_are_written_when_flushed_and_read_back_as_they_were(tmp_path):
    file = CsvTable(tmp_path / "some.csv", "step,return")
    values = [(1, 0.1), (2, -1e-17), (3, 200.0), (2**40, float("inf"))]
    for row in values:
        file.add(*row)
    assert (tmp_path / "some.csv").read_text() == "step,return\n"
    file.flush()
    file.flush()
    with (tmp_path / "some.csv").open() as text:
        rows = list(csv.reader(text))[1:]
    assert [(int(step), float(value)) for step, value in rows] == values


def test_a_file_is_cut_back_to_its_mark_and_goes_on_from_there(tmp_path):
    path = tmp_path / "some.csv"
    file = CsvTable(path, "step")
    file.add(1)
    file.flush()
    mark = file.mark
    assert mark == Mark(len("step\n1\n"), zlib.crc32(b"step\n1\n"))
    file.add(2)
    file.flush()
    with path.open("a") as torn:
        torn.write("3,half a r")
    again = CsvTable(path, "step", mark)
    again.add(5)
    again.flush()
    assert path.read_text() == "step\n1\n5\n" and again.mark.checksum == zlib.crc32(b"step\n1\n5\n")
    CsvTable(path, "step")
    assert path.read_text() == "step\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "expected a file of at least 7 bytes: No such file"),
        ("step\n", r"expected at least the 7 bytes .*, found 5: rows are missing"),
        ("step\n2\n", "its first 7 bytes differ from those"),
    ],
)
def test_a_file_that_does_not_fit_its_mark_is_refused(tmp_path, content, message):
    path = tmp_path / "some.csv"
    file = CsvTable(path, "step")
    file.add(1)
    file.flush()
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert problem_of(path, file.mark) is not None
    with pytest.raises(ValueError, match=message):
        CsvTable(path, "step", file.mark)
    assert (path.read_text() if path.exists() else None) == content


def test_a_row_that_cannot_be_written_whole_leaves_nothing_behind(tmp_path, monkeypatch):
    file = CsvTable(tmp_path / "some.csv", "step")
    write = os.write

    def full(descriptor, content):
        if len(content) > 3:
            return write(descriptor, content[:3])
        raise OSError(28, "No space left on device")

    file.add(123456)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        file.flush()
    assert (tmp_path / "some.csv").read_text() == "step\n"
    monkeypatch.undo()
    file.flush()  # When there is space again, nothing is lost.
    assert (tmp_path / "some.csv").read_text() == "step\n123456\n"


def test_a_file_that_has_vanished_is_not_made_anew(tmp_path):
    file = CsvTable(tmp_path / "some.csv", "step")
    (tmp_path / "some.csv").unlink()
    file.add(1)
    with pytest.raises(FileNotFoundError):
        file.flush()


def test_rows_flushed_before_are_on_the_disk_too_when_that_is_asked(tmp_path, monkeypatch):
    synced = []
    file = CsvTable(tmp_path / "some.csv", "step")
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(file.mark.size))
    file.add(1)
    file.flush()
    assert synced == []
    file.flush(is_durable=True)
    file.flush(is_durable=True)
    assert len(synced) == 1
