"""Records by row."""

from types import SimpleNamespace

import numpy as np

from dqn_exp.training.records import Records


class FakeRecord:
    def __init__(self, error: OSError | None = None) -> None:
        self.error = error
        self.scalars: list[tuple[int, dict[str, float]]] = []
        self.num_flushed = 0

    def add_scalars(self, step, values) -> None:
        self.scalars.append((step, dict(values)))

    def flush(self) -> None:
        if self.error is not None:
            raise self.error
        self.num_flushed += 1


def test_a_row_leads_to_the_record_of_its_run_after_others_have_retired():
    everyone = [SimpleNamespace(name=name) for name in "abcd"]
    records = Records(everyone)
    records.retire(0)
    records.retire(1)
    assert [records[row].name for row in range(len(records))] == ["d", "c"]
    assert records.all is everyone


def test_scalars_go_to_their_runs_at_their_own_steps():
    records = Records([FakeRecord() for _ in range(3)])
    rows, steps = np.array([2, 0]), np.array([5, 6, 7])
    records.add_scalars(rows, steps, [{"a": 1.0}, {"b": 2.0}])
    assert records[2].scalars == [(7, {"a": 1.0})] and records[0].scalars == [(5, {"b": 2.0})]
    assert records[1].scalars == []


def test_a_record_that_cannot_be_written_does_not_keep_the_others_from_it():
    error = OSError("full")
    records = Records([FakeRecord(error), FakeRecord()])
    assert records.flush() == {0: error} and records[1].num_flushed == 1
