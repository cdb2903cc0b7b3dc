"""Builders that the tests share: configs, populations, and their files."""

import copy
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from dqn_exp import resume
from dqn_exp.analysis import plot_files
from dqn_exp.config.conf_dir import conf_dir
from dqn_exp.config.schema import Config
from dqn_exp.config.validation import to_config
from dqn_exp.files.result import Result
from dqn_exp.training.population import Run, train_population
from dqn_exp.training.preflight import with_engine
from dqn_exp.training.progress import NoProgress
from tests.command import Ended, close_log_files, run_here, short
from tests.stepping import single_steps

os.environ.setdefault("HYDRA_FULL_ERROR", "1")

MUNCHAUSEN = {"kind": "munchausen", "scale": 0.9, "temperature": 0.03, "clip": -1.0}


ENGINE_FREE_FOLDERS = ("agent", "buffer", "config", "core", "env", "network")
ENGINE_FREE_FILES = ("test_architecture.py", "test_family.py", "test_gpu.py")
ONLY_TORCH = ("[torch", "categorical", "quantile", "munchausen", "noisy")
"""What the parameters of a test have that does not need the first of the agents below."""
RAINBOW = (
    *("agent/value=categorical", "agent/target=double", "buffer=prioritized", "agent.n_step=3"),
    *("network.dueling=true", "network.noisy=true"),
)
COMPILED_AHEAD = ((), ("network.hidden_sizes=[9,3]",), RAINBOW)
"""Agents that are compiled when a session starts, the first of which most tests use."""
COMPILING = pytest.StashKey[
    tuple[list[subprocess.Popen[bytes]], tempfile.TemporaryDirectory[str]]
]()
LOCK = "DQN_EXP_TEST_COMPILATION"
"""Environment variable with the file that is locked until the engine is compiled."""


