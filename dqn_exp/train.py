"""The command that trains one run, or with -m a sweep: `python -m dqn_exp.train agent.gamma=0.99`.

Nothing heavy is imported before a run starts, so that `--help` and `--cfg job` are instant.
"""

import logging
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from dqn_exp.command import run_command
from dqn_exp.conf_dir import conf_dir
from dqn_exp.directories import shorten
from dqn_exp.errors import RunError

log = logging.getLogger(__name__)

MULTIRUN = ("-m", "--multirun")


def main() -> None:
    """Trains, and ends the process with a status.

    0: all runs have completed. 1: a run has failed or diverged. 2: the configuration is bad, and
    nothing has been made. 130: interrupted.
    """
    # Hydra's parser takes flags before or after all overrides, but not between them.
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda argument: argument not in MULTIRUN)
    run_command(train)


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
def train(config: DictConfig) -> float:
    """Trains one run in the directory that Hydra has made; returns its objective.

    Raises:
        RunError: if it fails or diverges.
    """
    from dqn_exp.config import to_config
    from dqn_exp.interruption import deferred_interrupts
    from dqn_exp.lock import at_work
    from dqn_exp.population import Run, train_population
    from dqn_exp.progress import make_progress

    values = OmegaConf.to_container(config, resolve=True)
    checked = to_config(values)  # type: ignore[arg-type]
    directory = Path(HydraConfig.get().runtime.output_dir)
    shown = shorten(directory)
    run = Run(checked, directory, checked.hyperparameters())
    progress = make_progress(checked.log.progress)
    with at_work(directory, is_alone=True), deferred_interrupts() as interruption:
        if (directory / "result.json").exists():
            raise RunError(f"A run is never written over, and {shown} holds a result.json.")
        (result,) = train_population(
            [run], lambda results: None, lambda: interruption.is_asked, progress
        )
    if result.status == "interrupted":
        raise KeyboardInterrupt(f"Go on with: python -m dqn_exp.resume {shown}")
    if result.objective is None or result.status != "completed":
        raise RunError(f"{result.status}: {result.error} See {shown / 'train.log'}.")
    logging.getLogger(__name__).info(
        "Results are in %s. Look at them with: tensorboard --logdir %s", shown, shown
    )
    return result.objective


if __name__ == "__main__":
    main()
