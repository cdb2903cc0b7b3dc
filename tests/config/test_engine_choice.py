import pytest

from dqn_exp.config.engine_choice import WIDEST, choose_engine, explain_engine
from tests.conftest import MUNCHAUSEN, make_config


@pytest.mark.parametrize(
    ("options", "overrides", "named"),
    [
        ((), {"network__noisy": True}, "network.noisy=true"),
        ((), {"agent__normalize_observations": True}, "agent.normalize_observations=true"),
        (("agent/value=categorical",), {}, "agent/value=categorical"),
        (("agent/optimizer=rmsprop",), {}, "agent/optimizer=rmsprop"),
        ((), {"agent__target": MUNCHAUSEN}, "agent/target=munchausen"),
        ((), {"network__hidden_sizes": [WIDEST + 1]}, f"layers of {WIDEST + 1} units"),
    ],
)
def test_torch_is_chosen_for_what_compiled_code_does_not_support(options, overrides, named):
    choice = choose_engine(make_config(*options, **overrides))
    assert choice.engine == "torch" and named in choice.reason


@pytest.mark.parametrize("options", [(), ("buffer=prioritized", "agent/target=double")])
def test_native_is_chosen_otherwise(options):
    config = make_config(*options, network__dueling=True, network__hidden_sizes=[WIDEST])
    assert choose_engine(config).engine == "native"


def test_a_choice_of_the_user_is_said_beside_that_of_auto():
    line = explain_engine(make_config(engine="torch"))
    assert line.startswith("Engine torch, as configured; engine=auto would select native")
