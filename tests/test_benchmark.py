"""What the scripts measure and report, as far as that can be checked without hours of training."""

import subprocess
import sys
from pathlib import Path

from scripts.leaderboard import BOARDS, OWN

ROOT = Path(__file__).parent.parent


def test_programs_that_are_compared_do_not_get_the_variables_of_this_one():
    code = "import sys, scripts.benchmark; sys.exit('dqn_exp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_settings_of_one_agent_on_a_task_are_used():
    sweeps = [sweep for board in BOARDS.values() for sweep in board.sweeps.items()]
    assert all(set(own) <= set(dict(sweeps)[place]) for place, own in OWN.items())
