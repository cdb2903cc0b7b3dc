"""Plans the resumption of a saved sweep and checks the consistency of its files."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from dqn_exp.config.engine_choice import reasons_against_native
from dqn_exp.config.schema import Config
from dqn_exp.config.validation import to_config
from dqn_exp.core.errors import ConfigError
from dqn_exp.files.directories import shorten
from dqn_exp.files.failed_episode import NAME as FAILED_EPISODE
from dqn_exp.files.job_list import JobEntry
from dqn_exp.files.result import Result, read_result
from dqn_exp.training.resume_point import find_resume_point

Action = Literal["skip", "leave", "begin", "resume", "retry"]


class PlannedJob(NamedTuple):
    """A job and the action that completes it.

    Attributes:
        entry: the job.
        config: typed config of the job.
        action: skip a completed or pruned run, leave a failed one, begin, resume or retry.
        result: of the run; None if it has not begun.
        from_step: step at which the run resumes.
        refused: why newer checkpoints are not used.
    """

    entry: JobEntry
    config: Config
    action: Action
    result: Result | None = None
    from_step: int = 0
    refused: Sequence[str] = ()

    @property
    def is_trained(self) -> bool:
        """Whether the run is to be trained."""
        return self.action in ("begin", "resume", "retry")

    def describe(self, sweep_directory: Path) -> str:
        """Returns a line for the user."""
        run = shorten(sweep_directory / self.entry.directory)
        match self.action:
            case "skip":
                assert self.result is not None
                return f"skip   {run}: {self.result.status}"
            case "leave" | "retry":
                assert self.result is not None
                what = f"{self.result.status}: {self.result.error}"
                where = f", from step {self.from_step}" if self.action == "retry" else ""
                return f"{self.action:6} {run}{where} ({what})"
            case "begin":
                return f"begin  {run}"
            case _:
                why = f" ({' '.join(self.refused)})" if self.refused else ""
                return f"resume {run}, from step {self.from_step}{why}"


ResumePlan = list[PlannedJob]


def make_resume_plan(
    directory: Path, entries: Sequence[JobEntry], *, retries_failed: bool
) -> ResumePlan:
    """Returns what to do with each job, without changing anything.

    Args:
        directory: of the sweep.
        entries: its jobs, with the directories in which their runs are.
        retries_failed: whether failed and diverged runs are trained again.

    Raises:
        ConfigError: With every reason why the files do not fit together.
    """
    problems: list[str] = []
    plan = []
    for entry in entries:
        try:
            plan.append(_plan_job(directory, entry, to_config(entry.config), retries_failed))
        except ValueError as error:
            problems += str(error).splitlines()
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return plan


def mark_for_retry(directory: Path, plan: ResumePlan) -> None:
    """Resets the results of runs that are retried to interrupted."""
    for job in plan:
        if job.action == "retry" and job.result is not None:
            (directory / job.entry.directory / FAILED_EPISODE).unlink(missing_ok=True)
            again = replace(job.result, status="interrupted", error=None)
            if not job.from_step:
                again = replace(again, steps=0, episodes=0, updates=0)
            again.write(directory / job.entry.directory)


def _plan_job(directory: Path, entry: JobEntry, config: Config, retries_failed: bool) -> PlannedJob:
    config_hash = config.hash()
    result = read_result(directory / entry.directory)
    if result is not None and result.config_hash == config_hash:
        if result.status in ("completed", "pruned"):
            return PlannedJob(entry, config, "skip", result)
        if result.has_ended and not retries_failed:
            return PlannedJob(entry, config, "leave", result)
    point = find_resume_point(directory / entry.directory, config_hash)
    if entry.config["engine"] == "auto" and _supports(point.engine, config):
        # A later version may choose another engine, and last bits would change.
        entry = entry._replace(config={**entry.config, "engine": point.engine})
        config = config.model_copy(update={"engine": point.engine})
    if result is not None and result.has_ended:
        return PlannedJob(entry, config, "retry", result, point.step)
    action: Action = "resume" if point.step else "begin"
    return PlannedJob(entry, config, action, result, point.step, point.refused)


def _supports(engine: str | None, config: Config) -> bool:
    """Returns whether a run can resume with its engine; its device may have changed."""
    has_reasons = any(reasons_against_native(config))
    return engine == "torch" or (engine == "native" and not has_reasons)