def pytest_sessionstart(session: pytest.Session) -> None:
    """Lets Ctrl-C work, and compiles once for all while tests that need no compiled code run."""
    # A shell starts background jobs with SIGINT ignored, which commands of tests would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(session.config, "workerinput"):
        return
    folder = tempfile.TemporaryDirectory()
    os.environ[LOCK] = f"{folder.name}/lock"
    with open(os.environ[LOCK], "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The first process inherits the lock, and its end releases it.
        processes = [
            start_compilation(options, f"{folder.name}/{number}", [lock.fileno()][number:])
            for number, options in enumerate(COMPILED_AHEAD)
        ]
    session.config.stash[COMPILING] = processes, folder


def start_compilation(
    options: Sequence[str], directory: str, files: Sequence[int]
) -> subprocess.Popen[bytes]:
    """Starts a short run, which inherits files; processes compile one after the other."""
    keys = ("experiment=smoke", "engine=native", *options, f"hydra.run.dir={directory}")
    return subprocess.Popen(
        [sys.executable, "-m", "dqn_exp.train", *keys],
        cwd=Path(__file__).parent.parent,
        pass_fds=files,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Ends the compilation if it has not ended."""
    if COMPILING in session.config.stash:
        processes, folder = session.config.stash[COMPILING]
        for process in processes:
            process.kill()
            process.wait()
        folder.cleanup()


def needs_engine(item: pytest.Function) -> bool:
    """Returns whether a test may need the compiled engine."""
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    if "native" in item.nodeid:
        return True
    if folder == "analysis":
        return "command" in item.fixturenames
    is_free = folder in ENGINE_FREE_FOLDERS or folder in ENGINE_FREE_FILES
    return not (is_free or any(word in item.name for word in ONLY_TORCH))


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Puts the tests that need the compiled engine last."""
    items.sort(key=needs_engine)


def pytest_runtest_setup(item: pytest.Function) -> None:
    """Waits until the engine is compiled, instead of compiling it in each process."""
    if needs_engine(item) and os.path.exists(os.environ.get(LOCK, "")):
        with open(os.environ[LOCK]) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)


@cache
def composed(options: tuple[str, ...]) -> dict[str, Any]:
    """The config page with some options of its groups, as plain containers."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        values = OmegaConf.to_container(compose("config", list(options)), resolve=True)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def config_values(*options: str, **overrides: Any) -> dict[str, Any]:
    """The defaults as plain containers.

    Args:
        options: of groups, such as buffer=prioritized.
        overrides: values for keys such as `agent__gamma`.
    """
    values = copy.deepcopy(composed(options))
    values["log"]["progress"] = False
    values["num_threads"] = 1
    for name, value in overrides.items():
        *groups, key = name.split("__")
        section = values
        for group in groups:
            section = section[group]
        section[key] = value
    return values


COMPILES_ALL = bool(os.environ.get("DQN_EXP_TEST_ALL_COMPILED"))
"""Whether tests train every agent in compiled code; each kind takes several seconds to compile."""


def make_config(*options: str, **overrides: Any) -> Config:
    """A config; torch trains all but the default agent, unless told otherwise."""
    values = config_values(*options, **overrides)
    if "engine" not in overrides and not COMPILES_ALL and not is_default(values):
        values["engine"] = "torch"
    return with_engine(to_config(values))


def is_default(values: Mapping[str, Any]) -> bool:
    """Whether an agent has the default components."""
    keys = (
        *("network.activation", "network.dueling", "network.noisy", "buffer.kind", "agent.loss"),
        *("agent.normalize_observations", "agent.value.kind", "agent.target.kind"),
        "agent.optimizer.kind",
    )
    given, default = OmegaConf.create(dict(values)), OmegaConf.create(composed(()))
    # Some tests give values of the wrong type.
    return all(OmegaConf.select(given, key) == OmegaConf.select(default, key) for key in keys)


def some_of(chosen: Sequence[tuple[Any, ...]], *levels: Sequence[Any]) -> list[Any]:
    """All combinations of levels as parameters of a test; those that are not chosen are slow."""
    every = list(product(*levels))
    assert all(one in every for one in chosen)
    return [one if one in chosen else pytest.param(*one, marks=pytest.mark.slow) for one in every]


def never() -> bool:
    """Lets training go on."""
    return False


def train_in_folders(
    configs: Sequence[Config],
    folders: Sequence[Path],
    should_stop: Callable[[], bool] = never,
) -> list[Result]:
    """Trains configs as one population in folders that exist."""
    runs = [Run(c, f, c.hyperparameters()) for c, f in zip(configs, folders, strict=True)]
    if should_stop is never:
        return train_population(runs, ignore_results, never, NoProgress())
    with single_steps():  # It is asked before each step.
        return train_population(runs, ignore_results, should_stop, NoProgress())


@pytest.fixture
def train(tmp_path: Path) -> Callable[[Sequence[Config], str], list[Path]]:
    """Trains configs as one population in a new folder; returns the directories of the runs."""

    def train_in(configs: Sequence[Config], name: str) -> list[Path]:
        folders = [tmp_path / name / str(index) for index in range(len(configs))]
        for folder in folders:
            folder.mkdir(parents=True)
        train_in_folders(configs, folders)
        return folders

    return train_in


@pytest.fixture(autouse=True)
def one_format(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes pictures in one format only, which is faster, where a test is not about them."""
    if "all_formats" not in request.fixturenames:
        monkeypatch.setattr(plot_files, "FORMATS", ("svg",))


@pytest.fixture
def all_formats() -> None:
    """Writes pictures in all formats."""


@pytest.fixture(autouse=True)
def no_waiting_for_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves it to the system when files reach the disk: no test loses power."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(autouse=True)
def keep_threads() -> Iterator[None]:
    """Populations choose the number of threads of the process."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def results_of(folder: Path) -> Mapping[str, bytes]:
    """The bytes that must not depend on what a run is trained with."""
    names = ("episodes.csv", "evaluations.csv", "checkpoint.pt")
    return {name: (folder / name).read_bytes() for name in names if (folder / name).exists()}


def ignore_results(results: Sequence[Result]) -> None:
    """Takes what `train_population` tells while it goes on."""


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    def run(*arguments: str) -> Ended:
        return run_here(short(*arguments), tmp_path, monkeypatch, capsys)

    return run


@pytest.fixture
def calling(tmp_path, monkeypatch, capsys):
    """Makes a function that calls the main function of a command in the folder of the test."""

    def calling_main(main: Callable[[Sequence[str]], None]) -> Callable[..., Ended]:
        def run(*arguments: str) -> Ended:
            monkeypatch.chdir(tmp_path)
            status = 0
            try:
                main(arguments)
            except SystemExit as error:
                status = error.code if isinstance(error.code, int) else 1
            finally:
                close_log_files()
            return Ended(status, *capsys.readouterr())

        return run

    return calling_main


@pytest.fixture
def resumed(calling):
    return calling(resume.main)
