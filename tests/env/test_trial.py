import re

import pytest

from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.trial import try_env
from tests import odd_envs


def try_odd(name: str, **kwargs):
    return try_env(EnvArguments(f"Odd{name}-v0", None, kwargs))


@pytest.mark.parametrize(
    ("name", "num_features"),
    [
        *(("Corridor", 3), ("SmallSeeds", 3), ("AsColumn", 3), ("RewardInArray", 3)),
        *(("RewardInteger", 3), ("NumpyFlags", 3), ("InPlace", 3), ("FromFive", 3), ("Cells", 3)),
        *(("Bits", 3), ("Several", 5), ("Nested", 7), ("Picture", 12), ("OwnLimit", 3)),
        *(("Endless", 3), ("NanReward", 3), ("FarAway", 3), ("BadClose", 3), ("Plain", 3)),
    ],
)
def test_what_can_be_used_is_accepted(name, num_features):
    trial = try_odd(name)
    assert trial.problems == () and trial.shape[:2] == (num_features, 2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ResetAlone", ": expected (observation, info) from reset, .* an array of shape (3,)."),
        ("ResetWithoutSeed", ": expected reset to take a seed, .* got a reset without it."),
        ("FourValues", ": expected (observation, reward, .*, info) from step, got 4 values."),
        ("TooShort", ": expected an observation of shape (3,), .*, got shape (1,)."),
        ("Words", ": expected an observation of Box(0.0, .*, got ['left', 'middle', 'right']."),
        ("NotFinite", ": the observation is not finite: array([ 0., inf, 0.])."),
        ("NoReward", ": expected a number as the reward from step, got None."),
        ("TwoRewards", ": expected a number as the reward from step, got an array of shape (2,)."),
        ("EndIsText", ": expected terminated and truncated from step to be booleans, got 'no'."),
        ("OutOfRange", ": expected an observation of Discrete(3, start=2), got 1."),
        ("LacksKey", ": expected an observation of Dict(.*), got {'cell': 0}."),
        ("ShortPart", ": expected an observation['both'][1] of shape (1, 2), .*, got shape (1,)."),
        ("Sentences", ": expected observations that can be flattened .* Wrap the environment"),
        ("Lists", ": expected observations that can be flattened .* Sequence(Discrete(2).*"),
        ("Nothing", ": expected observations of at least one number, got Box(.*"),
        ("BadInit", "ConnectionError: no simulator on port 1234 (odd_envs.py, line "),
        ("HugeReward", ": the reward is 1e+39, which single precision cannot represent."),
        ("SpaceRaises", " raised RuntimeError: no space (odd_envs.py, line "),
        ("Part", ": expected an observation['a'] of Box(0, 9, (1,), uint8), got array([0.5])."),
        ("PartNan", ": expected an observation['a'] of Box(0, 9, (1,), uint8), got array([nan])."),
        ("PartBits", ": expected an observation['a'] of MultiBinary(1), got array([0.7])."),
        ("Letters", ": expected an observation of Box(0.0, 1.0, (3,), float32), got array(['1'"),
        ("ManyBounds", "expected discrete actions, .* has Box([ -1. .*... Wrap it with gymnasium"),
        ("BadStep", " raised KeyError: 'wheel' (odd_envs.py, line "),
    ],
)
def test_whatever_is_wrong_is_one_line(name, message):
    (problem,) = try_odd(name).problems
    pattern = re.escape(message).replace(r"\.\*", ".*").replace(r"\ ", " ")
    assert problem.startswith("env.id: ") and f"Odd{name}-v0" in problem
    assert re.search(pattern, problem) and "\n" not in problem, problem


def test_a_limit_that_is_no_integer_is_named():
    (problem,) = try_env(EnvArguments("OddTextLimit-v0")).problems
    assert problem.startswith(
        "env.max_episode_steps: expected an integer of at least 1, but OddText"
    )
    assert "max_episode_steps='50'" in problem


def test_continuous_actions_are_refused_with_the_wrapper_that_helps():
    (problem,) = try_odd("Continuous").problems
    assert problem.startswith("env.id: expected discrete actions, which DQN needs; OddContinuous")
    assert "TransformAction" in problem


def test_all_problems_of_spaces_and_limit_come_at_once():
    actions, observations = try_odd("ContinuousLists").problems
    assert "discrete actions" in actions and "flattened" in observations
    assert len(try_env(EnvArguments("OddNoSpaces-v0")).problems) == 2
    (limit,) = try_odd("Limit").problems
    assert "registered with max_episode_steps=-1" in limit
    assert try_env(EnvArguments("OddLimit-v0", 5)).problems == ()


def test_an_argument_that_an_environment_does_not_take_is_named():
    (problem,) = try_odd("Corridor", colour=1).problems
    assert problem.startswith("env.kwargs: OddCorridor-v0 cannot be made with {'colour': 1}")


def test_what_is_lost_in_single_precision_is_said():
    (note,) = try_odd("FarAway").notes
    assert re.search(r"of \d different observations, \d cannot be told apart in single prec", note)
    assert try_odd("Corridor").notes == ()


def test_text_beside_numbers_is_left_out_and_said():
    (note,) = try_odd("Nested").notes
    assert note == (
        "OddNested-v0: observation['mission'] is text, which is left out of the observations."
    )


def test_an_environment_that_cannot_be_closed_can_be_used():
    (note,) = try_odd("BadClose").notes
    assert "closing it raised RuntimeError: cannot close" in note
    (problem,) = try_odd("BadCloseContinuous").problems
    assert "expected discrete actions" in problem


def test_the_corridor_is_sound():
    assert odd_envs.Corridor().reset(seed=0)[0].tolist() == [1, 0, 0]


def test_an_environment_that_is_no_function_of_seed_and_actions_is_told():
    trial = try_env(EnvArguments("tests.odd_envs:with_statistics"))
    assert not trial.is_function and try_odd("Corridor").is_function
    (note,) = trial.notes
    assert "the same seed and actions led to other observations or rewards the second time" in note
    (note,) = try_env(EnvArguments("tests.odd_envs:with_statistics_of_rewards")).notes
    assert "other observations or rewards" in note


def test_an_environment_may_refuse_to_be_reset_before_the_end():
    assert try_odd("Strict") == try_odd("Corridor")


def test_a_limit_is_the_smallest_of_all():
    name = "tests.odd_envs:with_statistics"
    found = [try_env(EnvArguments(name, given)).limit for given in (None, 70, 501)]
    assert found == [500, 70, 500]
    assert (try_odd("Corridor").limit, try_odd("Endless").limit) == (20, None)
