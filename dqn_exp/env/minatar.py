"""The games of MinAtar, whose state can be saved."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from dqn_exp.core.extras import import_extra
from dqn_exp.core.planes import draw_planes

GAMES = ("asterix", "breakout", "freeway", "seaquest", "space_invaders")


class MinAtar(gymnasium.Env[Any, Any]):
    """A game of MinAtar with observations `[10, 10, C]` of booleans.

    MinAtar: An Atari-Inspired Testbed for Thorough and Reproducible Reinforcement Learning
    Experiments, https://arxiv.org/abs/1903.03176.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 15}  # noqa: RUF012

    def __init__(
        self,
        game: str,
        *,
        has_minimal_actions: bool = True,
        sticky_action_prob: float = 0.1,
        difficulty_ramping: bool = True,
        render_mode: str | None = None,
    ) -> None:
        """Makes a game.

        Args:
            game: one of `GAMES`.
            has_minimal_actions: whether only actions with an effect are available, else all six.
            sticky_action_prob: probability that the previous action is repeated.
            difficulty_ramping: whether the game becomes harder with time.
            render_mode: rgb_array or None.
        """
        if not 0 <= sticky_action_prob <= 1:
            raise ValueError(
                f"sticky_action_prob: expected a number from 0 to 1, got {sticky_action_prob}"
            )
        minatar = import_extra("minatar", "minatar")
        self._game = minatar.Environment(game, sticky_action_prob, difficulty_ramping)
        self._game.env.random = self._game.random  # As after `seed`.
        count = self._game.num_actions()
        self._actions = self._game.minimal_action_set() if has_minimal_actions else range(count)
        self.action_space = spaces.Discrete(len(self._actions))
        shape = tuple(self._game.state_shape())
        self.observation_space = spaces.Box(0, 1, shape, np.bool_)
        self.render_mode = render_mode

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Starts an episode; with a seed, it is a function of the seed and the actions."""
        if seed is not None:
            self._game.seed(seed)
            self._game.last_action = 0
        self._game.reset()
        return self._game.state(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Takes an action."""
        reward, is_over = self._game.act(self._actions[action])
        return self._game.state(), float(reward), bool(is_over), False, {}

    def state_dict(self) -> dict[str, Any]:
        """Returns the state of the game: of its random numbers and of everything on the screen."""
        _, keys, position, has_gauss, gauss = self._game.random.get_state()
        values = vars(self._game.env)
        return {
            "random": [keys.astype(np.int64), position, has_gauss, gauss],
            "last_action": int(self._game.last_action),
            "values": {
                name: _to_plain(value) for name, value in values.items() if name not in CONSTANTS
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Overwrites the state of the game with the return value of `state_dict`."""
        keys, *rest = state["random"]
        self._game.random.set_state(("MT19937", np.asarray(keys, dtype=np.uint32), *rest))
        self._game.last_action = state["last_action"]
        vars(self._game.env).update(state["values"])

    def render(self) -> Any:
        """Returns the newest observation as an image, a color for each channel."""
        return draw_planes(self._game.state()).repeat(32, axis=0).repeat(32, axis=1)


CONSTANTS = frozenset({"random", "channels", "action_map"})
"""Attributes of a game that never change, or are saved apart."""


def _to_plain(value: Any) -> Any:
    """Returns a copy, with numbers of numpy as numbers of Python."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, list | tuple):
        return [_to_plain(inner) for inner in value]
    return value.item() if isinstance(value, np.generic) else value


def register_envs() -> None:
    """Registers all games, with the minimal set of actions as v1 and with all six as v0."""
    for game in GAMES:
        for version, has_minimal_actions in ((0, False), (1, True)):
            gymnasium.register(
                f"minatar/{game}-v{version}",
                entry_point=f"{__name__}:MinAtar",
                kwargs={"game": game, "has_minimal_actions": has_minimal_actions},
            )
