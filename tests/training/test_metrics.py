"""What is logged of values, against naive references."""

import numpy as np
import pytest
import torch

from dqn_exp.env.arguments import EnvShape
from dqn_exp.training.build_engine import make_network, make_value
from dqn_exp.training.evaluation import EvaluationEpisodes
from tests.conftest import make_config, some_of, train_in_folders
from tests.files.test_run_record import load_events
from tests.stepping import tick
from tests.training.test_population import make_bare_trainer

SETTINGS = {
    "agent__learning_starts": 20,
    "agent__batch_size": 8,
    "agent__target_update_period": 7,
    "env__max_episode_steps": 15,
    "network__hidden_sizes": [12],
    "buffer__capacity": 100,
}


def make_trainer(folder, num_ticks: int, **overrides):
    gammas = (0.9, 0.99, 0.5)
    configs = [
        make_config(**{**SETTINGS, "seed": seed, "agent__gamma": gamma, **overrides})
        for seed, gamma in enumerate(gammas)
    ]
    trainer = make_bare_trainer(configs, folder)
    for _ in range(num_ticks):
        tick(trainer)
    return configs, trainer


def naive_q_values(configs, trainer, run: int, observation) -> np.ndarray:
    value = make_value(configs)
    network = make_network(configs, EnvShape(4, 2), value.num_outputs)
    views = network.layout.views(trainer._agent.online[run][None].cpu())
    seen = torch.as_tensor(observation)[None, None]
    with torch.no_grad():
        return value.means(network.forward(views, seen))[0, 0].numpy()


def entries_of(trainer) -> list[dict[str, float]]:
    count = len(trainer.steps)
    return trainer._metrics.collect(np.arange(count), trainer.steps, np.ones(count))


OTHER = {"agent__n_step": 3, "agent__target": {"kind": "double"}, "network__dueling": True}


