"""Calls the training command in the current process, and restores global state afterwards."""

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator, Sequence

from hydra.core.global_hydra import GlobalHydra

from dqn_exp.cli import BAD_INPUT, prepare
from dqn_exp.core.errors import ConfigError, RunError
from dqn_exp.core.extras import MissingExtraError
from dqn_exp.sweep.callbacks import BadInputExit
from dqn_exp.sweep.hydra_messages import explain
from dqn_exp.train import train_as_told


def call(arguments: Sequence[str], *, is_quiet: bool) -> None:
    """Trains as `python -m dqn_exp.train` does.

    Args:
        arguments: of the command.
        is_quiet: whether to print nothing.

    Raises:
        ConfigError: If the input is invalid; nothing has been created.
        MissingExtraError: If an optional package is needed, with the command that installs it.
        RunError: If a run failed or diverged.
        KeyboardInterrupt: If it is interrupted, with the command that resumes.
    """
    if is_quiet:
        kept = [one for one in arguments if not one.lstrip("+").startswith("log.progress=")]
        arguments = [*kept, "log.progress=false"]
    with _process_as_it_was(), _output(is_quiet):
        prepare()
        try:
            train_as_told(list(arguments))
        except BadInputExit as error:
            raise ConfigError(error.problems) from None
        except (RunError, ConfigError, MissingExtraError):
            raise
        except BAD_INPUT as error:
            raise ConfigError(explain(error).splitlines()) from error
        except SystemExit as error:  # Of Hydra, which has printed why.
            if error.code:
                raise ConfigError([f"Training ended with status {error.code}."]) from None


@contextlib.contextmanager
def _process_as_it_was() -> Iterator[None]:
    """Restores what Hydra changes in a process: arguments, logging, and its own state."""
    root = logging.getLogger()
    handlers, level, arguments = root.handlers[:], root.level, sys.argv
    raises, variable = logging.raiseExceptions, os.environ.get("HYDRA_FULL_ERROR")
    path, hydra = sys.path[:], GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().clear()
        GlobalHydra.instance().hydra = hydra
        for handler in set(root.handlers).difference(handlers):
            handler.close()
        root.handlers[:], sys.argv, sys.path[:] = handlers, arguments, path
        root.setLevel(level)
        logging.raiseExceptions = raises
        if variable is None:
            os.environ.pop("HYDRA_FULL_ERROR", None)


@contextlib.contextmanager
def _output(is_quiet: bool) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for redirect in (contextlib.redirect_stdout, contextlib.redirect_stderr):
            if is_quiet:
                stack.enter_context(redirect(io.StringIO()))
        yield
