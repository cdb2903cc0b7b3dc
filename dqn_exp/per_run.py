"""What belongs to single runs: the mark `PerRun`, periods, and state with the run axis first."""

from typing import Annotated, Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")

NEVER = np.iinfo(np.int64).max
"""A period or budget, in steps or episodes, that never comes."""


class PerRunMark:
    """Marks a hyperparameter that may differ between the runs of one population."""


PerRun = Annotated[T, PerRunMark()]
"""`PerRun[float]` declares a hyperparameter of runs; anything else is structure: equal for all
runs of a population."""


def is_due(
    previous: npt.NDArray[np.int64], current: npt.NDArray[np.int64], period: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Returns for which runs a multiple of the period has been passed.

    Args:
        previous: `[N]` the count when this was last asked.
        current: `[N]` the count now, at least `previous`.
        period: `[N]` positive; `NEVER` for none.
    """
    due: npt.NDArray[np.bool_] = current // period > previous // period
    return due


class PerRunState:
    """Arrays `[N, ...]` that are retired, saved and restored one run at a time.

    A subclass names its arrays (numpy or torch): `rows` are all of them, `saved` those that
    training changes and that a checkpoint must therefore hold. All rows are live: a retired
    run's row is overwritten by the last one, and the arrays become one row shorter.
    """

    rows: ClassVar[tuple[str, ...]] = ()
    saved: ClassVar[tuple[str, ...]] = ()

    def retire(self, run: int) -> None:
        """Takes a run out: the last row moves into its place."""
        for name in self.rows:
            array = getattr(self, name)
            array[run] = array[-1]
            setattr(self, name, array[:-1])

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns a copy of what training has made of one run, by name."""
        return {name: _copy(getattr(self, name)[run]) for name in self.saved}

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Overwrites one run's rows with what `state_dict` returned.

        Raises:
            ValueError: if `state` does not name exactly the saved rows of this object, or their
                shapes are others.
        """
        if set(state) != set(self.saved):
            raise ValueError(
                f"state of {type(self).__name__}: expected {sorted(self.saved)}, "
                f"got {sorted(state)}."
            )
        for name in self.saved:
            row = getattr(self, name)[run]
            if np.shape(state[name]) != np.shape(row):
                raise ValueError(
                    f"state of {type(self).__name__}: expected {name} of shape {np.shape(row)}, "
                    f"got {np.shape(state[name])}."
                )
        for name in self.saved:
            getattr(self, name)[run] = state[name]


def _copy(row: Any) -> Any:
    return row.clone() if hasattr(row, "clone") else np.array(row)
