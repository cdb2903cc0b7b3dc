"""Trained agents."""

import gymnasium
import numpy as np
import pytest

import dqn_exp
from dqn_exp.analysis.run_reader import read_sources
from tests.conftest import make_config, train_in_folders

SMALL = {
    "experiment": "smoke",
    "trainer.total_steps": 300,
    "eval.every_steps": 100,
    "agent.learning_starts": 50,
    "num_threads": 1,
    "report": False,
}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agents") / "s"
    return dqn_exp.sweep(
        {**SMALL, "agent.gamma": [0.9, 0.99], "seed": range(2)}, directory=folder, quiet=True
    )


def test_a_sweep_gives_the_best_run_of_its_best_setting(sweep):
    agent = dqn_exp.load(str(sweep.directory))
    runs = sweep.runs[sweep.runs["agent.gamma"] == sweep.best["agent.gamma"]]
    assert str(agent.directory) == runs.loc[runs["objective"].idxmax()]["directory"]
    assert agent.config["agent.gamma"] == sweep.best["agent.gamma"] and agent.step == 300
    assert str(agent.directory) in repr(agent)


def test_an_agent_plays_the_evaluations_of_its_run(sweep):
    for run in read_sources([sweep.directory])[0].runs:
        returns = dqn_exp.load(run.directory).evaluate()
        assert returns.dtype == np.float64 and returns.mean() == pytest.approx(run.score)
        best = dqn_exp.load(run.directory, best=True)
        assert best.evaluate().mean() == pytest.approx(run.evaluations[:, 1].max())
    agent = dqn_exp.load(sweep.directory)
    assert len(agent.evaluate(3, seed=9)) == 3
    assert agent.evaluate(3, seed=9).tolist() != agent.evaluate(3, seed=10).tolist()


def test_an_agent_acts_in_one_observation_or_many_of_any_type(sweep):
    agent = dqn_exp.load(sweep.directory)
    rng = np.random.default_rng(0)
    many = rng.normal(size=(7, 4))
    values = agent.q_values(many)
    assert values.shape == (7, 2) and values.dtype == np.float32
    for kind in (np.float16, np.float32, np.float64):
        given = many.astype(kind)
        assert agent.q_values(given[0]).shape == (2,)
        np.testing.assert_allclose(agent.q_values(given), values, rtol=0.01, atol=0.05)
    np.testing.assert_array_equal(agent.q_values(list(many)), values)
    np.testing.assert_array_equal(agent.q_values(many[3]), agent.q_values(many[3:4])[0])
    assert agent.act(many).tolist() == values.argmax(1).tolist()
    assert isinstance(agent.act(many[0]), int) and agent.act([0, 0, 0, 0]) in (0, 1)
    for bad in (np.zeros(5), np.zeros((2, 3)), [], None, [None] * 4, [np.nan, 0, 0, 0], "text"):
        with pytest.raises(ValueError, match="observation: expected"):
            agent.act(bad)


@pytest.mark.parametrize("given", [{"num_episodes": n} for n in (0, -1, 1.5)] + [{"seed": -1}])
def test_an_evaluation_of_nothing_is_refused(sweep, given):
    with pytest.raises(ValueError, match=r"(num_episodes|seed): expected an integer"):
        dqn_exp.load(sweep.directory).evaluate(**given)


def test_an_agent_acts_in_its_environment_until_the_end(sweep):
    agent = dqn_exp.load(sweep.directory)
    env = agent.make_env()
    observation, _ = env.reset(seed=3)
    length, is_over = 0, False
    while not is_over:
        observation, _, terminated, truncated, _ = env.step(agent.act(observation))
        length, is_over = length + 1, terminated or truncated
    assert 0 < length <= 200
    env.close()
    assert agent.make_env("rgb_array").render_mode == "rgb_array"


@pytest.mark.parametrize("stack", [1, 3])
def test_agents_that_see_images_act_as_in_their_evaluations(tmp_path, stack):
    config = make_config(
        "network=conv",
        env__id="tests.image_envs:Pictures-v0",
        env__frame_stack=stack,
        network__convolutions=[[2, 2, 1]],
        network__hidden_sizes=[8],
        trainer__total_steps=200,
        trainer__total_episodes=None,
        agent__learning_starts=50,
        eval__episodes=2,
    )
    train_in_folders([config], [tmp_path])
    agent = dqn_exp.load(tmp_path)
    returns = agent.evaluate()
    env, found = agent.make_env(), []
    rows = (tmp_path / "evaluations.csv").read_text().split()[-2:]
    for seed in (int(row.split(",")[2]) for row in rows):
        observation, _ = env.reset(seed=seed)
        found.append(0.0)
        is_over = False
        while not is_over:
            observation, reward, terminated, truncated, _ = env.step(agent.act(observation))
            found[-1] += float(reward)
            is_over = terminated or truncated
    assert found == returns.tolist()


def test_observations_that_are_flattened_are_given_as_the_environment_has_them(tmp_path):
    config = make_config(
        env__id="Taxi-v4",
        engine="torch",
        network__hidden_sizes=[8],
        trainer__total_steps=100,
        trainer__total_episodes=None,
        agent__learning_starts=50,
        eval__episodes=1,
        env__max_episode_steps=20,
    )
    train_in_folders([config], [tmp_path])
    agent = dqn_exp.load(tmp_path)
    many = agent.q_values([3, 17, 499])
    assert many.shape == (3, 6)
    np.testing.assert_array_equal(agent.q_values(17), many[1])
    assert isinstance(agent.make_env().observation_space, gymnasium.spaces.Discrete)


def test_what_has_no_policy_is_told(tmp_path):
    with pytest.raises(ValueError, match="expected"):
        dqn_exp.load(tmp_path)
