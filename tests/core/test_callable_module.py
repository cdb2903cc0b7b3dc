"""Modules that are functions of the Python API as well."""

import subprocess
import sys


def test_modules_of_the_api_can_be_called_and_imported_from(tmp_path):
    code = """
import dqn_exp
import dqn_exp.sweep.sweeper
from dqn_exp.train import main
import dqn_exp.train as train

for name in ("train", "sweep", "search"):
    assert callable(getattr(dqn_exp, name)), name
assert train.main is main
try:
    dqn_exp.train({"agent.gama": 1}, quiet=True)
except dqn_exp.ConfigError as error:
    print(error)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "agent.gama: unknown key. Did you mean agent.gamma?\n"
