from contextvars import Context

import pytest

from dqn_exp.files.job_names import job_directory_name, naming_jobs


@pytest.mark.parametrize(
    ("overrides", "swept", "expected"),
    [
        (["agent.gamma=0.9", "seed=1"], None, "3_gamma=0.9,seed=1"),
        (["agent.gamma=0.9", "seed=1"], ["seed"], "3_seed=1"),
        (["+env.kwargs.layout=[1]", "seed=1"], ["env.kwargs.layout"], "3_layout=1"),
        (["experiment=book", "seed=1"], None, "3_seed=1"),
        (["network.hidden_sizes=[64, 64]"], None, "3_hidden_sizes=64,64"),
        (["agent.learning_rate=0.00123456789"], None, "3_learning_rate=0.001235"),
        (["env.id=a/b:C-v0"], None, "3_id=a-b-C-v0"),
        ([], None, "3"),
    ],
)
def test_a_job_is_named_after_its_number_and_swept_values(overrides, swept, expected):
    if swept is None:
        assert Context().run(job_directory_name, 3, overrides) == expected
    else:
        with naming_jobs(swept, 10):
            assert job_directory_name(3, overrides) == expected


def test_long_names_are_cut_between_characters():
    name = Context().run(job_directory_name, 3, ["env.id=" + "ä" * 300])
    assert len(name.encode()) <= 120 and name.startswith("3_id=ää")


@pytest.mark.parametrize(("num_jobs", "width"), [(1, 1), (10, 1), (11, 2), (1_001, 4), (None, 3)])
def test_names_sort_as_their_numbers_do(num_jobs, width):
    with naming_jobs(["seed"], num_jobs):
        assert job_directory_name(7, ["seed=1"]) == f"{7:0{width}d}_seed=1"
        names = [job_directory_name(num, []) for num in range(num_jobs or 100)]
    assert names == sorted(names)
