import pytest

from tests.sweep_files import (
    page_of,
    report_of,
    rows_of,
    write_sweep,
)


@pytest.mark.parametrize("status", ["completed", "interrupted"])
def test_one_run_only(tmp_path, status):
    returns = {100: 5.0, 200: 9.0}
    write_sweep(tmp_path / "s", {"seed": [3]}, lambda values: returns, lambda values: status)
    report_of([tmp_path / "s"])
    page = page_of(tmp_path / "s")
    if status == "completed":
        assert "The final return of all runs is 9 (one seed)." in page
        assert "single seed, so there are no intervals" in page and "95% interval" not in page
        assert rows_of(tmp_path / "s")[0]["iqm_low"] == ""
    else:
        assert "No run has completed." in page and "<img" not in page
        assert rows_of(tmp_path / "s")[0]["iqm"] == ""


def test_the_threshold_is_that_of_the_environment_unless_it_is_told(tmp_path):
    write_sweep(tmp_path / "s", {"seed": [0, 1]}, lambda values: {100: 150.0, 200: 196.0})
    report_of([tmp_path / "s"])
    assert rows_of(tmp_path / "s")[0]["steps_to_threshold"] == "200.0"
    assert "steps to 195" in page_of(tmp_path / "s")
    report_of([tmp_path / "s"], threshold=120)
    assert rows_of(tmp_path / "s")[0]["steps_to_threshold"] == "100.0"
