"""Arrays of all runs that compiled code reads and writes."""

from typing import NamedTuple

from dqn_exp.buffer.frame_kernels import FrameArrays, FrameLayout
from dqn_exp.core.arrays import Float32Array, Float64Array, IntArray
from dqn_exp.core.transition import TransitionLayout


class Stores(NamedTuple):
    """Arrays of all runs that updates read and write.

    Attributes:
        online: parameters of the online networks, a row of P numbers per run, flat.
        target: those of the target networks.
        first: first moments of the optimizer.
        second: second moments of the optimizer.
        storage: transitions of all replay buffers, flat.
        layout: of a transition.
        nodes: of the sum trees of all runs, see `buffer.sum_tree`.
        levels: `[N, H]` first nodes of the levels of each tree.
        means: `[N, D]` of the observations.
        variances: `[N, D]` of the observations.
        errors: `[N, B]` TD errors of the newest batches.
        predictions: `[N, B]` values of the actions taken in them.
        frames: of the observations.
        frame_layout: of a frame.
    """

    online: Float32Array
    target: Float32Array
    first: Float32Array
    second: Float32Array
    storage: Float32Array
    layout: TransitionLayout
    nodes: Float64Array
    levels: IntArray
    means: Float64Array
    variances: Float64Array
    errors: Float32Array
    predictions: Float32Array
    frames: FrameArrays
    frame_layout: FrameLayout
