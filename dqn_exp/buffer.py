"""Replay buffers of all runs in one array, each a ring of its own capacity."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dqn_exp.per_run import PerRunState
from dqn_exp.random_streams import to_range
from dqn_exp.transition import Transition, pack, row_width, unpack


class UniformBuffer(PerRunState):
    """Keeps the newest transitions of each run and samples them uniformly, with replacement.

    Self-Improving Reactive Agents Based On Reinforcement Learning, Planning and Teaching,
    https://doi.org/10.1007/BF00992699.

    The rings lie one behind the other in `storage` `[sum of C, 2 * D + 3]`: the transitions of
    run `i` are rows `offsets[i]` to `offsets[i] + sizes[i]`. A retired run's ring stays unused.
    """

    rows = ("_capacities", "offsets", "_positions", "sizes")
    saved = ("_positions", "sizes")

    def __init__(
        self, capacities: npt.NDArray[np.int64], num_features: int, device: torch.device
    ) -> None:
        """Args: `capacities` `[N]`, positive, D, and where the transitions are stored."""
        self._capacities = capacities.copy()
        self.offsets = np.cumsum(capacities) - capacities
        self._positions = np.zeros_like(capacities)
        self.sizes = np.zeros_like(capacities)
        self.storage = torch.zeros(int(capacities.sum()), row_width(num_features), device=device)
        self._staged = np.empty((len(capacities), row_width(num_features)), dtype=np.float32)

    def add(self, runs: npt.NDArray[np.int64], transition: Transition) -> None:
        """Stores one transition for each of some runs; the oldest of a full ring is overwritten.

        Args:
            runs: `[M]` different runs.
            transition: of leading shape `[M]`, numpy.
        """
        staged = self._staged[: len(runs)]
        pack(transition, staged)
        positions = self._positions[runs]
        self.storage[torch.from_numpy(self.offsets[runs] + positions)] = torch.from_numpy(
            staged
        ).to(self.storage.device)
        self._positions[runs] = (positions + 1) % self._capacities[runs]
        self.sizes[runs] = np.minimum(self.sizes[runs] + 1, self._capacities[runs])

    def sample(self, numbers: npt.NDArray[np.uint32]) -> torch.Tensor:
        """Returns rows of `storage` `[N, B]` for random numbers `[N, B]`.

        A run without transitions gets the row at its offset.
        """
        rows = to_range(numbers, self.sizes[:, None]) + self.offsets[:, None]
        return torch.from_numpy(rows).to(self.storage.device)

    def read(self, rows: torch.Tensor) -> Transition:
        """Returns the transitions in rows `[N, B]` of `storage`."""
        packed = self.storage.index_select(0, rows.view(-1))
        return unpack(packed.view(*rows.shape, self.storage.shape[1]))

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns a copy of one run's ring and where it stands."""
        ring = self.storage[self._ring(run)].clone()
        return {**super().state_dict(run), "transitions": ring}

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Restores one run's ring; raises ValueError if it had another capacity."""
        ring = self.storage[self._ring(run)]
        if state["transitions"].shape != ring.shape:
            raise ValueError(
                f"state of {type(self).__name__}: expected transitions of shape "
                f"{tuple(ring.shape)}, got {tuple(state['transitions'].shape)}."
            )
        ring.copy_(state["transitions"])
        super().load_state_dict(run, {key: state[key] for key in self.saved})

    def _ring(self, run: int) -> slice:
        return slice(self.offsets[run], self.offsets[run] + self._capacities[run])
