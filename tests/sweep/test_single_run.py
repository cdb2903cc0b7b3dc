"""A single run of the command."""

import re


def test_a_single_run_that_diverges_ends_with_status_1(command, tmp_path):
    ended = command("agent.learning_rate=1e30", "hydra.run.dir=r")
    assert ended.status == 1
    assert re.fullmatch(
        r"diverged: Loss or parameters not finite at step \d+\. See r/train\.log\.",
        ended.err.splitlines()[-1],
    )
    assert "Traceback" not in ended.err