@pytest.mark.parametrize(
    ("engine", "overrides"),
    some_of([("native", {}), ("torch", OTHER)], ["native", "torch"], [{}, OTHER]),
)
def test_what_is_said_of_values_is_what_a_naive_computation_gives(tmp_path, engine, overrides):
    configs, trainer = make_trainer(tmp_path, 60, engine=engine, **overrides)
    storage, features = trainer._engine.buffer.storage.numpy(), 4
    for run, found in enumerate(entries_of(trainer)):
        size, offset = trainer._engine.buffer.sizes[run], trainer._engine.buffer.offsets[run]
        stored = storage[offset : offset + size]
        gaps = []
        for place in range(64):
            observation = stored[place * size // 64, :features]
            values = sorted(naive_q_values(configs, trainer, run, observation).tolist())
            gaps.append(values[-1] - values[-2])
        assert found["value/action_gap"] == pytest.approx(np.mean(gaps), rel=1e-4)
        ends = sum(row[2 * features + 1] == 0 for row in stored)
        assert found["buffer/terminal_share"] == pytest.approx(ends / size) and ends > 0
        online, target = trainer._agent.online[run].numpy(), trainer._agent.target[run].numpy()
        distance = np.linalg.norm(online - target) / np.linalg.norm(online)
        assert found["train/target_distance"] == pytest.approx(distance, rel=1e-5)
        assert 0 < distance < 1
        errors = np.asarray(trainer._engine.td_errors[run]).astype(np.float64)
        for percent in (10, 50, 90):
            expected = np.percentile(errors, percent)
            assert found[f"train/td_error_p{percent}"] == pytest.approx(expected, rel=1e-5)
        assert found["buffer/size"] == size


def test_gaps_of_large_observations_are_computed_some_at_a_time(tmp_path, monkeypatch):
    _, trainer = make_trainer(tmp_path, 60)
    whole = [found["value/action_gap"] for found in entries_of(trainer)]
    for most in (600, 1):
        monkeypatch.setattr("dqn_exp.training.metrics.MOST_PROBED", most)
        assert [found["value/action_gap"] for found in entries_of(trainer)] == whole
    assert len(set(whole)) == len(whole) > 1


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_the_distance_of_an_evaluation_is_not_logged_later(tmp_path, monkeypatch, engine):
    """A run learns at the step of an evaluation (30), and not at that of the next entry (40)."""
    periods = {
        "agent__target_update_period": 5,
        "agent__train_every": 3,
        "eval__every_steps": 30,
        "log__every_steps": 40,
    }
    _, trainer = make_trainer(tmp_path, 0, engine=engine, eval__episodes=1, **periods)
    logged, collect = [], trainer._metrics.collect

    def listening(rows, *others):
        online, target = trainer._agent.online[rows[0]], trainer._agent.target[rows[0]]
        entries = collect(rows, *others)
        logged.append((entries[0]["train/target_distance"], online - target, online))
        return entries

    monkeypatch.setattr(trainer._metrics, "collect", listening)
    while trainer.steps[0] < 40:
        trainer.advance()
    ((found, difference, online),) = logged
    expected = float(difference.norm() / online.norm())
    assert found == pytest.approx(expected, rel=1e-5) and found > 0


def test_before_anything_is_known_nothing_is_said(tmp_path):
    _, trainer = make_trainer(tmp_path, 0)
    unknown = ("value/action_gap", "buffer/terminal_share", "train/td_error_p50", "train/loss")
    for found in entries_of(trainer):
        assert all(np.isnan(found[tag]) for tag in unknown)
        assert found["train/target_distance"] == 0


def test_a_large_buffer_is_counted_by_a_part_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr("dqn_exp.training.metrics.MAX_COUNTED", 10)
    _, trainer = make_trainer(tmp_path, 60)
    features = 4
    for run, found in enumerate(entries_of(trainer)):
        offset = trainer._engine.buffer.offsets[run]
        part = trainer._engine.buffer.storage[offset : offset + 60 : 6, 2 * features + 1].numpy()
        assert found["buffer/terminal_share"] == pytest.approx(np.mean(part == 0))


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_the_promise_of_the_start_is_held_against_what_came_of_it(tmp_path, engine):
    configs, trainer = make_trainer(tmp_path, 60, engine=engine)
    rng = np.random.default_rng(0)
    shape = (2, 3)  # Two of the three runs, three episodes each.
    first_observations, last_observations = rng.normal(size=(2, *shape, 4)).astype(np.float32)
    discounted, weights = rng.normal(size=(2, *shape))
    played = EvaluationEpisodes(
        returns=np.zeros(shape),
        lengths=np.ones(shape, dtype=np.int64),
        first_observations=first_observations,
        last_observations=last_observations,
        discounted=discounted,
        bootstrap_weights=weights,
        errors={},
    )
    rows = np.array([0, 2])
    for index, (row, found) in enumerate(
        zip(rows, trainer._metrics.evaluation_metrics(rows, played), strict=True)
    ):
        best = [
            [naive_q_values(configs, trainer, row, one).max() for one in seen[index]]
            for seen in (first_observations, last_observations)
        ]
        promised = np.mean(best[0])
        realized = np.mean(discounted[index] + weights[index] * np.array(best[1]))
        bias = {tag: value for tag, value in found.items() if tag.startswith("value/")}
        assert bias == pytest.approx(
            {
                "value/start_predicted": promised,
                "value/start_realized": realized,
                "value/overestimation": promised - realized,
            },
            rel=1e-4,
        )


def test_values_of_a_population_are_those_of_runs_alone(tmp_path):
    _, trainer = make_trainer(tmp_path / "together", 60)
    together = entries_of(trainer)
    for run, gamma in enumerate((0.9, 0.99, 0.5)):
        config = make_config(seed=run, agent__gamma=gamma, **SETTINGS)
        alone = make_bare_trainer([config], tmp_path / str(run))
        for _ in range(60):
            tick(alone)
        (found,) = entries_of(alone)
        assert found == together[run]


def test_a_copy_that_falls_on_every_entry_does_not_hide_the_distance(tmp_path):
    config = make_config(
        agent__learning_starts=20,
        agent__target_update_period=10,
        trainer__total_steps=120,
        log__every_steps=30,
        eval__episodes=1,
        agent__batch_size=8,
    )
    train_in_folders([config], [tmp_path])
    found = load_events(tmp_path).Scalars("train/target_distance")
    # Learning begins after step 20, so copies are made at steps 30, 40 and so on.
    assert [event.step for event in found] == [30, 60, 90, 120]
    assert all(event.value > 0 for event in found)


def test_evaluations_discount_clip_and_end_as_the_config_says(tmp_path):
    rules = [(0.9, 0.5, True), (0.99, None, False), (0.5, 0.25, True)]
    configs = [
        make_config(
            seed=seed,
            agent__gamma=gamma,
            agent__reward_clip=clip,
            agent__bootstrap_truncated=bootstraps,
            env__max_episode_steps=12,
            eval__episodes=4,
        )
        for seed, (gamma, clip, bootstraps) in enumerate(rules)
    ]
    trainer = make_bare_trainer(configs, tmp_path)

    def policy(observations):
        actions = (observations[..., 2] > 0).astype(np.int64)
        actions[:, ::2] = 0  # These episodes end soon, and the others at their limit.
        return actions

    played = trainer._evaluation.play(policy, np.arange(3))
    assert (played.lengths == 12).any() and (played.lengths < 12).any()
    for run, (gamma, clip, bootstraps) in enumerate(rules):
        for episode, length in enumerate(played.lengths[run].tolist()):
            reward = min(1.0, clip or 1.0)
            expected = sum(gamma**step * reward for step in range(length))
            assert played.discounted[run, episode] == pytest.approx(expected)
            has_future = bootstraps and length == 12
            expected = gamma**length if has_future else 0.0
            assert played.bootstrap_weights[run, episode] == pytest.approx(expected)
