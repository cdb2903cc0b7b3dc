"""Frames of image observations, each stored once."""

import mmap
import sys
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dqn_exp.buffer.frame_kernels import (
    NEWEST,
    NONE,
    NUM_USED,
    FrameArrays,
    FrameLayout,
    find_stacks,
    take_slots,
    write_frames,
)
from dqn_exp.buffer.frame_reading import read_observations
from dqn_exp.core.arrays import BoolArray, IntArray, UInt8Array
from dqn_exp.core.devices import to_device, to_host
from dqn_exp.core.frame_format import FrameFormat
from dqn_exp.core.per_run import PerRunState

MAP_NORESERVE = 0x4000
"""Of Linux's mmap(2), https://man7.org/linux/man-pages/man2/mmap.2.html."""

SPARE = 1_024
"""Slots for frames that no transition needs, such as those of an episode that was lost."""

MOST_TRANSITIONS = 8_000_000
"""Of a run: the numbers of its slots, two for each, must be exact in single precision."""


class FrameStore(PerRunState):
    """Stores each frame of a run once, as bytes or bits.

    Wherever other observations are stored, image observations are the number of the slot of their
    newest frame, and are put together when they are read. The last frame of an episode has a slot
    as well, so a transition has its true next observation wherever the episode ended.

    A frame is kept as long as the oldest transition in the buffer, or a newer one, needs it. A run
    needs a slot for each transition and for each end of an episode among them; slots for the worst
    case exist, but take no memory on the CPU until they are used. The frames lie on the device if
    they fit there, else in the memory of the CPU; those of a batch are then copied as bytes, while
    the CPU gathers the next ones.
    """

    rows = ("offsets", "marks", "num_slots")

    def __init__(
        self,
        capacities: IntArray,
        frame_format: FrameFormat,
        n_step: int,
        device: torch.device,
    ) -> None:
        """Creates empty stores.

        Args:
            capacities: `[N]` transitions of the replay buffers.
            frame_format: of the frames.
            n_step: n.
            device: of the observations.
        """
        self.format, form = frame_format, frame_format
        self.layout = FrameLayout(
            num_pixels=form.height * form.width,
            channels=form.channels,
            num_bytes=form.num_bytes,
            is_binary=form.is_binary,
            low=np.float32(form.low),
            scale=np.float32(form.scale),
            stack=form.stack,
            repeats_first=form.repeats_first,
        )
        slots = 2 * capacities + form.stack + n_step + SPARE
        self.offsets = np.cumsum(slots) - slots
        self.num_slots = slots
        total = int(slots.sum())
        self.previous, self.next = np.zeros((2, total), dtype=np.int32)
        self.marks = np.tile(np.array([NONE, NONE, NONE, 0]), (len(capacities), 1))
        self._device, place = device, _choose_place(total * form.num_bytes, device)
        host = _make_host(total if place.type == "cpu" else 0, form.num_bytes)
        self._host, self.values = host, torch.from_numpy(host)
        if place.type != "cpu":
            self.values = torch.zeros(total, form.num_bytes, dtype=torch.uint8, device=place)
        self._bits = torch.arange(8, dtype=torch.uint8, device=device)

    @property
    def arrays(self) -> FrameArrays:
        """The frames as compiled code takes them, in the memory of this object."""
        return FrameArrays(self._host, self.previous, self.next, self.offsets, self.marks)

    def add(
        self, runs: IntArray, frames: UInt8Array, is_first: BoolArray, oldest: IntArray
    ) -> IntArray:
        """Stores the next frame of runs; returns their slots `[M]`.

        Args:
            runs: `[M]`.
            frames: `[M, H * W * c]`.
            is_first: `[M]` whether the frame begins an episode.
            oldest: `[M]` slot of the oldest observation that the buffer needs; `NONE` if it needs
                all.
        """
        slots = np.empty(len(runs), dtype=np.int64)
        take_slots(self.arrays, runs, is_first, oldest, self.layout.stack, slots)
        rows = self.offsets[runs] + slots
        if len(self._host):
            write_frames(self._host, rows, self.layout, frames)
        else:
            packed = np.empty((len(runs), self.layout.num_bytes), dtype=np.uint8)
            write_frames(packed, np.arange(len(runs)), self.layout, frames)
            device = self.values.device
            self.values[to_device(rows, device)] = to_device(packed, device)
        return slots

    def read(self, firsts: IntArray, slots: IntArray) -> Tensor:
        """Returns observations `[..., D]`.

        Args:
            firsts: first slots of their runs, as in `offsets`, of a shape that broadcasts to that
                of the slots.
            slots: `[...]` of their newest frames.
        """
        all_firsts, newest = np.broadcast_to(firsts, slots.shape).ravel(), slots.ravel()
        read = self._read_compiled if self._device.type == "cpu" else self._read_tensors
        return read(all_firsts, newest).view(*slots.shape, -1)

    def newest(self, run: int) -> UInt8Array:
        """Returns the newest frame `[H * W * c]` of a run."""
        row = self.offsets[run] + self.marks[run, NEWEST]
        found: UInt8Array = self._unpack(self._fetch(np.array([row])))[0].cpu().numpy()
        return found

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns the frames of one run, valid until more are added, and their links."""
        used = slice(self.offsets[run], self.offsets[run] + self.marks[run, NUM_USED])
        return {
            "marks": self.marks[run].copy(),
            "previous": self.previous[used].copy(),
            "next": self.next[used].copy(),
            "values": to_host(self.values[used]),
        }

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Overwrites one run with the return value of `state_dict`.

        Raises:
            ValueError: If the state does not fit.
        """
        self._check_names(state, {"marks", "previous", "next", "values"})
        count, first = int(state["marks"][NUM_USED]), int(self.offsets[run])
        most, width = int(self.num_slots[run]), self.layout.num_bytes
        if np.shape(state["values"]) != (count, width) or count > most:
            raise ValueError(
                f"state of {type(self).__name__}: expected at most {most} frames of {width} bytes, "
                f"got {tuple(np.shape(state['values']))}."
            )
        used = slice(first, first + count)
        self.marks[run] = state["marks"]
        self.previous[used], self.next[used] = state["previous"], state["next"]
        self.values[used] = torch.as_tensor(state["values"])

    def _read_compiled(self, firsts: IntArray, slots: IntArray) -> Tensor:
        """Returns observations `[M, D]`."""
        size = self.layout.num_pixels * self.layout.channels * self.layout.stack
        observations = np.empty((len(slots), size), dtype=np.float32)
        read_observations(self.arrays, self.layout, firsts, slots, observations)
        return torch.from_numpy(observations)

    def _read_tensors(self, firsts: IntArray, slots: IntArray) -> Tensor:
        """Returns observations `[M, D]`."""
        stacks = np.empty((len(slots), self.layout.stack), dtype=np.int64)
        find_stacks(self.arrays, self.layout, firsts, slots, stacks)
        packed = self._fetch(np.maximum(stacks, 0).ravel())
        frames = self._unpack(packed).view(*stacks.shape, -1)
        if (is_zero := stacks == NONE).any():
            frames[to_device(is_zero, frames.device)] = 0
        return self._join(frames)

    def _fetch(self, rows: IntArray) -> Tensor:
        """Returns stored frames `[M, bytes]`, on the device."""
        if self.values.device.type == self._device.type:
            return self.values.index_select(0, to_device(rows, self.values.device))
        # Only from page-locked memory does a copy go on while the CPU does something else.
        staged = torch.empty(len(rows), self.layout.num_bytes, dtype=torch.uint8, pin_memory=True)
        torch.index_select(self.values, 0, torch.from_numpy(rows), out=staged)
        return staged.to(self._device, non_blocking=True)

    def _unpack(self, packed: Tensor) -> Tensor:
        """Returns the values `[M, H * W * c]` of stored frames `[M, bytes]`."""
        if not self.layout.is_binary:
            return packed
        bits = (packed[:, :, None] >> self._bits) & 1
        return bits.flatten(1)[:, : self.format.num_values]

    def _join(self, frames: Tensor) -> Tensor:
        """Returns observations `[M, D]` of frames `[M, S, H * W * c]`, as `FrameFormat.join`."""
        count, stack, _ = frames.shape
        pixels = frames.view(count, stack, -1, self.layout.channels).transpose(1, 2)
        numbers = pixels.flatten(1).float()
        return (numbers - self.format.low) * self.format.scale


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
