"""Sum trees, which sample a leaf in proportion to its mass."""

import numpy as np

from dqn_exp.core.arrays import Float64Array, IntArray
from dqn_exp.core.jit import cached_jit, kernel
from dqn_exp.core.per_run import PerRunState

ARITY = 8
"""Children per node: eight masses fill a cache line."""

BELOW_ONE = np.nextafter(1.0, 0.0)


class SumTree(PerRunState):
    """One tree per run, whose leaves are masses and whose nodes are sums of their children.

    Prioritized Experience Replay, https://arxiv.org/abs/1511.05952, appendix B.2.1, with more
    children per node. Sums are recomputed from the children, in their order, so errors do not
    accumulate. All trees have the height of the largest: an additional level above a small tree
    has a single node that is not zero, which changes no number.

    All nodes lie in one array, level by level from the children of the roots down to the leaves;
    those of run `i` begin at `offsets[i, level]`. The nodes of a retired run stay unused.
    """

    rows = ("totals", "offsets")

    def __init__(self, capacities: IntArray) -> None:
        """Creates trees of zeros with `capacities` `[N]`, positive, the leaves of each run."""
        widths = _widths_of(capacities)
        ends = np.cumsum(widths).reshape(widths.shape)
        self.offsets = np.ascontiguousarray((ends - widths).T)
        self.nodes = np.zeros(int(ends[-1, -1]))
        self.totals = np.zeros(len(capacities))

    def put(self, runs: IntArray, leaves: IntArray, masses: Float64Array) -> None:
        """Sets the masses `[M]` of leaves `[M]` of runs `[M]`; the last of repeated leaves wins."""
        _put_all(self.nodes, self.offsets, self.totals, runs, leaves, masses)

    def masses(self, runs: IntArray, leaves: IntArray) -> Float64Array:
        """Returns the masses `[M]` of leaves `[M]` of runs `[M]`."""
        found: Float64Array = self.nodes[self.offsets[runs, -1] + leaves]
        return found

    def find(self, runs: IntArray, positions: Float64Array) -> IntArray:
        """Returns the leaves `[M]` that contain positions `[M]` of runs `[M]`.

        The leaves of a run form an interval from 0 to its total, each as long as its mass. A leaf
        of mass 0 is found only if all masses are 0.

        Args:
            runs: `[M]`.
            positions: `[M]`, at least 0; positions beyond the total are in the last leaf with a
                mass.
        """
        leaves = np.zeros(len(runs), dtype=np.int64)
        _find_all(self.nodes, self.offsets, runs, positions, leaves)
        return leaves


def _widths_of(capacities: IntArray) -> IntArray:
    """Returns how many nodes `[levels, N]` there are, from the children of the roots down."""
    widths = [-(-capacities // ARITY) * ARITY]
    while widths[0].max() > ARITY:
        widths.insert(0, -(-widths[0] // ARITY // ARITY) * ARITY)
    return np.stack(widths)


def bytes_of_tree(capacity: int) -> int:
    """Returns the bytes of the nodes of a tree with `capacity` leaves."""
    return int(_widths_of(np.array([capacity])).sum()) * 8


@kernel
def put(nodes: Float64Array, offsets: IntArray, run: int, leaf: int, mass: float) -> float:
    """Sets the mass of one leaf; returns the new total.

    Args:
        nodes: of all runs.
        offsets: `[N, H]` first nodes of the levels of each run.
        run: row of the run.
        leaf: from 0.
        mass: at least 0.
    """
    node, total = leaf, mass
    for level in range(offsets.shape[1] - 1, -1, -1):
        nodes[offsets[run, level] + node] = total
        node //= ARITY
        first, total = offsets[run, level] + node * ARITY, 0.0
        for child in range(first, first + ARITY):
            total += nodes[child]
    return total


@kernel
def find(nodes: Float64Array, offsets: IntArray, run: int, position: float) -> int:
    """Returns the leaf that contains a position, as `SumTree.find` does.

    Args:
        nodes: of all runs.
        offsets: `[N, H]` first nodes of the levels of each run.
        run: row of the run.
        position: at least 0.
    """
    leaf, total = 0, 0.0
    for child in range(ARITY):
        total += nodes[offsets[run, 0] + child]
    for level in range(offsets.shape[1]):
        first = offsets[run, level] + leaf * ARITY
        # Rounding must not lead beyond the last child with a mass.
        position = min(position, total * BELOW_ONE)
        child, passed = _find_child(nodes, first, position)
        position -= passed
        leaf, total = leaf * ARITY + child, nodes[first + child]
    return leaf


@kernel
def _find_child(nodes: Float64Array, first: int, position: float) -> tuple[int, float]:
    """Returns the child that contains a position, and the sum of those before it."""
    child, passed, total = 0, 0.0, 0.0
    for each in range(ARITY):  # Without branches, which no processor could predict.
        total += nodes[first + each]
        is_passed = total <= position
        child += 1 if is_passed else 0
        passed = total if is_passed else passed
    # All children are passed only if all masses are 0; then any child will do.
    return (child, passed) if child < ARITY else (0, 0.0)


@cached_jit
def _put_all(
    nodes: Float64Array,
    offsets: IntArray,
    totals: Float64Array,
    runs: IntArray,
    leaves: IntArray,
    masses: Float64Array,
) -> None:
    for i in range(len(runs)):
        totals[runs[i]] = put(nodes, offsets, runs[i], leaves[i], masses[i])


@cached_jit
def _find_all(
    nodes: Float64Array,
    offsets: IntArray,
    runs: IntArray,
    positions: Float64Array,
    leaves: IntArray,
) -> None:
    for i in range(len(runs)):
        leaves[i] = find(nodes, offsets, runs[i], positions[i])
