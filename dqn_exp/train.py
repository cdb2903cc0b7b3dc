"""Trains one run, or with -m a sweep: `python -m dqn_exp.train agent.gamma=0.99`.

Slow imports are delayed until a run starts, so that `--help` and `--cfg job` are instant.
"""

import sys

import hydra
from omegaconf import DictConfig

from dqn_exp.cli import run_command
from dqn_exp.config.conf_dir import conf_dir

MULTIRUN = ("-m", "--multirun")


def main() -> None:
    """Trains, and exits with a status.

    0: all runs completed. 1: a run failed or diverged. 2: bad input; nothing was created.
    130: interrupted.
    """
    # Hydra's parser accepts flags before or after all overrides, but not between them.
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda argument: argument not in MULTIRUN)
    run_command(train)


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
def train(config: DictConfig) -> float:
    """Trains one run in the directory that Hydra has created; returns its objective."""
    from dqn_exp.sweep.single_run import train_run  # Delayed: see the module docstring.

    return train_run(config)


if __name__ == "__main__":
    main()
