"""The choice between compiled and Python environments."""

from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.classic_control import ClassicControlVectorEnv
from dqn_exp.env.classic_control_physics import PHYSICS
from dqn_exp.env.gymnasium_env import limit_of
from dqn_exp.env.registry import find_spec
from dqn_exp.env.serial_env import SerialVectorEnv
from dqn_exp.env.vector_env import VectorEnv


def make_vector_env(
    arguments: EnvArguments, count: int, *, returns_frames: bool = False
) -> VectorEnv:
    """Makes a vectorized environment; those of classic control are compiled.

    Args:
        arguments: what each environment is made of.
        count: N, or all episodes of an evaluation.
        returns_frames: whether images are returned as single frames, see `SingleEnv`.

    Raises:
        ValueError: If there is no such environment or DQN cannot act in it.
    """
    spec, limit = find_spec(arguments.id), limit_of(arguments)
    physics = PHYSICS.get(spec.entry_point)
    if physics is not None and limit and not spec.additional_wrappers:
        given = {**spec.kwargs, **arguments.kwargs}
        value = given.pop(physics.argument or "", physics.default)
        if not given and isinstance(value, bool | int | float):
            return ClassicControlVectorEnv(physics, count, limit, float(value))
    return SerialVectorEnv(arguments, count, returns_frames=returns_frames)
