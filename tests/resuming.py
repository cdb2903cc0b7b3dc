"""Runs that stop at some step, and what they must be like at the end."""

import json
import random
import shutil
from pathlib import Path

from dqn_exp.config.schema import Config
from dqn_exp.files.checkpoint import PREVIOUS
from tests.conftest import results_of, train_in_folders

SETTINGS = {
    "agent__learning_starts": 30,
    "agent__batch_size": 8,
    "buffer__capacity": 120,
    "checkpoint__every_steps": 37,
    "env__max_episode_steps": 25,
    "eval__every_steps": 90,
    "eval__episodes": 2,
    "log__every_steps": 40,
    "network__hidden_sizes": [12],
    "trainer__total_steps": 200,
}


def make_folders(folder: Path, count: int) -> list[Path]:
    folders = [folder / str(index) for index in range(count)]
    for one in folders:
        one.mkdir(parents=True)
    return folders


def stop_after(num_ticks: int):
    count = iter(range(10**9))
    return lambda: next(count) >= num_ticks


def copy_after(num_ticks: int, source: Path, target: Path):
    """Copies what is on disk after some ticks: what a run that is killed then leaves behind."""
    count = iter(range(10**9))

    def should_stop() -> bool:
        if next(count) == num_ticks:
            shutil.copytree(source, target)
        return False

    return should_stop


def check_resumed(configs: list[Config], folder: Path, seed: int, latest_kill: int = 190) -> None:
    """Runs that are interrupted, and others that are killed, end with the same bytes."""
    dice = random.Random(seed)
    peace = make_folders(folder / "peace", len(configs))
    killed = folder / "killed"
    should_stop = copy_after(dice.randint(1, latest_kill), folder / "peace", killed)
    expected = train_in_folders(configs, peace, should_stop)
    assert {result.status for result in expected} == {"completed"}
    interrupted = make_folders(folder / "interrupted", len(configs))
    for num_ticks in (dice.randint(1, 80), 1, dice.randint(1, 80), 10**6):
        results = train_in_folders(configs, interrupted, stop_after(num_ticks))
    train_in_folders(configs, [killed / one.name for one in peace])
    for row, (one, result) in enumerate(zip(expected, results, strict=True)):
        for other in (interrupted[row], killed / str(row)):
            assert results_of(other) == results_of(peace[row])
        assert (result.status, result.objective, result.steps, result.episodes, result.updates) == (
            one.status, one.objective, one.steps, one.episodes, one.updates
        )  # fmt: skip
        assert not (interrupted[row] / PREVIOUS).exists()


def interrupt(run: Path, **changes: object) -> None:
    """Makes what a completed run has left look as if it had been killed before it was told."""
    result = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps({**result, "status": "running", **changes}))


def empty(run: Path) -> None:
    """Takes from a run all but what it has before it begins."""
    for path in run.iterdir():
        if path.name != ".hydra":
            path.unlink()
