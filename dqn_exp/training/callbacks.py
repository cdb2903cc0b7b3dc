"""User-defined callbacks, called on the events of a run, outside the hot path."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from dqn_exp.core.arrays import Float64Array
from dqn_exp.core.errors import ConfigError
from dqn_exp.core.import_path import import_object, place, problems_of_paths

log = logging.getLogger(__name__)

KEY = "callbacks"


class RunInfo(NamedTuple):
    """Run information passed to callbacks.

    Attributes:
        directory: of the run.
        config: in plain containers.
    """

    directory: Path
    config: dict[str, Any]


class Callback:
    """Base class of callbacks; each method may be overridden.

    Each run creates its own instance, without arguments. An exception in a callback is logged and
    disables it; the run continues. After a run was killed and resumed, events that came after its
    newest checkpoint are repeated.
    """

    def on_episode(self, run: RunInfo, step: int, return_: float, length: int) -> None:
        """A training episode has finished.

        Args:
            run: the run.
            step: of the run.
            return_: undiscounted return of the episode.
            length: of the episode, in steps.
        """

    def on_evaluation(self, run: RunInfo, step: int, returns: Float64Array) -> None:
        """An evaluation has been made.

        Args:
            run: the run.
            step: of the run.
            returns: `[E]` of its episodes.
        """

    def on_end(self, run: RunInfo, status: str) -> None:
        """The run has ended.

        Args:
            run: the run.
            status: as in `result.json`.
        """


class Callbacks:
    """The callbacks of one run."""

    def __init__(self, paths: Iterable[str], run: RunInfo) -> None:
        """Makes the callbacks.

        Args:
            paths: import paths of their classes.
            run: that they are told of.
        """
        self._run = run
        self._live = [_find(path)() for path in paths]

    def tell(self, event: str, *values: Any) -> None:
        """Calls a method of all callbacks; one that raises an error is not called again."""
        for callback in self._live[:]:
            try:
                getattr(callback, event)(self._run, *values)
            except (Exception, SystemExit) as error:  # Foreign code may raise any error.
                self._live.remove(callback)
                name = type(callback).__name__
                log.exception("%s.%s raised %s; it is not called again.", name, event, place(error))


def problems_of_callbacks(paths: Iterable[str]) -> list[str]:
    """Returns what is wrong with callbacks, before anything trains."""
    return problems_of_paths(paths, _find)


def _find(path: str) -> type[Callback]:
    kind = import_object(KEY, path)
    if not (isinstance(kind, type) and issubclass(kind, Callback)):
        raise ConfigError([f"{KEY}: expected a subclass of dqn_exp.Callback, got {path}."])
    return kind
