import pytest

from dqn_exp.config.messages import as_yaml, known_keys, suggest


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("agent.gama", " Did you mean agent.gamma?"),
        ("gamma", " Did you mean agent.gamma?"),
        ("lr", " Did you mean agent.learning_rate?"),
        ("agent.lr", " Did you mean agent.learning_rate?"),
        ("buffer_size", " Did you mean buffer.capacity?"),
        ("total_timesteps", " Did you mean trainer.total_steps?"),
        ("agent.optimizer.decay", " It belongs to agent/optimizer=rmsprop."),
        # agent.epsilon is another key, of every agent.
        ("agent.optimizer.epsilon", " It belongs to agent/optimizer=adam."),
        (
            "agent.values",
            " Did you mean agent/value=categorical or agent/value=quantile or agent/value=scalar?",
        ),
        ("game", " Did you mean env.game?"),
        ("evl.every_steps", " Did you mean eval.every_steps?"),
        ("netwrk.kind", " Did you mean network.kind?"),
        ("env_kwargs", " Did you mean env.kwargs?"),
        ("entirely.unlike", " List the keys with --cfg job."),
    ],
)
def test_an_unknown_key_leads_to_the_one_that_was_meant(key, expected):
    assert suggest(key) == expected


def test_keys_know_the_option_that_they_belong_to():
    known = known_keys()
    assert known["agent.gamma"] == "" and known["agent.optimizer.epsilon"] == "agent/optimizer=adam"
    assert known["buffer.priority_epsilon"] == "buffer=prioritized"


def test_values_are_shown_as_they_are_written():
    assert as_yaml(None) == "null" and as_yaml("a") == "'a'" and as_yaml([1]) == "[1]"
