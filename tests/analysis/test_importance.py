"""Importance of keys."""

import pytest

from dqn_exp.analysis.importance import importances
from tests.sweep_files import noise, read_groups, write_sweep

SWEPT = {
    "agent.gamma": [0.9, 0.95, 0.98, 0.99],
    "agent.epsilon": [0.1, 0.05, 0.2],
    "network.hidden_sizes": [[64], [128]],
}


def test_a_key_that_explains_the_returns_is_the_most_important(tmp_path):
    write_sweep(tmp_path / "s", SWEPT, lambda v: {100: 1_000 * v["agent.gamma"] + noise(v)})
    (group,) = read_groups(tmp_path / "s")
    found = importances(group.settings, group.keys, frozenset())
    assert found[0].key == "agent.gamma"
    assert found[0].value > 0.95 and found[0].low <= found[0].value <= found[0].high
    assert 0.95 < sum(one.value for one in found) <= 1


def test_two_keys_that_matter_equally_have_equal_shares(tmp_path):
    swept = {"agent.gamma": [0.1, 0.2, 0.3, 0.4], "agent.epsilon": [0.1, 0.2, 0.3, 0.4]}
    write_sweep(tmp_path / "s", swept, lambda v: {100: v["agent.gamma"] + v["agent.epsilon"]})
    (group,) = read_groups(tmp_path / "s")
    for one in importances(group.settings, group.keys, frozenset()):
        assert one.value == pytest.approx(0.5, abs=0.1)


def test_keys_that_matter_only_together_explain_little_alone(tmp_path):
    swept = {"agent.gamma": [0.1, 0.2, 0.8, 0.9], "agent.epsilon": [0.1, 0.2, 0.8, 0.9]}
    write_sweep(
        tmp_path / "s",
        swept,
        lambda v: {100: float((v["agent.gamma"] > 0.5) != (v["agent.epsilon"] > 0.5))},
    )
    (group,) = read_groups(tmp_path / "s")
    assert sum(one.value for one in importances(group.settings, group.keys, frozenset())) < 0.5


def test_too_few_settings_and_equal_returns_have_no_importance(tmp_path):
    write_sweep(tmp_path / "s", {"agent.gamma": [0.9, 0.98], "seed": [0]}, lambda v: {100: 1.0})
    (group,) = read_groups(tmp_path / "s")
    assert importances(group.settings, group.keys, frozenset()) == []
    write_sweep(tmp_path / "t", SWEPT, lambda v: {100: 1.0})
    (group,) = read_groups(tmp_path / "t")
    assert importances(group.settings, group.keys, frozenset()) == []


@pytest.mark.parametrize(
    "rates", [[1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0], [1, 10, 100, 1e3, 1e4, 1e5]]
)
def test_magnitudes_count_by_their_logarithms(tmp_path, rates):
    """Half of the rates are low ones, so the share of the rate is that of a switch."""
    swept = {"agent.learning_rate": rates, "agent.gamma": [0.1, 0.2, 0.3, 0.4]}
    low = sorted(rates)[2]
    write_sweep(
        tmp_path / "s",
        swept,
        lambda v: {100: 100.0 * (v["agent.learning_rate"] <= low) + 10 * (v["agent.gamma"] > 0.25)},
    )
    (group,) = read_groups(tmp_path / "s")
    for log_keys in (frozenset(), frozenset({"agent.learning_rate"})):
        found = {one.key: one.value for one in importances(group.settings, group.keys, log_keys)}
        assert found["agent.learning_rate"] > 0.9 and found["agent.gamma"] < 0.1
