"""Memory for the bytes of frames, on a device or beside it."""

import mmap
import sys

import numpy as np
import torch
from torch import Tensor

from dqn_exp.core.arrays import IntArray, UInt8Array
from dqn_exp.core.devices import to_device, to_host

MAP_NORESERVE = 0x4000
"""Of Linux's mmap(2), https://man7.org/linux/man-pages/man2/mmap.2.html."""


class FrameMemory:
    """Holds the frames of all runs, each run in slots of its own.

    Rows count the slots of all runs, and the first row of a run stands for the run: others may
    have ended.

    Slots on the CPU take no memory until they are used. On a GPU they do, so a run has those that
    it usually needs, and all of them once it needs more. The frames lie on the device if they fit
    there, else in the memory of the CPU; those of a batch are then copied as bytes, while the CPU
    gathers the next ones.

    Attributes:
        firsts: `[N]` first row of each run.
        host: `[slots of all runs, bytes]`, empty if the frames lie on a GPU.
        values: the frames of all runs, wherever they lie.
    """

    def __init__(
        self, usual: IntArray, most: IntArray, num_bytes: int, device: torch.device
    ) -> None:
        """Makes room for frames.

        Args:
            usual: `[N]` slots that runs usually need.
            most: `[N]` slots that they may need.
            num_bytes: of a frame.
            device: that reads the frames.
        """
        self._most, self._num_bytes, self._device = most.copy(), num_bytes, device
        self.firsts = np.cumsum(most) - most
        self._make(np.minimum(usual, most))

    def reserve(self, firsts: IntArray, needed: IntArray) -> None:
        """Makes more room where runs need more slots than they have.

        Args:
            firsts: `[M]` first rows of runs.
            needed: `[M]` slots of each.
        """
        runs = self._runs(firsts)
        lack = needed > self._rooms[runs]
        if lack.any():
            old, starts, rooms = self.values, self._starts, self._rooms
            wanted = rooms.copy()
            wanted[runs[lack]] = self._most[runs[lack]]
            self._make(wanted)
            for first, start, room in zip(self.firsts, starts, rooms, strict=True):
                self._of(first, room).copy_(old[start : start + room])

    def write(self, rows: IntArray, frames: UInt8Array) -> None:
        """Stores frames `[M, bytes]` in rows `[M]`."""
        device = self.values.device
        self.values[to_device(self._places(rows), device)] = to_device(frames, device)

    def fetch(self, rows: IntArray) -> Tensor:
        """Returns frames `[M, bytes]`, on the device."""
        places = self._places(rows)
        if self.values.device.type == self._device.type:
            return self.values.index_select(0, to_device(places, self.values.device))
        # Only from page-locked memory does a copy go on while the CPU does something else.
        staged = torch.empty(len(rows), self._num_bytes, dtype=torch.uint8, pin_memory=True)
        torch.index_select(self.values, 0, torch.from_numpy(places), out=staged)
        return staged.to(self._device, non_blocking=True)

    def save(self, first: int, count: int) -> Tensor:
        """Returns the frames of a run on the CPU, valid until more are written."""
        return to_host(self._of(first, count))

    def load(self, first: int, frames: Tensor) -> None:
        """Overwrites the frames of a run, for which there is room."""
        self._of(first, len(frames)).copy_(frames)

    def _make(self, rooms: IntArray) -> None:
        """Makes zeros, with a number of slots for each run if they lie on a GPU."""
        place = _choose_place(int(rooms.sum()) * self._num_bytes, self._device)
        self._rooms = self._most if place.type == "cpu" else rooms
        self._starts, total = np.cumsum(self._rooms) - self._rooms, int(self._rooms.sum())
        self.host = _make_host(total if place.type == "cpu" else 0, self._num_bytes)
        self.values = torch.from_numpy(self.host)
        if place.type != "cpu":
            self.values = torch.zeros(total, self._num_bytes, dtype=torch.uint8, device=place)

    def _places(self, rows: IntArray) -> IntArray:
        """Returns where rows lie."""
        places: IntArray = rows + (self._starts - self.firsts)[self._runs(rows)]
        return places

    def _runs(self, rows: IntArray) -> IntArray:
        """Returns which runs have rows."""
        return np.searchsorted(self.firsts, rows, side="right") - 1

    def _of(self, first: int, count: int) -> Tensor:
        start = int(self._places(np.array(first)))
        return self.values[start : start + count]


def _make_host(num_slots: int, num_bytes: int) -> UInt8Array:
    """Returns zeros `[num_slots, num_bytes]` that take no memory before they are written."""
    size = num_slots * num_bytes
    if not size or not sys.platform.startswith("linux"):
        return np.zeros((num_slots, num_bytes), dtype=np.uint8)
    # Linux refuses more than the memory of the machine, unless told that not all will be used.
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
    return np.frombuffer(mmap.mmap(-1, size, flags), dtype=np.uint8).reshape(num_slots, num_bytes)


def _choose_place(num_bytes: int, device: torch.device) -> torch.device:
    """Returns where frames lie: on the device, if they take at most half of its free memory."""
    if device.type != "cuda":
        return device
    torch.cuda.empty_cache()  # So that the memory of earlier populations counts as free.
    free, _ = torch.cuda.mem_get_info(device)
    return device if num_bytes <= free / 2 else torch.device("cpu")
