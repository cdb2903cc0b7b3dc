"""Frames of image observations, each stored once."""

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
from dqn_exp.buffer.frame_memory import FrameMemory
from dqn_exp.buffer.frame_reading import read_observations
from dqn_exp.core.arrays import BoolArray, IntArray, UInt8Array
from dqn_exp.core.devices import to_device
from dqn_exp.core.frame_format import FrameFormat
from dqn_exp.core.per_run import PerRunState

SPARE = 1_024
"""Slots for frames that no transition needs, such as those of an episode that was lost."""

USUAL_LENGTH = 8
"""Steps of an episode: shorter ones need more than the usual number of slots."""

MOST_TRANSITIONS = 8_000_000
"""Of a run: the numbers of its slots, two for each, must be exact in single precision."""


class FrameStore(PerRunState):
    """Stores each frame of a run once, as bytes or bits.

    Wherever other observations are stored, image observations are the number of the slot of their
    newest frame, and are put together when they are read. The last frame of an episode has a slot
    as well, so a transition has its true next observation wherever the episode ended.

    A frame is kept as long as the oldest transition in the buffer, or a newer one, needs it. A run
    needs a slot for each transition and for each end of an episode among them: at most twice as
    many as transitions, and usually hardly more than these.
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
        others = form.stack + n_step + SPARE
        slots = 2 * capacities + others
        usual = capacities + capacities // USUAL_LENGTH + others
        self._device, self.memory = device, FrameMemory(usual, slots, form.num_bytes, device)
        self.offsets, self.num_slots = self.memory.firsts.copy(), slots
        total = int(slots.sum())
        self.previous, self.next = np.zeros((2, total), dtype=np.int32)
        self.marks = np.tile(np.array([NONE, NONE, NONE, 0]), (len(capacities), 1))
        self._bits = torch.arange(8, dtype=torch.uint8, device=device)

    @property
    def arrays(self) -> FrameArrays:
        """The frames as compiled code takes them, in the memory of this object."""
        return FrameArrays(self.memory.host, self.previous, self.next, self.offsets, self.marks)

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
        if len(self.memory.host):
            write_frames(self.memory.host, rows, self.layout, frames)
        else:
            packed = np.empty((len(runs), self.layout.num_bytes), dtype=np.uint8)
            write_frames(packed, np.arange(len(runs)), self.layout, frames)
            self.memory.reserve(self.offsets, self.marks[:, NUM_USED])
            self.memory.write(rows, packed)
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
        found: UInt8Array = self._unpack(self.memory.fetch(np.array([row])))[0].cpu().numpy()
        return found

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns the frames of one run, valid until more are added, and their links."""
        count = int(self.marks[run, NUM_USED])
        used = slice(self.offsets[run], self.offsets[run] + count)
        return {
            "marks": self.marks[run].copy(),
            "previous": self.previous[used].copy(),
            "next": self.next[used].copy(),
            "values": self.memory.save(int(self.offsets[run]), count),
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
        self.memory.reserve(self.offsets, self.marks[:, NUM_USED])
        self.memory.load(first, torch.as_tensor(state["values"]))

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
        packed = self.memory.fetch(np.maximum(stacks, 0).ravel())
        frames = self._unpack(packed).view(*stacks.shape, -1)
        if (is_zero := stacks == NONE).any():
            frames[to_device(is_zero, frames.device)] = 0
        return self._join(frames)

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
