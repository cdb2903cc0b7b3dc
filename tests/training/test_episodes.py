"""Current episodes of all runs."""

import numpy as np

from dqn_exp.core.random_streams import RandomStream, Stream
from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.make import make_vector_env
from dqn_exp.training.episodes import Episodes


def make_episodes(seeds: list[int], limit: int = 20) -> Episodes:
    env = make_vector_env(EnvArguments("CartPole-v1", limit), len(seeds))
    return Episodes(env, RandomStream(seeds, Stream.EPISODES, 1), len(seeds))


def play(episodes: Episodes, num_steps: int) -> list[list[tuple[int, float, int, bool]]]:
    """Returns the finished episodes of each run, always pushing the cart to the right."""
    count = len(episodes.counts)
    found = [[] for _ in range(count)]
    right = np.ones(count, dtype=np.int64)
    for step in range(num_steps):
        finished = episodes.end(episodes.step(right), np.full(count, step + 1))
        for row, number, _, *values in zip(*finished, strict=True):
            found[row].append((number.item(), *(value.item() for value in values)))
    return found


def test_finished_episodes_are_counted_and_summed():
    episodes = make_episodes([3, 4], limit=9)
    found = play(episodes, 200)
    for run in range(2):
        assert [number for number, *_ in found[run]] == list(range(len(found[run])))
        # CartPole pays one for each step.
        assert all(return_ == length <= 9 for _, return_, length, _ in found[run])
        assert all(terminated or length == 9 for _, _, length, terminated in found[run])
        assert any(terminated for *_, terminated in found[run])
        total = sum(length for _, _, length, _ in found[run]) + episodes.lengths[run]
        assert total == 200
    means = episodes.take_means(np.arange(2))
    for run in range(2):
        returns = [return_ for _, return_, _, _ in found[run]]
        np.testing.assert_allclose(means[run], np.mean(returns))
    assert np.isnan(episodes.take_means(np.arange(2))).all()


def test_each_episode_has_a_seed_of_its_run_and_number():
    together, alone = make_episodes([3, 4, 5]), make_episodes([5])
    seeds = [together.seed(2, k) for k in range(9)]
    assert len(set(seeds)) == 9
    assert play(together, 100)[2] == play(alone, 100)[0]


def test_an_open_episode_goes_on_in_another_row():
    first, second = make_episodes([3, 4]), make_episodes([8, 4])
    play(first, 13)
    second.load_state_dict(1, first.state_dict(1))
    assert second.lost == {}
    assert play(second, 60)[1] == play(first, 60)[1]


def test_an_episode_that_cannot_be_restored_is_lost_with_its_reason(monkeypatch):
    first, second = make_episodes([3]), make_episodes([3])
    play(first, 5)
    monkeypatch.setattr(second.env, "restore", lambda *arguments: "it is gone")
    second.load_state_dict(0, first.state_dict(0))
    assert second.lost == {0: "it is gone"} and second.lengths.tolist() == [0]


def test_errors_ofenvironments_are_taken_once():
    episodes = make_episodes([3, 4])
    error = RuntimeError("broken")
    episodes.env.errors[1] = error
    assert episodes.take_errors() == {1: error} and episodes.take_errors() == {}
