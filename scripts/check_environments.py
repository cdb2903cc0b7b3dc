"""Trains, kills, resumes and watches many environments, for the table of docs/environments.md.

Each environment trains for about a second. Then the same run is killed with SIGKILL at its first
checkpoint and resumed; its tables and its checkpoint must have the same bytes. At last an episode
is watched.

    pip install -e . "gymnasium[box2d]" minigrid highway-env minatar ale-py
    python scripts/check_environments.py             # prints the table
    python scripts/check_environments.py --write     # replaces that of docs/environments.md
    python scripts/check_environments.py --only Taxi
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
from gymnasium import spaces
from tqdm import tqdm

from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.gymnasium_env import make_env

PAGE = Path(__file__).parent.parent / "docs/environments.md"
BEGIN, END = "<!-- Written by scripts/check_environments.py. -->", "<!-- End of the table. -->"
SECONDS = 1.5
NAMESPACES = ("classic_control", "toy_text", "box2d")

Kwargs = dict[str, Any]

OTHERS: tuple[tuple[str, Kwargs], ...] = (
    ("minigrid:MiniGrid-Empty-5x5-v0", {}),
    ("minigrid:MiniGrid-DoorKey-5x5-v0", {}),
    ("minigrid:MiniGrid-FourRooms-v0", {}),
    ("highway_env:highway-fast-v0", {}),
    *((f"minatar.gym:MinAtar/{game}-v1", {}) for game in
      ("Asterix", "Breakout", "Freeway", "Seaquest", "SpaceInvaders")),
    ("ale_py:ALE/Pong-v5", {"obs_type": "ram"}),
)  # fmt: skip


def to_text(kwargs: Kwargs) -> str:
    """Returns keyword arguments as they are written on the command line."""
    return "{" + ", ".join(f"{key}: {str(value).lower()}" for key, value in kwargs.items()) + "}"


class Row(NamedTuple):
    """What was seen of an environment."""

    env_id: str
    space: str
    num_actions: int
    num_steps: int
    resumed: str
    watched: str


def registered() -> Iterator[tuple[str, Kwargs]]:
    """Yields Gymnasium's own environments with discrete actions, with further overrides."""
    for env_id, spec in sorted(gymnasium.registry.items()):
        if any(f".envs.{name}" in str(spec.entry_point) for name in NAMESPACES):
            env = gymnasium.make(env_id)
            if isinstance(env.action_space, spaces.Discrete):
                yield env_id, {}
            elif env_id.startswith("CarRacing"):
                yield env_id, {"continuous": False}
            env.close()


def command(module: str, *arguments: str) -> list[str]:
    """Returns a command of this package."""
    return [sys.executable, "-m", f"dqn_exp.{module}", *arguments]


def overrides_of(env_id: str, kwargs: Kwargs, num_steps: int, folder: Path) -> list[str]:
    """Returns the overrides of a short run."""
    return [
        f"env.id={env_id}", f"env.kwargs={to_text(kwargs)}",
        f"trainer.total_steps={num_steps}", "log.progress=false",
        "agent.learning_starts=100", "buffer.capacity=1_000", "eval.episodes=1",
        "eval.max_episode_steps=500", f"eval.every_steps={num_steps // 2}",
        "checkpoint.every_steps=50", f"hydra.run.dir={json.dumps(str(folder))}",
    ]  # fmt: skip


def train(env_id: str, kwargs: Kwargs, num_steps: int, folder: Path) -> float:
    """Trains a run; returns its seconds."""
    ended = subprocess.run(
        command("train", *overrides_of(env_id, kwargs, num_steps, folder)),
        capture_output=True, text=True,
    )  # fmt: skip
    if ended.returncode:
        raise RuntimeError(f"{env_id}: {ended.stderr[-500:]}")
    return float(json.loads((folder / "result.json").read_text())["seconds"])


def kill_and_resume(env_id: str, kwargs: Kwargs, num_steps: int, folder: Path) -> str:
    """Kills a run at its first checkpoint, and resumes it; returns what its log says of that."""
    arguments = command("train", *overrides_of(env_id, kwargs, num_steps, folder))
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not (folder / "checkpoint.pt").exists():
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    if json.loads((folder / "result.json").read_text())["status"] == "completed":
        return "not killed in time"
    subprocess.run(command("resume", str(folder)), check=True, capture_output=True)
    log = (folder / "train.log").read_text()
    lost = [line for line in log.splitlines() if "episode is lost" in line]
    return lost[0].partition("begins: ")[2] if lost else ""


def same(one: Path, other: Path) -> bool:
    """Returns whether two runs left the same bytes."""
    names = ("episodes.csv", "evaluations.csv", "checkpoint.pt")
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def look_at(env_id: str, kwargs: Kwargs, folder: Path) -> Row:
    """Trains, kills, resumes and watches an environment."""
    seconds = train(env_id, kwargs, 300, folder / "first")
    num_steps = int(min(max(300, 300 * SECONDS / seconds), 200_000))
    train(env_id, kwargs, num_steps, folder / "peace")
    reason = kill_and_resume(env_id, kwargs, num_steps, folder / "killed")
    resumed = reason or ("same bytes" if same(folder / "peace", folder / "killed") else "differs")
    watched = subprocess.run(
        command("watch", str(folder / "killed"), "--episodes", "1"), capture_output=True, text=True
    )
    env = make_env(EnvArguments(env_id, None, kwargs))
    assert isinstance(env.action_space, spaces.Discrete)
    return Row(
        f"{env_id}" + (f" env.kwargs={to_text(kwargs)}" if kwargs else ""),
        describe(env.observation_space),
        int(env.action_space.n),
        num_steps,
        resumed,
        "yes" if watched.returncode == 0 else f"no: {watched.stderr.strip()[-100:]}",
    )


def describe(space: gymnasium.Space) -> str:  # type: ignore[type-arg]
    """Returns a space in a few words."""
    if isinstance(space, spaces.Box):
        return f"Box {space.shape} {space.dtype}"
    if isinstance(space, spaces.Dict):
        return f"Dict of {', '.join(space)}"
    return str(space)


def to_table(rows: Sequence[Row]) -> str:
    """Returns rows as Markdown."""
    lines = ["| environment | observations | actions | steps | killed and resumed | watched |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    lines += [
        f"| `{row.env_id}` | {row.space} | {row.num_actions} | {row.num_steps:,} | {row.resumed} "
        f"| {row.watched} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Looks at all environments, and prints or writes the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="part of the ids")
    parser.add_argument("--write", action="store_true", help="replace the table of the page")
    options = parser.parse_args()
    wanted = [one for one in (*registered(), *OTHERS) if options.only in one[0]]
    rows = []
    for env_id, kwargs in tqdm(wanted, disable=None):
        with tempfile.TemporaryDirectory() as name:
            rows.append(look_at(env_id, kwargs, Path(name)))
            tqdm.write(to_table(rows[-1:]).splitlines()[-1])
    if options.write:
        head, _, rest = PAGE.read_text().partition(BEGIN)
        tail = rest.partition(END)[2]
        PAGE.write_text(f"{head}{BEGIN}\n\n{to_table(rows)}\n\n{END}{tail}")
    else:
        print(to_table(rows))


if __name__ == "__main__":
    main()
