import csv

from dqn_exp.files.sweep_table import SweepTable


def test_rows_are_those_of_the_jobs_in_order(tmp_path):
    table = SweepTable(tmp_path, ["agent.gamma", "name"])
    table.add(1, tmp_path / "1_b", ["0.9", 'with "quotes", and commas'])
    table.add(0, tmp_path / "0_a", ["0.5", ""])
    table.add(0, tmp_path / "other", ["0.7", ""])  # A job is added once.
    assert table.update(1, "completed", 1 / 3) and not table.update(1, "completed", 1 / 3)
    table.write()
    with (tmp_path / "sweep.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["job", "dir", "status", "objective", "agent.gamma", "name"],
        ["0", "0_a", "pending", "", "0.5", ""],
        ["1", "1_b", "completed", repr(1 / 3), "0.9", 'with "quotes", and commas'],
    ]
