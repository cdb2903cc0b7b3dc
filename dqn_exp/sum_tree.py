"""Sums over non-negative masses, kept so that one of them is found in proportion to its size."""

import numpy as np
import numpy.typing as npt

from dqn_exp.per_run import PerRunState

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ARITY = 8
"""Children of a node: eight masses share a cache line."""

CHILDREN = np.arange(ARITY)[:, None]

BELOW_ONE = np.nextafter(1.0, 0.0)


class SumTree(PerRunState):
    """One tree for each run, whose leaves are masses and whose nodes are sums of their children.

    Prioritized Experience Replay, https://arxiv.org/abs/1511.05952, appendix B.2.1, with more
    children a node. Sums are always made anew from the children, in their order, so no error
    builds up. All trees have the height of the largest: one more level above a small one has a
    single node that is not zero, which changes no number.

    The levels are flat arrays, from the children of the roots down to the leaves, in which the
    nodes of run `i` begin at `offsets[level][i]`. A retired run's nodes stay unused.
    """

    rows = ("totals", "_offsets")

    def __init__(self, capacities: Ints) -> None:
        """Args: `capacities` `[N]`, positive, the leaves of each run."""
        widths = [-(-capacities // ARITY) * ARITY]
        while widths[0].max() > ARITY:
            widths.insert(0, -(-widths[0] // ARITY // ARITY) * ARITY)
        self._offsets = np.stack([np.cumsum(width) - width for width in widths], 1)
        self._levels = [np.zeros(int(width.sum())) for width in widths]
        self.totals = np.zeros(len(capacities))

    def put(self, runs: Ints, leaves: Ints, masses: Floats) -> None:
        """Gives leaves `[M]` of runs `[M]` new masses `[M]`.

        Where a leaf is given twice, the last of its masses counts.
        """
        nodes, sums = leaves, masses
        for level, masses_of_level in reversed(list(enumerate(self._levels))):
            offsets = self._offsets[runs, level]
            masses_of_level[offsets + nodes] = sums
            nodes = nodes // ARITY
            sums = _ends(masses_of_level, offsets + nodes * ARITY)[-1]
        self.totals[runs] = sums

    def masses(self, runs: Ints, leaves: Ints) -> Floats:
        """Returns the masses `[M]` of leaves `[M]` of runs `[M]`."""
        found: Floats = self._levels[-1][self._offsets[runs, -1] + leaves]
        return found

    def find(self, runs: Ints, positions: Floats) -> Ints:
        """Returns the leaves `[M]` in which positions `[M]` of runs `[M]` lie.

        The leaves of a run are laid out from 0 to its total, each as long as its mass. A leaf
        without mass is never found, unless there is no other.

        Args:
            runs: `[M]`.
            positions: `[M]`, at least 0; what is beyond the total lies in the last leaf with mass.
        """
        leaves, rest, everyone = np.zeros_like(runs), positions, np.arange(len(runs))
        for level, masses in enumerate(self._levels):
            first = self._offsets[runs, level] + leaves * ARITY
            ends = _ends(masses, first)
            # Rounding must not lead beyond the last child that has a mass.
            rest = np.minimum(rest, ends[-1] * BELOW_ONE)
            # All ends are passed only where there is no mass; then the first child is as good.
            children = (ends <= rest).sum(axis=0, dtype=np.int64) % ARITY
            passed = ends[children - 1, everyone]
            rest = rest - np.where(children > 0, passed, 0.0)
            leaves = leaves * ARITY + children
        return leaves


def _ends(masses: Floats, first: Ints) -> Floats:
    """Returns the sums `[8, M]` of each first child `[M]` and those up to each of its siblings.

    They are added one after the other. The order in which numpy's own sum adds depends on M, and
    its running sum is ten times as slow.
    """
    ends: Floats = masses[first + CHILDREN]
    for child in range(1, ARITY):
        ends[child] += ends[child - 1]
    return ends
