import pytest

from dqn_exp.files.job_list import NAME, JobEntry, add_to_job_list, begin_job_list, read_job_list

ENTRIES = [
    JobEntry(n, f"{n}_seed={n}", f"seed={n}", [f"seed={n}"], {"seed": f"{n}"}, {}, {"seed": n})
    for n in range(3)
]


def test_jobs_come_back_as_they_were(tmp_path):
    begin_job_list(tmp_path, {"job": {"name": "train"}}, ENTRIES[:2])
    add_to_job_list(tmp_path, ENTRIES[2:])
    assert read_job_list(tmp_path) == ({"job": {"name": "train"}}, ENTRIES)


def test_a_line_that_was_being_written_is_left_out(tmp_path):
    begin_job_list(tmp_path, {}, [])
    add_to_job_list(tmp_path, ENTRIES)
    content = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(content[:-10])
    assert read_job_list(tmp_path)[1] == ENTRIES[:2]


@pytest.mark.parametrize(
    "content", [None, "", "{}\n", '{"format": 1, "hydra": {}}\n{"num": 1}\n', "not JSON\n",
                '{"format": 99, "hydra": {}}\n'],
)  # fmt: skip
def test_a_damaged_list_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / NAME).write_text(content)
    with pytest.raises(ValueError, match="expected the jobs of a sweep"):
        read_job_list(tmp_path)
