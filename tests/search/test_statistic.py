"""Values of trials."""

import numpy as np
import pytest

from dqn_exp.search.statistic import to_value


@pytest.mark.parametrize(
    ("statistic", "value"), [("iqm", 6.0), ("mean", 24.0), ("median", 6.0), ("min", 1.0)]
)
def test_statistics_of_five_runs(statistic, value):
    # The IQM leaves out 5 / 4 = 1 value on each side: (5 + 6 + 7) / 3.
    assert to_value(np.array([6.0, 101.0, 5.0, 1.0, 7.0]), statistic) == value
