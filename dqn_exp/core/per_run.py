"""Periods of runs, and state with the run axis first."""

from typing import Any, ClassVar

import numpy as np

from dqn_exp.core.arrays import BoolArray, IntArray

NEVER = np.iinfo(np.int64).max
"""A period or budget, in steps or episodes, that is never reached."""


def is_due(previous: IntArray, current: IntArray, period: IntArray) -> BoolArray:
    """Returns for which runs a multiple of the period has been passed.

    Args:
        previous: `[N]` count at the previous call.
        current: `[N]` count now, at least `previous`.
        period: `[N]`, positive; `NEVER` for none.
    """
    due: BoolArray = current // period > previous // period
    return due


class PerRunState:
    """State of N runs: arrays `[N, ...]`, and parts that hold such state themselves.

    A subclass names its arrays (numpy or torch) in `rows`. Those that training changes are named
    in `saved` as well, and are in checkpoints under the same names. `parts` names the attributes
    that hold further state; retiring, saving and loading a run recurse into them.

    All rows are live: the last row replaces that of a retired run, and the arrays become one row
    shorter.
    """

    rows: ClassVar[tuple[str, ...]] = ()
    saved: ClassVar[tuple[str, ...]] = ()
    parts: ClassVar[tuple[str, ...]] = ()

    def retire(self, run: int) -> None:
        """Removes a run; the last row replaces it."""
        for name in self.rows:
            array = getattr(self, name)
            array[run] = array[-1]
            setattr(self, name, array[:-1])
        for name in self.parts:
            getattr(self, name).retire(run)

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns a copy of the saved state of one run, by name; that of parts is nested."""
        state = {name: _copy(getattr(self, name)[run]) for name in self.saved}
        return state | {
            name: part.state_dict(run) for name, part in self._named_parts().items() if saves(part)
        }

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Overwrites one run with the return value of `state_dict`.

        Raises:
            ValueError: If the names or shapes are not those of this object.
        """
        parts = {name: part for name, part in self._named_parts().items() if saves(part)}
        self._check_names(state, {*self.saved, *parts})
        self._load_rows(run, state)
        for name, part in parts.items():
            part.load_state_dict(run, state[name])

    def _load_rows(self, run: int, state: dict[str, Any]) -> None:
        """Overwrites the saved rows of one run; names that are not rows are ignored."""
        for name in self.saved:
            expected, found = np.shape(getattr(self, name)[run]), np.shape(state[name])
            if found != expected:
                raise ValueError(
                    f"state of {type(self).__name__}: expected {name} of shape {expected}, "
                    f"got {found}."
                )
        for name in self.saved:
            getattr(self, name)[run] = state[name]

    def _check_names(self, state: dict[str, Any], expected: set[str]) -> None:
        if set(state) != expected:
            raise ValueError(
                f"state of {type(self).__name__}: expected {sorted(expected)}, got {sorted(state)}."
            )

    def _named_parts(self) -> dict[str, Any]:
        return {name.removeprefix("_"): getattr(self, name) for name in self.parts}


def saves(part: object) -> bool:
    """Returns whether a part has state that belongs in a checkpoint."""
    if not isinstance(part, PerRunState):
        return hasattr(part, "state_dict")
    return bool(part.saved) or any(saves(getattr(part, name)) for name in part.parts)


def _copy(row: Any) -> Any:
    return row.clone() if hasattr(row, "clone") else np.array(row)
