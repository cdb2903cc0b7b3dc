"""Sums over non-negative masses, kept so that one of them is found in proportion to its size."""

import numpy as np
import numpy.typing as npt

from dqn_exp.compiled import entry, exact_kernel
from dqn_exp.per_run import PerRunState

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ARITY = 8
"""Children of a node: eight masses share a cache line."""

BELOW_ONE = np.nextafter(1.0, 0.0)


class SumTree(PerRunState):
    """One tree for each run, whose leaves are masses and whose nodes are sums of their children.

    Prioritized Experience Replay, https://arxiv.org/abs/1511.05952, appendix B.2.1, with more
    children a node. Sums are always made anew from the children, in their order, so no error
    builds up. All trees have the height of the largest: one more level above a small one has a
    single node that is not zero, which changes no number.

    All nodes lie in one array, level by level from the children of the roots down to the leaves;
    those of run `i` begin at `offsets[i, level]`. A retired run's nodes stay unused.
    """

    rows = ("totals", "offsets")

    def __init__(self, capacities: Ints) -> None:
        """Args: `capacities` `[N]`, positive, the leaves of each run."""
        widths = [-(-capacities // ARITY) * ARITY]
        while widths[0].max() > ARITY:
            widths.insert(0, -(-widths[0] // ARITY // ARITY) * ARITY)
        all_widths = np.stack(widths)
        ends = np.cumsum(all_widths).reshape(all_widths.shape)
        self.offsets = np.ascontiguousarray((ends - all_widths).T)
        self.nodes = np.zeros(int(ends[-1, -1]))
        self.totals = np.zeros(len(capacities))

    def put(self, runs: Ints, leaves: Ints, masses: Floats) -> None:
        """Gives leaves `[M]` of runs `[M]` new masses `[M]`.

        Where a leaf is given twice, the last of its masses counts.
        """
        _put_all(self.nodes, self.offsets, self.totals, runs, leaves, masses)

    def masses(self, runs: Ints, leaves: Ints) -> Floats:
        """Returns the masses `[M]` of leaves `[M]` of runs `[M]`."""
        found: Floats = self.nodes[self.offsets[runs, -1] + leaves]
        return found

    def find(self, runs: Ints, positions: Floats) -> Ints:
        """Returns the leaves `[M]` in which positions `[M]` of runs `[M]` lie.

        The leaves of a run are laid out from 0 to its total, each as long as its mass. A leaf
        without mass is never found, unless there is no other.

        Args:
            runs: `[M]`.
            positions: `[M]`, at least 0; what is beyond the total lies in the last leaf with mass.
        """
        leaves = np.zeros(len(runs), dtype=np.int64)
        _find_all(self.nodes, self.offsets, runs, positions, leaves)
        return leaves


@exact_kernel
def put(nodes: Floats, offsets: Ints, leaf: int, mass: float) -> float:
    """Gives one leaf a new mass; returns the new total.

    Args:
        nodes: of all runs.
        offsets: `[H]` where the levels of the run begin.
        leaf: from 0.
        mass: at least 0.
    """
    node, total = leaf, mass
    for level in range(len(offsets) - 1, -1, -1):
        nodes[offsets[level] + node] = total
        node //= ARITY
        first, total = offsets[level] + node * ARITY, 0.0
        for child in range(first, first + ARITY):
            total += nodes[child]
    return total


@exact_kernel
def find(nodes: Floats, offsets: Ints, position: float) -> int:
    """Returns the leaf in which a position lies, as `SumTree.find` does.

    Args:
        nodes: of all runs.
        offsets: `[H]` where the levels of the run begin.
        position: at least 0.
    """
    leaf = 0
    for level in range(len(offsets)):
        first = offsets[level] + leaf * ARITY
        total = 0.0
        for child in range(ARITY):
            total += nodes[first + child]
        # Rounding must not lead beyond the last child that has a mass.
        position = min(position, total * BELOW_ONE)
        child, passed = 0, 0.0
        while child < ARITY and passed + nodes[first + child] <= position:
            passed += nodes[first + child]
            child += 1
        # All are passed only where there is no mass; then the first child is as good.
        if child == ARITY:
            child, passed = 0, 0.0
        position -= passed
        leaf = leaf * ARITY + child
    return leaf


@entry
def _put_all(
    nodes: Floats, offsets: Ints, totals: Floats, runs: Ints, leaves: Ints, masses: Floats
) -> None:
    for i in range(len(runs)):
        run = runs[i]
        totals[run] = put(nodes, offsets[run], leaves[i], masses[i])


@entry
def _find_all(nodes: Floats, offsets: Ints, runs: Ints, positions: Floats, leaves: Ints) -> None:
    for i in range(len(runs)):
        leaves[i] = find(nodes, offsets[runs[i]], positions[i])
