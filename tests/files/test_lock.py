import fcntl
import logging
import subprocess
import sys

import pytest

from dqn_exp.core.errors import ConfigError
from dqn_exp.files import lock
from dqn_exp.files.lock import lock_directory

HOLD = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from dqn_exp.files.lock import lock_directory\n"
    "with lock_directory(Path(sys.argv[1]), exclusive=False):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()\n"
)


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_one_that_begins_must_be_alone_and_workers_share(tmp_path, holder, monkeypatch):
    monkeypatch.setattr(lock, "WAIT_SECONDS", 0.3)
    with lock_directory(tmp_path, exclusive=False):
        pass
    with (
        pytest.raises(ConfigError, match="another process trains in it"),
        lock_directory(tmp_path, exclusive=True),
    ):
        pass
    holder.kill()
    holder.wait()
    with lock_directory(tmp_path, exclusive=True):
        pass
    assert list(tmp_path.iterdir()) == []


def test_it_waits_for_workers_that_are_about_to_end(tmp_path, holder):
    holder.stdin.close()
    with lock_directory(tmp_path, exclusive=True):
        assert holder.wait() == 0


def test_a_file_system_without_locks_is_told_of(tmp_path, monkeypatch, caplog):
    def refuse(descriptor, kind):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with caplog.at_level(logging.WARNING), lock_directory(tmp_path, exclusive=True):
        pass
    assert "cannot be locked" in caplog.text
