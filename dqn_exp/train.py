"""Trains one run, or with -m a sweep: `python -m dqn_exp.train agent.gamma=0.99`.

Slow imports are delayed until a run starts, so that `--help` and `--cfg job` are instant.
"""

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig

from dqn_exp.arguments import arrange, config_dirs
from dqn_exp.cli import run_command
from dqn_exp.config.conf_dir import conf_dir
from dqn_exp.core.callable_module import make_callable
from dqn_exp.core.dry_run import dry_run
from dqn_exp.core.module_search import search_in
from dqn_exp.sweep.hydra_messages import explain_twice

DRY_RUN = "--dry-run"

make_callable(__name__, "dqn_exp.api.training", "train")  # As in dqn_exp.train({"seed": 1}).


def main() -> None:
    """Trains, and exits with a status.

    0: all runs completed. 1: a run failed or diverged. 2: bad input; nothing was created.
    130: interrupted.
    """
    run_command(lambda: train_as_told(sys.argv[1:]))


def train_as_told(arguments: list[str]) -> None:
    """Trains as arguments of the command tell."""
    for line in explain_twice(arguments):
        sys.stderr.write(line + "\n")
    rest = [one for one in arguments if one != DRY_RUN]
    # Hydra reads the arguments of the process.
    sys.argv = [sys.argv[0], *arrange(rest)]
    for folder in config_dirs(sys.argv[1:]):
        search_in(Path(folder).absolute())
    with dry_run(len(rest) < len(arguments)):
        train()


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
def train(config: DictConfig) -> float:
    """Trains one run in the directory that Hydra has created; returns its objective."""
    from dqn_exp.sweep.single_run import train_run  # Delayed: see the module docstring.

    return train_run(config)


if __name__ == "__main__":
    main()
