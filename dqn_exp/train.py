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
from dqn_exp.core.module_search import search_in
from dqn_exp.sweep.hydra_messages import explain_twice


def main() -> None:
    """Trains, and exits with a status.

    0: all runs completed. 1: a run failed or diverged. 2: bad input; nothing was created.
    130: interrupted.
    """
    run_command(_train_as_told)


def _train_as_told() -> None:
    for line in explain_twice(sys.argv[1:]):
        sys.stderr.write(line + "\n")
    sys.argv[1:] = arrange(sys.argv[1:])
    for folder in config_dirs(sys.argv[1:]):
        search_in(Path(folder).absolute())
    train()


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
def train(config: DictConfig) -> float:
    """Trains one run in the directory that Hydra has created; returns its objective."""
    from dqn_exp.sweep.single_run import train_run  # Delayed: see the module docstring.

    return train_run(config)


if __name__ == "__main__":
    main()
