import numpy as np
import pytest

from dqn_exp.buffer.sum_tree import ARITY, SumTree

CAPACITIES = [1, 7, 8, 9, 64, 65, 513, 4_097]


def check_invariants(tree: SumTree, truth: list[np.ndarray]) -> None:
    """Every node is the sum of its children, in their order, and the leaves are the truth."""
    for run, masses in enumerate(truth):
        nodes = masses
        for level in reversed(range(tree.offsets.shape[1])):
            begin = tree.offsets[run, level]
            width = -(-len(nodes) // ARITY) * ARITY
            padded = np.zeros(width)
            padded[: len(nodes)] = nodes
            np.testing.assert_array_equal(tree.nodes[begin : begin + width], padded)
            nodes = np.array([sum(group.tolist()) for group in padded.reshape(-1, ARITY)])
        assert tree.totals[run] == nodes.item()


def naive_find(masses: np.ndarray, position: float) -> int:
    passed = 0.0
    for leaf, mass in enumerate(masses):
        passed += mass
        if position < passed:
            return leaf
    return int(np.flatnonzero(masses)[-1])


def test_the_invariants_hold_after_every_operation():
    tree, generator = SumTree(np.array(CAPACITIES)), np.random.default_rng(0)
    truth = [np.zeros(capacity) for capacity in CAPACITIES]
    for _ in range(150):
        runs = generator.integers(0, len(CAPACITIES), generator.integers(0, 40))
        leaves = generator.integers(0, np.array(CAPACITIES)[runs])
        masses = generator.random(len(runs)) * 10.0 ** generator.integers(-6, 6, len(runs))
        masses[generator.random(len(runs)) < 0.2] = 0.0
        tree.put(runs, leaves, masses)
        for run, leaf, mass in zip(runs, leaves, masses, strict=True):
            truth[run][leaf] = mass
        check_invariants(tree, truth)
        np.testing.assert_array_equal(
            tree.masses(runs, leaves), [truth[r][k] for r, k in zip(runs, leaves, strict=True)]
        )


def test_a_position_is_found_where_a_naive_search_finds_it():
    tree, generator = SumTree(np.array(CAPACITIES)), np.random.default_rng(1)
    # Whole masses, whose sums are exact: the naive search adds them up in another order.
    truth = [generator.integers(0, 5, capacity).astype(float) for capacity in CAPACITIES]
    for run, masses in enumerate(truth):
        masses[-1] = 1.0
        tree.put(np.full(len(masses), run), np.arange(len(masses)), masses)
    for run, masses in enumerate(truth):
        positions = np.concatenate([np.arange(masses.sum()), generator.random(99) * masses.sum()])
        found = tree.find(np.full(len(positions), run), positions)
        assert found.tolist() == [naive_find(masses, position) for position in positions]


def test_rounding_never_leads_to_a_leaf_without_mass():
    tree, generator = SumTree(np.array([1_000, 1_000])), np.random.default_rng(2)
    masses = generator.random(1_000) * (generator.random(1_000) < 0.05)
    masses[900:] = 0.0
    for run in range(2):
        tree.put(np.full(1_000, run), np.arange(1_000), masses * 0.1**run)
    for run in range(2):
        total = tree.totals[run]
        positions = np.array([0.0, total, np.nextafter(total, 0), 2 * total, *np.cumsum(masses)])
        found = tree.find(np.full(len(positions), run), positions)
        assert (masses[found] > 0).all()


def test_a_tree_without_mass_leads_somewhere():
    found = SumTree(np.array([3, 70])).find(np.array([0, 1]), np.zeros(2))
    assert (found >= 0).all()


@pytest.mark.parametrize("other", [1, 40, 5_000])
def test_a_tree_finds_the_same_whatever_its_neighbors(other):
    generator = np.random.default_rng(3)
    alone, together = SumTree(np.array([300])), SumTree(np.array([other, 300]))
    leaves, masses = np.arange(300), generator.random(300)
    alone.put(np.zeros(300, dtype=np.int64), leaves, masses)
    together.put(np.ones(300, dtype=np.int64), leaves, masses)
    assert alone.totals[0] == together.totals[1]
    positions = generator.random(2_000) * alone.totals[0]
    zeros = np.zeros(2_000, dtype=np.int64)
    np.testing.assert_array_equal(alone.find(zeros, positions), together.find(zeros + 1, positions))
    together.retire(0)
    np.testing.assert_array_equal(alone.find(zeros, positions), together.find(zeros, positions))
