"""Compiled functions on stored frames: adding, forgetting and reading them."""

from typing import NamedTuple

import numpy as np

from dqn_exp.core.arrays import BoolArray, Int32Array, IntArray, UInt8Array
from dqn_exp.core.jit import cached_jit, kernel

OLDEST, NEWEST, FREE, NUM_USED = range(4)
"""Columns of `FrameArrays.marks`."""

NONE = -1


class FrameArrays(NamedTuple):
    """Frames of all runs.

    The frames of a run lie in slots, numbered from 0. Each slot knows the frame before it in its
    episode and the frame that was added after it, so frames need not lie in order, and the slot of
    a frame that is no longer needed can take any other.

    Attributes:
        values: `[slots of all runs, bytes]`, empty if they lie elsewhere.
        previous: `[slots of all runs]` frame before each one; itself for the first of an episode.
        next: `[slots of all runs]` frame added after each one, or the next free slot.
        offsets: `[N]` first slot of each run.
        marks: `[N, 4]` oldest and newest frame, first free slot, and slots that were ever used.
    """

    values: UInt8Array
    previous: Int32Array
    next: Int32Array
    offsets: IntArray
    marks: IntArray


class FrameLayout(NamedTuple):
    """Numbers of `core.frame_format.FrameFormat` as compiled code takes them.

    Attributes:
        num_pixels: H * W.
        channels: c.
        num_bytes: of a frame.
        is_binary: whether eight values are stored in a byte.
        low: value that becomes 0.
        scale: factor of the difference.
        stack: S.
        repeats_first: whether the first frame stands for those before it.
    """

    num_pixels: int
    channels: int
    num_bytes: int
    is_binary: bool
    low: np.float32
    scale: np.float32
    stack: int
    repeats_first: bool


NO_FRAMES = FrameArrays(
    values=np.zeros((0, 0), dtype=np.uint8),
    previous=np.zeros(0, dtype=np.int32),
    next=np.zeros(0, dtype=np.int32),
    offsets=np.zeros(0, dtype=np.int64),
    marks=np.zeros((0, 4), dtype=np.int64),
)
"""Stands for the frames of runs whose observations are vectors."""

NO_LAYOUT = FrameLayout(0, 1, 0, False, np.float32(0), np.float32(1), 1, True)


@kernel
def take_slot(frames: FrameArrays, run: int, is_first: bool, oldest: int, stack: int) -> int:
    """Returns a slot of a run for a new frame, after freeing what is no longer needed.

    Args:
        frames: of all runs.
        run: row of the run.
        is_first: whether the frame begins an episode.
        oldest: newest frame of the oldest observation that is needed, or `NONE` if all are.
        stack: S.
    """
    marks, first = frames.marks[run], frames.offsets[run]
    if oldest != NONE:
        for _ in range(stack - 1):
            oldest = frames.previous[first + oldest]
        while marks[OLDEST] != oldest:
            freed = marks[OLDEST]
            marks[OLDEST] = frames.next[first + freed]
            frames.next[first + freed] = marks[FREE]
            marks[FREE] = freed
    slot = marks[FREE]
    if slot == NONE:
        slot = marks[NUM_USED]
        marks[NUM_USED] += 1
    else:
        marks[FREE] = frames.next[first + slot]
    newest = marks[NEWEST]
    frames.previous[first + slot] = slot if is_first else newest
    if newest == NONE:
        marks[OLDEST] = slot
    else:
        frames.next[first + newest] = slot
    marks[NEWEST] = slot
    return int(slot)


@kernel
def write_frame(
    values: UInt8Array, row: int, layout: FrameLayout, frames: UInt8Array, source: int
) -> None:
    """Copies row `source` of `frames [M, H * W * c]` to a row of the stored values."""
    if not layout.is_binary:
        for i in range(layout.num_bytes):
            values[row, i] = frames[source, i]
        return
    count = layout.num_pixels * layout.channels
    for byte in range(layout.num_bytes):
        packed = 0
        for bit in range(min(8, count - 8 * byte)):
            packed |= (1 if frames[source, 8 * byte + bit] else 0) << bit
        values[row, byte] = packed


@kernel
def add_frame(
    frames: FrameArrays,
    layout: FrameLayout,
    run: int,
    new: UInt8Array,
    source: int,
    is_first: bool,
    oldest: int,
) -> int:
    """Stores row `source` of `new [M, H * W * c]` as the next frame of a run; returns its slot."""
    slot = take_slot(frames, run, is_first, oldest, layout.stack)
    write_frame(frames.values, frames.offsets[run] + slot, layout, new, source)
    return slot


@cached_jit
def take_slots(
    frames: FrameArrays,
    runs: IntArray,
    is_first: BoolArray,
    oldest: IntArray,
    stack: int,
    slots: IntArray,
) -> None:
    """Writes slots `[M]` for new frames of runs `[M]`, as `take_slot` does."""
    for i in range(len(runs)):
        slots[i] = take_slot(frames, runs[i], is_first[i], oldest[i], stack)


@cached_jit
def write_frames(
    values: UInt8Array, rows: IntArray, layout: FrameLayout, frames: UInt8Array
) -> None:
    """Copies `frames [M, H * W * c]` to rows `[M]` of stored values."""
    for i in range(len(rows)):
        write_frame(values, rows[i], layout, frames, i)


@cached_jit
def find_stacks(
    frames: FrameArrays, layout: FrameLayout, firsts: IntArray, slots: IntArray, stacks: IntArray
) -> None:
    """Writes the rows of stored values that observations are made of.

    Args:
        frames: of all runs.
        layout: of the frames.
        firsts: `[M]` first slots of the runs.
        slots: `[M]` of the newest frames of the observations.
        stacks: `[M, S]`, written, the oldest first; `NONE` for a frame of zeros.
    """
    for i in range(len(slots)):
        first, slot, is_before = firsts[i], slots[i], False
        for age in range(layout.stack):
            stacks[i, layout.stack - 1 - age] = NONE if is_before else first + slot
            before = frames.previous[first + slot]
            is_before = is_before or (before == slot and not layout.repeats_first)
            slot = before
