"""Atari games, preprocessed by the Arcade Learning Environment, whose state can be saved."""

import zlib
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from dqn_exp.core.extras import import_extra
from dqn_exp.core.wording import quantity

MOST_FRAMES = 108_000
"""Of the emulator in a game: half an hour at 60 frames a second."""

NEVER = 2**31 - 1
"""Frames that no game reaches."""


class Atari(gymnasium.Env[Any, Any]):
    """An Atari game with single frames `[84, 84]` in gray.

    The Arcade Learning Environment: An Evaluation Platform for General Agents,
    https://doi.org/10.1613/jair.3912. Frame skip, pooling, scaling and no-ops at the start are
    those of its own vector environment, which runs outside the GIL. A game is truncated here after
    `MOST_FRAMES`: the emulator would return a frame of the middle of a step.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 15}  # noqa: RUF012

    def __init__(
        self,
        game: str,
        *,
        frame_skip: int = 4,
        sticky_action_prob: float = 0.25,
        episodic_life: bool = False,
        noop_max: int = 30,
        fire_reset: bool = False,
        full_action_space: bool = False,
        render_mode: str | None = None,
    ) -> None:
        """Makes a game.

        Args:
            game: such as pong or space_invaders.
            frame_skip: frames of the emulator for each action.
            sticky_action_prob: probability that the emulator repeats the previous action.
            episodic_life: whether a lost life ends an episode; the game goes on in the next one.
            noop_max: frames, at most, in which nothing is done at the start of a game.
            fire_reset: whether games that begin by firing do so by themselves.
            full_action_space: whether all 18 actions are available, else those with an effect.
            render_mode: rgb_array or None.

        Raises:
            ValueError: If a number is out of its range.
        """
        if not 0 <= sticky_action_prob <= 1:
            raise ValueError(
                f"sticky_action_prob: expected a number from 0 to 1, got {sticky_action_prob}"
            )
        for name, number, least in (("frame_skip", frame_skip, 1), ("noop_max", noop_max, 0)):
            if type(number) is not int or number < least:
                raise ValueError(f"{name}: expected an integer of at least {least}, got {number!r}")
        vector_env = import_extra("ale_py.vector_env", "atari")
        self._games = vector_env.AtariVectorEnv(
            game,
            max_num_frames_per_episode=NEVER,
            num_envs=1,
            num_threads=1,
            stack_num=1,
            frameskip=frame_skip,
            repeat_action_probability=sticky_action_prob,
            noop_max=noop_max,
            use_fire_reset=fire_reset,
            full_action_space=full_action_space,
            reward_clipping=False,
        )
        self.action_space = spaces.Discrete(int(self._games.single_action_space.n))
        self.observation_space = spaces.Box(0, 255, (84, 84), np.uint8)
        self.render_mode = render_mode
        self._frame_skip, self._episodic_life = frame_skip, episodic_life
        self._seed, self._actions, self._lives = 0, list[int](), 0
        self._goes_on = False  # After a lost life.
        self._has_begun = False

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Starts a game or, after a lost life, goes on with the current one."""
        if self._goes_on:
            self._goes_on = False
            return self._newest, {}
        super().reset(seed=seed)
        self._seed = int(self.np_random.integers(2**31)) if seed is None else seed
        self._actions = []
        self._start()
        return self._newest, {}

    def begin_step(self, action: Any) -> None:
        """Lets the emulator take an action in its thread; `step` waits for the result."""
        self._games.send(np.array([action]))
        self._has_begun = True

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Takes an action, which may have begun."""
        self._actions.append(int(action))
        if not self._has_begun:
            self.begin_step(action)
        self._has_begun = False
        frames, rewards, terminated, _, info = self._games.recv()
        lives, is_over = int(info["lives"][0]), bool(terminated[0])
        truncated = not is_over and len(self._actions) * self._frame_skip >= MOST_FRAMES
        self._goes_on = self._episodic_life and lives < self._lives and not (is_over or truncated)
        self._newest, self._lives = frames[0, 0].copy(), lives
        return self._newest, float(rewards[0]), is_over or self._goes_on, truncated, {}

    def state_dict(self) -> dict[str, Any]:
        """Returns the seed of the game, its actions, and a checksum of its newest frame."""
        actions = np.array(self._actions, dtype=np.int64)
        frame = zlib.crc32(self._newest)
        return {"seed": self._seed, "actions": actions, "goes_on": self._goes_on, "frame": frame}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Plays the game of a `state_dict` again.

        Raises:
            ValueError: If it leads to another frame, as another version of the emulator may.
        """
        self._seed, self._actions = state["seed"], np.asarray(state["actions"]).tolist()
        self._start()
        for action in self._actions:
            frames, *_, info = self._games.step(np.array([action]))
            self._newest, self._lives = frames[0, 0].copy(), int(info["lives"][0])
        found = zlib.crc32(self._newest)
        if state.get("frame", found) != found:  # States of version 0.1 have no checksum.
            steps = quantity(len(self._actions), "step")
            raise ValueError(f"repeating {steps} led to another frame")
        self._goes_on = state["goes_on"]

    def render(self) -> Any:
        """Returns the newest frame as an image `[336, 336, 3]`."""
        return self._newest.repeat(4, axis=0).repeat(4, axis=1)[:, :, None].repeat(3, axis=2)

    def close(self) -> None:
        """Closes the emulator, whose thread ends with this object."""
        self._games.close()

    def _start(self) -> None:
        options = {"reset_mask": np.array([True])}
        frames, info = self._games.reset(seed=np.array([self._seed]), options=options)
        self._newest, self._lives = frames[0, 0].copy(), int(info["lives"][0])


def register_envs() -> None:
    """Registers all games of the Arcade Learning Environment."""
    roms = import_extra("ale_py.roms", "atari")
    for game in roms.get_all_rom_ids():
        gymnasium.register(
            f"atari/{game}-v5", entry_point=f"{__name__}:Atari", kwargs={"game": game}
        )
