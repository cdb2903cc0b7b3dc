"""Loading of weights from memory before they are needed, in compiled code."""

from typing import Any

from dqn_exp.core.arrays import Float32Array
from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import kernel
from dqn_exp.core.vector import LANES, prefetch

AHEAD = 1024
"""Numbers from the weights that are read to those that are loaded meanwhile."""


@kernel
def _fetch(_spec: Static, numbers: Float32Array, weight: int) -> None:
    prefetch(numbers, weight + AHEAD)
    prefetch(numbers, weight + AHEAD + LANES)


@kernel
def _fetch_nothing(_spec: Static, _numbers: Float32Array, _weight: int) -> None:
    pass


@chosen
def fetch_ahead(spec: Any) -> Any:
    """Begins to load two vectors of weights, if there may be too many for a near cache."""
    return _fetch if spec.has_convolutions else _fetch_nothing
