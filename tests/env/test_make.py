import numpy as np

from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.make import make_vector_env
from dqn_exp.env.serial_env import SerialVectorEnv
from tests import probes

probes.register()


def test_other_arguments_lead_to_the_environment_of_gymnasium_itself():
    for env_id, kwargs in (("Acrobot-v1", {"render_mode": "rgb_array"}), ("CartPole-v1", None)):
        environments = make_vector_env(EnvArguments(env_id, None, kwargs or {}), 1)
        assert isinstance(environments, SerialVectorEnv) == (kwargs is not None)


def test_the_limit_of_an_environment_is_the_registered_one_unless_told():
    for env_id, limit, length in (("CartPole-v1", 3, 3), ("Acrobot-v1", None, 500)):
        environments = make_vector_env(EnvArguments(env_id, limit), 1)
        environments.reset(np.array([0]), np.array([0]))
        for step in range(1, length + 1):
            outcome = environments.step(np.array([0]))
            assert outcome.truncated[0] == (step == length)


def test_observations_are_flattened_and_actions_begin_where_the_environment_has_it():
    environments = make_vector_env(EnvArguments("ProbeCounting-v0", 30), 2)
    assert environments.reset(np.arange(2), np.arange(2)).shape == (2, 4)
    outcome = environments.step(np.array([0, 2]))
    assert outcome.observations[:, 3].tolist() == [0.0, 2.0]
    assert environments.shape == (4, 3, None)
