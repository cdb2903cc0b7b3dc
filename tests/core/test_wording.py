import pytest

from dqn_exp.core.wording import quantity


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (1_200, "1,200 runs")]
)
def test_one_is_singular(number, text):
    assert quantity(number, "run") == text
