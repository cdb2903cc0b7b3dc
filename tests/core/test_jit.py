"""Where compiled code is kept."""

import errno
import fcntl
import logging
import shutil
import subprocess
import sys

import numba
import numpy as np
import pytest

from dqn_exp.core import jit
from dqn_exp.core.file_locks import is_locked_now, lock_until_exit
from tests.conftest import never

PROBE = """
import numpy as np
from dqn_exp.core import schedule
one = np.ones(1)
made = schedule.Schedule(0 * one, one, np.array([10]), np.zeros(1, dtype=np.bool_))
assert made.value(np.array([5])) == [0.5]
print(sum(schedule._values.stats.cache_hits.values()))
"""


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Places of its own for compiled code, the cache of the package being elsewhere."""
    for name in ("given", "package", "home"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(jit, "PACKAGE", tmp_path / "package")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "given"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return tmp_path


def block(path) -> None:
    """Makes that nothing can be written there, also for root."""
    if path.is_dir():
        path.rmdir()
    path.write_text("in the way")


def found() -> str | None:
    directory = jit._directory.__wrapped__()
    return None if directory is None else directory.parent.as_posix()


def test_the_first_place_that_can_be_written_is_taken(places):
    for name, expected in (
        ("given", "given"),
        ("package/__pycache__", "package/__pycache__"),
        ("home/dqn_exp", "home/dqn_exp"),
    ):
        assert found() == (places / expected).as_posix()
        if name == "given":
            for directory in (places / "given").iterdir():
                shutil.rmtree(directory)
            block(places / "given")
        else:
            for directory in (places / name).iterdir():
                shutil.rmtree(directory)
            block(places / name)
    assert found() is None


def test_code_of_earlier_versions_is_removed_unless_it_is_in_use(places, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    cache = places / "package/__pycache__"
    for name in ("compiled-old", "compiled-used"):
        (cache / name / "of_a_module").mkdir(parents=True)
    lock_until_exit(cache / "compiled-used" / jit.IN_USE)
    own = jit._directory.__wrapped__()
    assert sorted(path.name for path in cache.iterdir()) == sorted([own.name, "compiled-used"])
    # As it is found from another process.
    with (own / jit.IN_USE).open("a") as file:
        assert not is_locked_now(file.fileno())


def test_a_process_without_a_home_has_no_place(places, monkeypatch):
    def expanduser(path):
        if "~" in str(path):
            raise RuntimeError("Could not determine home directory.")
        return path

    monkeypatch.setattr(jit.Path, "expanduser", expanduser)
    monkeypatch.delenv("XDG_CACHE_HOME")
    for name in ("given", "package/__pycache__"):
        block(places / name)
    assert found() is None


def test_functions_work_where_nothing_can_be_kept_and_that_is_told_once(monkeypatch, caplog):
    monkeypatch.setattr(jit, "_directory", lambda: None)

    @jit.cached_jit
    def twice(values):
        return 2 * values

    assert twice(np.arange(3)).tolist() == [0, 2, 4]
    jit._log_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with jit.announced_compilation(never):
                pass
    assert caplog.text.count("Compiled code cannot be cached") == 1


@pytest.mark.parametrize("stops", [False, True])
def test_a_second_process_says_that_it_waits_and_can_be_stopped(
    tmp_path, monkeypatch, caplog, stops
):
    monkeypatch.setattr(jit, "_directory", lambda: tmp_path)
    answers = iter([False, stops])
    with (tmp_path / "lock").open("w") as held, caplog.at_level(logging.INFO):
        fcntl.flock(held, fcntl.LOCK_EX)

        def should_stop() -> bool:
            answer = next(answers)
            if caplog.text and not answer:  # It has waited once.
                fcntl.flock(held, fcntl.LOCK_UN)
            return answer

        with jit.announced_compilation(should_stop) as is_free:
            assert is_free != stops
    assert caplog.text.count("Waiting for another process to compile.") == 1


def test_where_files_cannot_be_locked_everything_is_compiled_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(jit, "_directory", lambda: tmp_path)

    def refuse(*_arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with jit.announced_compilation(never) as is_free:
        assert is_free


def test_whoever_waits_for_the_compiler_is_told(caplog):
    @numba.njit
    def twice(value):
        return 2 * value

    with caplog.at_level(logging.INFO):
        for _ in range(2):
            with jit.announced_compilation(never):
                twice(1)
                twice(1)
    assert caplog.text.count("Compiling for this machine") == 1
    assert caplog.text.count("Compiled in") == 1


@pytest.mark.parametrize("name", ["kernels", "intrinsics", "constants", "deep"])
def test_a_change_of_what_compiled_functions_depend_on_asks_for_new_code(places, name):
    files = {
        "kernels": "from dqn_exp.core.jit import kernel\nfrom dqn_exp.constants import SHARE\n",
        "intrinsics": "from numba.extending import intrinsic\n",
        "constants": "from dqn_exp.deep import SHARE\n",
        "deep": "SHARE = 1\n",
        "other": "from dqn_exp.kernels import train\n",
    }
    for file, text in files.items():
        (places / f"package/{file}.py").write_text(text)
    first = jit._digest()
    (places / "package/other.py").write_text("from dqn_exp.kernels import learn\n")
    assert jit._digest() == first
    (places / f"package/{name}.py").write_text(f"{files[name]}# Changed.\n")
    assert jit._digest() != first


def test_the_code_of_an_older_package_is_removed(places, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    (places / "package/__pycache__/compiled-of-old").mkdir(parents=True)
    (places / "package/__pycache__/other").mkdir()
    directory = jit._directory.__wrapped__()
    assert {path.name for path in directory.parent.iterdir()} == {directory.name, "other"}


def test_a_second_process_loads_what_the_first_has_compiled(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    hits = [
        subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert [int(done.stdout) for done in hits] == [0, 1]
