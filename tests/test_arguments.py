import pytest

from dqn_exp.arguments import arrange, config_dirs


@pytest.mark.parametrize(
    ("given", "arranged"),
    [
        (["seed=1", "-m"], ["-m", "seed=1"]),
        (["seed=1", "--config-dir", "a", "x=2"], ["--config-dir", "a", "seed=1", "x=2"]),
        (["seed=1", "-cd=a", "--cfg", "job"], ["-cd=a", "--cfg", "job", "seed=1"]),
        (["--info", "seed=1"], ["--info", "seed=1"]),
        (["--info", "plugins", "seed=1"], ["--info", "plugins", "seed=1"]),
        (
            ["-m", "buffer=uniform,prioritized", "buffer.priority_exponent=0.5"],
            ["-m", "buffer=uniform,prioritized", "buffer.priority_exponent=choice(0.5)"],
        ),
        (
            ["-m", "agent/value=scalar,quantile", "agent.value.num_quantiles=8,16", "seed=1"],
            ["-m", "agent/value=scalar,quantile", "agent.value.num_quantiles=8,16", "seed=1"],
        ),
        (["buffer=a,b", "buffer.capacity=3"], ["buffer=a,b", "buffer.capacity=3"]),
        (
            ["-m", "agent/value=choice(scalar,quantile)", "agent.value.num_quantiles=8"],
            ["-m", "agent/value=choice(scalar,quantile)", "agent.value.num_quantiles=choice(8)"],
        ),
        (
            ["-m", "env=cartpole_v0,acrobot", "env.max_episode_steps=null"],
            ["-m", "env=cartpole_v0,acrobot", "env.max_episode_steps=null"],
        ),
        (["-m", "seed=[1", "seed=1,2"], ["-m", "seed=[1", "seed=1,2"]),
    ],
)
def test_options_come_first(given, arranged):
    assert arrange(given) == arranged


def test_unknown_options_are_refused():
    with pytest.raises(ValueError, match=r"^--agent.gamma=1: overrides have no dashes: agent.gamm"):
        arrange(["--agent.gamma=1"])
    with pytest.raises(ValueError, match=r"^--colour: unknown option. List .* with --help"):
        arrange(["--colour"])


def test_folders_of_configs_are_found():
    assert config_dirs(["--config-dir", "a", "-cd=b", "seed=1"]) == ["a", "b"]
