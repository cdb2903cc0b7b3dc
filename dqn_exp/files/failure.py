"""The line about a run that has not completed, with the files that tell more."""

from pathlib import Path

from dqn_exp.files.directories import shorten
from dqn_exp.files.failed_episode import replay_advice
from dqn_exp.files.result import Result


def describe_failure(result: Result, directory: Path) -> str:
    """Returns status and error of a run, its log file, and how to play a failed episode again.

    Args:
        result: of the run.
        directory: of the run.
    """
    reason = f" {result.error}" if result.error else ""
    logs = sorted(directory.glob("*.log"), key=lambda path: path.stat().st_mtime)
    where = f" See {shorten(logs[-1])}." if logs else ""
    again = replay_advice(directory) if result.status == "failed" else ""
    return f"{result.status}:{reason}{where}{again}"
