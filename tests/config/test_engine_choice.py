import pytest

from dqn_exp.config.engine_choice import WIDEST, choose_engine, explain_engine
from tests.conftest import MUNCHAUSEN, make_config


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        ({"device": "cuda"}, "device=cuda"),
        ({"network__hidden_sizes": [WIDEST + 1]}, f"layers of {WIDEST + 1:,} units"),
    ],
)
def test_torch_is_chosen_for_what_compiled_code_does_not_support(overrides, named):
    choice = choose_engine(make_config(**overrides), 4, 2)
    assert choice.engine == "torch" and named in choice.reason


@pytest.mark.parametrize(
    ("options", "overrides"),
    [
        ((), {}),
        (("buffer=prioritized", "agent/target=double"), {}),
        (("agent/value=categorical",), {"network__noisy": True}),
        (("agent/optimizer=rmsprop",), {"agent__normalize_observations": True}),
        ((), {"agent__target": MUNCHAUSEN}),
    ],
)
def test_native_is_chosen_otherwise(options, overrides):
    own = {"network__dueling": True, "network__hidden_sizes": [WIDEST], "engine": "auto"}
    assert choose_engine(make_config(*options, **own, **overrides), 4, 2).engine == "native"


def test_native_is_chosen_for_images_of_any_size():
    config = make_config("network=nature", engine="auto")
    assert choose_engine(config, 4 * 84 * 84, 18).engine == "native"
    vectors = choose_engine(make_config(engine="auto"), 4 * 84 * 84, 18)
    assert vectors.engine == "torch" and "28,224 features" in vectors.reason


def test_a_choice_of_the_user_is_said_beside_that_of_auto():
    line = explain_engine(make_config(engine="torch"), 4, 2)
    assert line.startswith("Engine torch, as configured; engine=auto would select native")
