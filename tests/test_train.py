"""The command that trains."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import run_apart


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--cfg", "job"], ["--cfg", "job", "experiment=book"]]
)
def test_asking_for_help_or_the_config_loads_nothing_heavy(tmp_path, arguments):
    code = (
        "import sys, atexit\n"
        "heavy = {'torch', 'gymnasium', 'tensorboard', 'pydantic', 'numpy'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules)), file=sys.stderr))\n"
        "from dqn_exp.train import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stderr.strip() == "[]" and "gamma: 0.98" in done.stdout
    assert not list(tmp_path.iterdir())


def test_the_console_script_is_the_same_command(tmp_path):
    script = Path(sys.executable).with_name("dqn-exp")
    done = subprocess.run(
        [script, "agent.gama=1"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "Did you mean agent.gamma?" in done.stderr
    assert run_apart(["agent.gama=1"], tmp_path) == (2, done.stdout, done.stderr)
