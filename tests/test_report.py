"""The command that writes the report of a sweep."""

import pytest

from dqn_exp import report
from tests.sweep_files import SWEPT, returns_of, write_sweep


def test_the_command_writes_the_report_and_says_where_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    report.main(["s", "--threshold", "50"])
    assert capsys.readouterr().out == "The report is in s/report/index.html.\n"
    with pytest.raises(SystemExit) as ended:
        report.main(["nothing"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{tmp_path}/nothing: expected the directory") and said.count("\n") == 1
    assert not (tmp_path / "nothing").exists()
