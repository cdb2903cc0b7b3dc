"""What the environment of a config and this machine say about it, before anything trains."""

import json
import math
import re
from collections.abc import Iterator
from functools import cache

from dqn_exp.buffer.frame_store import MOST_TRANSITIONS
from dqn_exp.config.agent_schema import ConvConfig
from dqn_exp.config.engine_choice import choose_engine
from dqn_exp.config.schema import Config, EnvConfig
from dqn_exp.core.devices import check_device, usable_memory
from dqn_exp.env.arguments import EnvArguments, EnvShape
from dqn_exp.env.gymnasium_env import limit_of
from dqn_exp.env.registry import find_spec
from dqn_exp.env.rollout import check_visible
from dqn_exp.env.trial import Trial, try_env
from dqn_exp.network.base import Network
from dqn_exp.training.build_buffer import make_buffer
from dqn_exp.training.build_engine import make_network, make_target_rule, make_value
from dqn_exp.training.callbacks import problems_of_callbacks
from dqn_exp.training.custom import problems_of_custom
from dqn_exp.training.custom_metrics import problems_of_metrics
from dqn_exp.training.memory_estimate import describe_memory, estimate_memory, parts_of, to_text


def training_env(config: Config) -> EnvArguments:
    """Returns what the training environments of a run are made of."""
    env, repeats_first = config.env, config.env.frame_padding == "first"
    arguments = (env.id, env.max_episode_steps, env.kwargs or {}, env.frame_stack, repeats_first)
    return _from_json(_to_json(EnvArguments(*arguments)))  # Environments may change their kwargs.


def evaluation_env(config: Config) -> EnvArguments:
    """Returns what the environments of evaluations are made of: their episodes are bounded."""
    env = training_env(config)
    return env._replace(
        max_episode_steps=limit_of(env) or config.eval.max_episode_steps,
        kwargs={**env.kwargs, **(config.eval.env_kwargs or {})},
    )


def check_config(config: Config, *, is_remote: bool = False) -> list[str]:
    """Returns the problems of a config with its environment and with this machine.

    Args:
        config: of a run.
        is_remote: whether the run may train on another machine.
    """
    trial = try_config(config)
    problems = [_with_key_of_game(one, config.env) for one in trial.problems]
    problems += _problems_of_name(config.env)
    problems += problems_of_callbacks(config.callbacks)
    problems += problems_of_metrics(config.log.metrics)
    if trial.shape is not None:
        problems += _problems_of_lives(config)
        if config.eval.env_kwargs:
            problems += _problems_of_evaluation(config, trial.shape)
    if config.log.video and not problems:
        problems += _problems_of_film(_to_json(training_env(config)), _entry_point(config))
    if trial.shape is not None and not problems:
        problems += _problems_of_images(config, trial.shape) or [
            *problems_of_custom(config, trial.shape, _make_parts)
        ]
    if is_remote:
        return problems
    problems += check_device(config.device)
    if trial.shape is not None and not problems:
        problems += _problems_of_memory(config, trial.shape)
    return problems


def try_config(config: Config) -> Trial:
    """Tries the environment of a config, once for all that share it."""
    return _try(_to_json(training_env(config)), _entry_point(config))


def try_evaluation(config: Config) -> Trial:
    """Tries the environment of the evaluations of a config, once for all that share it."""
    if not config.eval.env_kwargs:
        return try_config(config)
    return _try(_to_json(evaluation_env(config)), _entry_point(config))


def shape_of(config: Config) -> EnvShape:
    """Returns the shape of the environment of a config.

    Raises:
        ValueError: If it cannot be used.
    """
    trial = try_config(config)
    if trial.shape is None:
        raise ValueError("\n".join(trial.problems))
    return trial.shape


def notes_on(config: Config) -> Iterator[str]:
    """Yields what the user should know about the environment of a config."""
    trial = try_config(config)
    yield from dict.fromkeys((*trial.notes, *try_evaluation(config).notes))
    if trial.shape is not None and trial.shape.frames and config.network.kind == "mlp":
        yield (
            f"{config.env.id} has images, which network=mlp reads as vectors: network=conv, "
            "network=minatar and network=nature have convolutions."
        )
    yield from _notes_on_learning_rate(config)
    limit = limit_of(training_env(config))
    if limit is not None and trial.limit is not None and trial.limit < limit:
        yield (
            f"{config.env.id} ends its episodes after {trial.limit:,} steps itself: the limit of "
            f"{limit:,} steps (env.max_episode_steps) has no effect."
        )
    if limit is None and trial.limit is None:
        yield (
            f"{config.env.id} has no registered time limit: evaluation episodes are cut off after "
            f"{config.eval.max_episode_steps:,} steps (eval.max_episode_steps)."
        )


def _notes_on_learning_rate(config: Config) -> Iterator[str]:
    agent, last = config.agent, config.trainer.total_steps
    if agent.learning_rate_decay_steps and last and agent.learning_rate_decay_steps < last:
        yield (
            f"The learning rate stays {agent.learning_rate_end:g} from step "
            f"{agent.learning_rate_decay_steps:,} to {last:,} (agent.learning_rate_decay_steps)."
        )


def with_engine(config: Config) -> Config:
    """Returns a config with `engine=auto` resolved, if its environment can be used."""
    shape = try_config(config).shape
    if config.engine != "auto" or shape is None:
        return config
    return config.model_copy(
        update={"engine": choose_engine(config, shape.num_features, shape.num_actions).engine}
    )


