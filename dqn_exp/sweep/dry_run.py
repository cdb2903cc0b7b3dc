"""What a run or a sweep would do: its populations, their engines, and the expected time."""

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from dqn_exp.config.engine_choice import explain_engine
from dqn_exp.config.schema import Config
from dqn_exp.core.errors import RunError
from dqn_exp.core.wording import quantity
from dqn_exp.files.run_log import run_logs
from dqn_exp.training.population import Run, train_population
from dqn_exp.training.preflight import shape_of, with_engine
from dqn_exp.training.progress import NoProgress

REHEARSAL_SECONDS = 2.0
MOST_REHEARSED = 4
"""Populations that are rehearsed; the speed of the others is taken to be that of the last one."""


class PlanEnd(SystemExit):
    """Ends the process with status 0 after a plan was printed; Hydra then reports nothing."""

    def __init__(self) -> None:
        """Takes nothing."""
        super().__init__(0)


def end_with_plan(
    groups: Sequence[Sequence[Config]], *, is_remote: bool, num_trials: int | None = None
) -> None:
    """Prints the plan of populations, and ends.

    Args:
        groups: the configs of the runs of each population.
        is_remote: whether they may train on other machines, whose speed is not known.
        num_trials: of a search, each of these populations; None outside searches.

    Raises:
        PlanEnd: Always.
    """
    for line in describe_plan(groups, is_remote=is_remote, num_trials=num_trials):
        print(line, flush=True)  # noqa: T201  (The output of the command.)
    raise PlanEnd


def describe_plan(
    groups: Sequence[Sequence[Config]], *, is_remote: bool, num_trials: int | None = None
) -> Iterator[str]:
    """Yields a line for each population, and one for all; the arguments are as above."""
    if num_trials is not None:
        yield f"Up to {quantity(num_trials, 'trial')}, each of these populations:"
    rate, total, is_known = 0.0, 0.0, not is_remote
    for number, group in enumerate(groups, 1):
        steps = [config.trainer.total_steps for config in group]
        known = [one for one in steps if one is not None]
        line = f"Population {number}: {quantity(len(group), 'run')}, {_steps(known, len(group))}"
        if number <= MOST_REHEARSED and not is_remote:
            rate = measure_rate(group)
        shape, first = shape_of(group[0]), with_engine(group[0])
        yield f"{line}. {explain_engine(first, shape.num_features, shape.num_actions)}"
        is_known &= len(known) == len(group)
        if not is_remote:
            total += sum(known) / rate
            yield f"  {rate:,.0f} steps per second of all runs, without evaluations."
    if is_known:
        interval = tqdm.format_interval(total * (num_trials or 1))
        pruning = "" if num_trials is None else ", without pruning and confirmation"
        yield f"Expected time on this machine: about {interval}{pruning}."
    else:
        reason = "they may train on other machines" if is_remote else "a budget is in episodes"
        yield f"The expected time is not known, since {reason}."
    yield "This was a dry run: no results were written."


def measure_rate(configs: Sequence[Config]) -> float:
    """Returns the steps per second of all runs of a population that learn, in a rehearsal.

    Raises:
        RunError: If they fail.
    """
    logger = logging.getLogger("dqn_exp")
    level = logger.level
    began: list[float] = []

    def should_stop() -> bool:
        began.append(time.perf_counter())
        return began[-1] - began[0] > REHEARSAL_SECONDS

    with tempfile.TemporaryDirectory() as folder, run_logs():
        runs = [_rehearsed(config, Path(folder, str(i))) for i, config in enumerate(configs)]
        logger.setLevel(logging.ERROR)
        try:
            results = train_population(runs, lambda results: None, should_stop, NoProgress())
        finally:
            logger.setLevel(level)
    if problems := [result.error for result in results if result.error] or not began:
        raise RunError(f"A rehearsal of the runs failed: {problems}")
    seconds = max(began[-1] - began[0], 1e-3)
    return max(1.0, sum(result.steps for result in results) / seconds)


def _rehearsed(config: Config, folder: Path) -> Run:
    """Returns a run that learns from the start and writes little."""
    folder.mkdir()
    starts = min(config.agent.learning_starts, 2 * config.agent.batch_size)
    update = {
        "agent": config.agent.model_copy(update={"learning_starts": starts}),
        "eval": config.eval.model_copy(update={"every_steps": None, "episodes": 1}),
        "checkpoint": config.checkpoint.model_copy(update={"every_steps": None}),
        "log": config.log.model_copy(update={"tensorboard": False, "video": False, "metrics": []}),
        "callbacks": [],
    }
    return Run(config.model_copy(update=update), folder, {})


def _steps(known: Sequence[int], count: int) -> str:
    if not known:
        return "with budgets in episodes"
    each = f"{min(known):,}" if min(known) == max(known) else f"{min(known):,} to {max(known):,}"
    return f"{each} steps each" if count > 1 else f"{each} steps"
