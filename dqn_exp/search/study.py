"""Optuna's study of a search, in a journal in the directory of the sweep.

Optuna: A Next-generation Hyperparameter Optimization Framework, https://arxiv.org/abs/1907.10902.
"""

import os
import warnings
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from dqn_exp.files.job_list import JOURNAL
from dqn_exp.search.options import SearchOptions

NAME = "search"


class Budget(NamedTuple):
    """Evaluations of a run.

    Attributes:
        first: step of the first one.
        last: step of the last one.
        episodes: of each.
    """

    first: int
    last: int
    episodes: int


def open_study(directory: Path, options: SearchOptions, budget: Budget) -> optuna.Study:
    """Opens the study of a search, or begins it.

    Args:
        directory: of the sweep.
        options: of the search.
        budget: of its runs.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # Some samplers and pruners may change in a later version, which the requirements exclude.
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(directory / JOURNAL))),
        study_name=NAME,
        direction="maximize",
        load_if_exists=True,
        sampler=SeededSampler(options),
        pruner=make_pruner(options, budget),
    )


def read_trials(directory: Path) -> list[FrozenTrial]:
    """Returns the trials of a search, without changing anything."""
    storage = JournalStorage(JournalFileBackend(str(directory / JOURNAL)))
    return optuna.load_study(study_name=NAME, storage=storage).get_trials(deepcopy=False)


def mend_journal(directory: Path) -> None:
    """Removes what a killed process has left: its lock, and a line that has no end."""
    path = directory / JOURNAL
    Path(f"{path}.lock").unlink(missing_ok=True)
    content = path.read_bytes()
    os.truncate(path, content.rfind(b"\n") + 1)


def best_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Returns the completed trials, the best one first."""
    trials = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return sorted(trials, key=lambda trial: -trial.values[0])


def make_pruner(options: SearchOptions, budget: Budget) -> BasePruner:
    """Returns a pruner by name."""
    factor = options.reduction_factor
    match options.pruner:
        case "halving":
            return optuna.pruners.SuccessiveHalvingPruner(budget.first, factor)
        case "hyperband":
            return optuna.pruners.HyperbandPruner(budget.first, budget.last, factor)
        case "median":
            return optuna.pruners.MedianPruner()
        case "wilcoxon":
            # It takes pairs of values, one for each seed and evaluation.
            return optuna.pruners.WilcoxonPruner(n_startup_steps=2 * options.seeds)
        case "none":
            return optuna.pruners.NopPruner()


def make_sampler(options: SearchOptions, seed: int) -> BaseSampler:
    """Returns a sampler by name."""
    match options.sampler:
        case "tpe":
            return optuna.samplers.TPESampler(seed=seed)
        case "gp":
            return optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False)
        case "cmaes":
            return optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
        case "random":
            return optuna.samplers.RandomSampler(seed=seed)
        case "qmc":
            # Its points form one sequence, whatever the trial.
            return optuna.samplers.QMCSampler(
                scramble=True,
                seed=options.sampler_seed,
                warn_asynchronous_seeding=False,
                warn_independent_sampling=False,
            )


class SeededSampler(BaseSampler):
    """A sampler whose values depend on the seed, the trial, the key and earlier trials alone.

    So a search that was killed goes on as if nothing had happened.
    """

    def __init__(self, options: SearchOptions) -> None:
        """Takes the options, which name the sampler."""
        self._options = options

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Returns the space in which keys are sampled together."""
        return self._of(trial, "").infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Returns values of keys that are sampled together."""
        return self._of(trial, "").sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Returns the value of a key that is sampled by itself."""
        sampler = self._of(trial, param_name)
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Prepares a trial."""
        self._of(trial, "").before_trial(study, trial)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Any
    ) -> None:
        """Concludes a trial."""
        self._of(trial, "").after_trial(study, trial, state, values)

    def _of(self, trial: FrozenTrial, key: str) -> BaseSampler:
        entropy = [self._options.sampler_seed, trial.number, zlib.crc32(key.encode())]
        (seed,) = np.random.SeedSequence(entropy).generate_state(1)
        return make_sampler(self._options, int(seed))
