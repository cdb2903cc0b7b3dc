"""What the schema declares beside its keys."""

from tests.conftest import MUNCHAUSEN, make_config


def test_the_hash_tells_what_changes_results():
    first = make_config().hash()
    assert first == make_config(buffer__capacity=1e4).hash()
    for same in ({"log__every_steps": 7}, {"num_threads": 3}, {"checkpoint__every_steps": 5}):
        assert make_config(**same).hash() == first
    others = ({"seed": 1}, {"agent__gamma": 0.9}, {"eval__episodes": 3}, {"env__kwargs": {"a": 1}})
    assert len({make_config(**other).hash() for other in others} | {first}) == 5


def test_structure_is_what_is_not_declared_per_run():
    first = make_config().structure()
    for per_run in (
        {"seed": 5}, {"agent__gamma": 0.5}, {"agent__epsilon": 0.5}, {"agent__learning_rate": 0.5},
        {"agent__target_update_period": 3}, {"buffer__capacity": 700}, {"trainer__total_steps": 3},
        {"agent__train_every": 3}, {"agent__huber_delta": 3.0}, {"agent__max_grad_norm": 3.0},
        {"eval__every_steps": 3}, {"log__every_steps": 3}, {"agent__learning_starts": 3},
        {"agent__reward_clip": 1.0}, {"network__noisy_sigma": 0.1},
        {"agent__optimizer__weight_decay": 0.1},
    ):  # fmt: skip
        assert make_config(**per_run).structure() == first
    for structure in (
        {"agent__batch_size": 32}, {"agent__loss": "huber"}, {"network__hidden_sizes": [64]},
        {"env__max_episode_steps": 100}, {"eval__episodes": 3}, {"agent__gradient_steps": 2},
        {"device": "cuda"}, {"agent__target": {"kind": "double"}}, {"agent__n_step": 3},
        {"network__dueling": True}, {"network__noisy": True}, {"agent__target": MUNCHAUSEN},
        {"agent__normalize_observations": True},
    ):  # fmt: skip
        assert make_config(**structure).structure() != first


def test_settings_of_options_are_per_run_where_they_change_no_shape():
    options = ("buffer=prioritized", "agent/value=categorical", "agent/optimizer=rmsprop")
    first = make_config(*options).structure()
    for per_run in (
        {"buffer__priority_exponent": 0.1}, {"buffer__importance_exponent": 0.1},
        {"buffer__importance_exponent_decay_steps": 10}, {"buffer__priority_epsilon": 0.1},
        {"agent__value__v_min": -5.0}, {"agent__value__v_max": 5.0},
        {"agent__optimizer__decay": 0.9}, {"agent__optimizer__variance_epsilon": 0.1},
    ):  # fmt: skip
        assert make_config(*options, **per_run).structure() == first
    assert make_config(*options, agent__value__num_atoms=21).structure() != first
    for fewer in ((*options[1:],), (options[0], options[2]), options[:2]):
        assert make_config(*fewer).structure() != first
