"""Exit statuses of the commands."""

import signal
import subprocess
import sys

import pytest
from hydra.errors import ConfigCompositionException

from dqn_exp.cli import run_command
from dqn_exp.core.errors import ConfigError, RunError


@pytest.fixture(autouse=True)
def keep_process(monkeypatch):
    """The command changes the path of imports and a signal handler of its process."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (RunError("Run 1 diverged."), 1, "Run 1 diverged.\n"),
        (ConfigError(["a: wrong.", "b: wrong."]), 2, "a: wrong.\nb: wrong.\n"),
        (OSError("No space left on device"), 2, "No space left on device\n"),
        (KeyboardInterrupt("Resume with: x"), 130, "Interrupted. Resume with: x\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (
            ConfigCompositionException("Could not override 'agent.gama'. No match."), 2,
            "agent.gama: unknown key. Did you mean agent.gamma?\n",
        ),
    ],
)  # fmt: skip
def test_an_error_ends_with_its_status_and_message(error, status, message, capsys):
    def command() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        run_command(command)
    assert ended.value.code == status and capsys.readouterr().err == message


def test_a_defect_of_the_package_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 / 0)


def test_modules_of_the_working_directory_are_found(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != ""])
    run_command(lambda: None)
    assert sys.path[0] == str(tmp_path)


def test_a_folder_that_is_gone_is_told(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    with pytest.raises(SystemExit) as ended:
        run_command(lambda: None)
    assert ended.value.code == 2 and "current directory does not exist" in capsys.readouterr().err


def test_closed_output_is_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    run_command(lambda: None)


def test_an_interruption_of_executed_text_ends_with_130_too(tmp_path):
    """Defining a dataclass executes text, as this does."""
    command = "lambda: exec('raise KeyboardInterrupt')"
    text = f"from dqn_exp.cli import run_command\n\nrun_command({command})\n"
    (tmp_path / "interrupted.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "interrupted"], cwd=tmp_path, stderr=subprocess.PIPE, check=False
    )
    assert done.returncode == 130 and done.stderr == b"Interrupted.\n", done


def test_a_reader_that_has_gone_is_no_error():
    """As in `| head`."""
    command = f"{sys.executable} -m dqn_exp.train --cfg job | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""