def memory_of(config: Config) -> int:
    """Returns the bytes that a run takes, as estimated."""
    return estimate_memory(config, shape_of(config)).total


def _make_parts(config: Config, shape: EnvShape) -> tuple[Network, int]:
    """Makes the parts that may be the user's own; returns the network and its outputs (K)."""
    small = config.buffer.model_copy(update={"capacity": min(config.buffer.capacity, 1_000)})
    config = config.model_copy(update={"buffer": small, "device": "cpu"})
    value = make_value([config])
    make_target_rule([config], value)
    make_buffer([config], shape)
    return make_network([config], shape, value.num_outputs), value.num_outputs


def _with_key_of_game(problem: str, env: EnvConfig) -> str:
    """Names env.id in a problem of env.game if the game was given in the id itself."""
    if f"/{env.game}-v" in env.id:
        return problem.replace("got 'None'", "got null")
    return re.sub("^env.game:", "env.id:", problem)


def _problems_of_name(env: EnvConfig) -> Iterator[str]:
    if env.game is not None and "/" not in env.id:
        yield (
            f"env.game: expected null, since env.id={env.id} is no game, got {env.game!r}. Add "
            "env=minatar or env=atari."
        )


def _problems_of_lives(config: Config) -> Iterator[str]:
    # After a lost life, a game goes on: an evaluation would depend on the one before.
    is_atari = config.env.id.startswith(("atari/", "ALE/"))
    if is_atari and evaluation_env(config).kwargs.get("episodic_life"):
        yield (
            "eval.env_kwargs: expected whole games in evaluations, got episodic_life=true. Add "
            '"eval.env_kwargs={episodic_life: false}".'
        )


def _problems_of_evaluation(config: Config, shape: EnvShape) -> list[str]:
    """Returns the problems of the environment of evaluations, whose arguments differ."""
    trial = try_evaluation(config)
    if trial.shape is None:
        return [one.replace("env.kwargs", "eval.env_kwargs") for one in trial.problems]
    own, other = shape.describe(), trial.shape.describe()
    if own == other:
        return []
    return [
        f"eval.env_kwargs: expected an environment like that of training, with {own}, got one "
        f"with {other}."
    ]


def _problems_of_images(config: Config, shape: EnvShape) -> list[str]:
    """Returns what a config demands that fits images only, or vectors only."""
    network, frames = config.network, shape.frames
    if frames is None:
        found = f"the observations of {config.env.id} are vectors"
        return [
            *([_no_images(found)] if network.kind == "conv" else []),
            *(
                [f"env.frame_stack: expected 1, got {config.env.frame_stack}: {found}."]
                if config.env.frame_stack > 1
                else []
            ),
            *(
                [f"env.frame_padding: expected first, got zeros: {found}."]
                if config.env.frame_padding != "first"
                else []
            ),
        ]
    problems = []
    if config.buffer.capacity > MOST_TRANSITIONS:
        problems.append(
            f"buffer.capacity: expected at most {MOST_TRANSITIONS:_} with images, got "
            f"{config.buffer.capacity}."
        )
    if config.env.frame_padding != "first" and frames.low > 0:
        problems.append(
            f"env.frame_padding: expected first, got zeros: the observations of {config.env.id} "
            f"have values of at least {frames.low:g}."
        )
    if config.agent.normalize_observations:
        problems.append(
            "agent.normalize_observations: expected false, got true: images are scaled to [0, 1] "
            "by the bounds of their space."
        )
    if isinstance(network, ConvConfig):
        try:
            make_network([config], shape, 1)
        except ValueError as error:
            problems.append(str(error))
    return problems


def _problems_of_memory(config: Config, shape: EnvShape) -> list[str]:
    estimate, usable = estimate_memory(config, shape), usable_memory(config.device)
    if estimate.total <= usable:
        return []
    (size, name, value), *_ = parts_of(config, estimate)
    remedy = f"Lower {name}."
    if isinstance(value, int) and (rest := usable - (estimate.total - size)) > 0:
        remedy = f"Lower {name}, at most to about {_two_digits(value * rest / size):_}."
    return [
        f"{name}: the run needs about {to_text(estimate.total)} of memory, but only "
        f"{to_text(int(usable))} may be used: {describe_memory(config, estimate)}. {remedy}"
    ]


def _two_digits(value: float) -> int:
    """Rounds a positive number down to two digits."""
    unit = 10 ** max(0, int(math.log10(value)) - 1)
    return int(value // unit * unit)


def _to_json(env: EnvArguments) -> str:
    return json.dumps(env)


def _from_json(env: str) -> EnvArguments:
    return EnvArguments(*json.loads(env))


def _entry_point(config: Config) -> object:
    """Returns what makes an environment; in a notebook, a class may be defined again."""
    try:
        return find_spec(config.env.id).entry_point
    except ValueError:
        return None


@cache
def _try(env: str, _entry_point: object) -> Trial:
    return try_env(_from_json(env))


@cache
def _problems_of_film(env: str, _entry_point: object) -> list[str]:
    try:
        check_visible(_from_json(env))
    except ValueError as error:
        return [str(error)]
    return []


def _no_images(found: str) -> str:
    return (
        f"network: expected mlp, got convolutions: {found}. Those of env=minatar and env=atari are "
        "images."
    )
