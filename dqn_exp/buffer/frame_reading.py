"""Compiled functions that read observations from stored frames."""

from typing import Any

import numpy as np

from dqn_exp.buffer.frame_kernels import FrameArrays, FrameLayout
from dqn_exp.core.arrays import Float32Array, IntArray, UInt8Array
from dqn_exp.core.jit import cached_jit, inlined_kernel, kernel
from dqn_exp.core.vector import LANES, fill, load_bytes, store_some
from dqn_exp.core.vector_lanes import in_turn


@kernel
def read_frame(
    values: UInt8Array, row: int, layout: FrameLayout, numbers: Float32Array, place: int
) -> None:
    """Writes a stored frame to flat numbers, with a stack's channels from pixel to pixel."""
    channels, step = layout.channels, layout.channels * layout.stack
    low, scale = layout.low, layout.scale
    if layout.is_binary:
        read_bits(values, row, layout, numbers, place)
        return
    for pixel in range(layout.num_pixels):
        for channel in range(channels):
            value = np.float32(values[row, pixel * channels + channel])
            numbers[place + channel] = (value - low) * scale
        place += step


@kernel
def read_bits(
    values: UInt8Array, row: int, layout: FrameLayout, numbers: Float32Array, place: int
) -> None:
    """Writes a stored frame of bits, as `read_frame` does."""
    low, scale, bit = layout.low, layout.scale, 0
    zero, one = (np.float32(0) - low) * scale, (np.float32(1) - low) * scale
    for _ in range(layout.num_pixels):
        for channel in range(layout.channels):
            is_one = (values[row, bit >> 3] >> (bit & 7)) & 1
            numbers[place + channel] = one if is_one else zero
            bit += 1
        place += layout.channels * layout.stack


@kernel
def read_nothing(layout: FrameLayout, numbers: Float32Array, place: int) -> None:
    """Writes a frame of zeros, as `read_frame` does."""
    zero = (np.float32(0) - layout.low) * layout.scale
    for _ in range(layout.num_pixels):
        for channel in range(layout.channels):
            numbers[place + channel] = zero
        place += layout.channels * layout.stack


@kernel
def _is_common(frames: FrameArrays, layout: FrameLayout, first: int, slot: int) -> bool:
    """Returns whether an observation has four gray frames of its episode, as those of Atari."""
    is_gray = layout.channels == 1 and not layout.is_binary and layout.num_pixels % LANES == 0
    if layout.stack != 4 or not is_gray:
        return False
    for _ in range(3):
        before = frames.previous[first + slot]
        if before == slot and not layout.repeats_first:
            return False
        slot = before
    return True


@kernel
def _read_four(
    frames: FrameArrays,
    layout: FrameLayout,
    first: int,
    slot: int,
    numbers: Float32Array,
    place: int,
) -> None:
    """Does as `read_observation` for an observation that `_is_common`."""
    second = frames.previous[first + slot]
    third = frames.previous[first + second]
    oldest = frames.previous[first + third]
    at_a, at_b = (first + oldest) * layout.num_bytes, (first + third) * layout.num_bytes
    at_c, at_d = (first + second) * layout.num_bytes, (first + slot) * layout.num_bytes
    low, scale = fill(layout.low), fill(layout.scale)
    for pixel in range(0, layout.num_pixels, LANES):
        a = (load_bytes(frames.values, at_a + pixel) - low) * scale
        b = (load_bytes(frames.values, at_b + pixel) - low) * scale
        c = (load_bytes(frames.values, at_c + pixel) - low) * scale
        d = (load_bytes(frames.values, at_d + pixel) - low) * scale
        _store_by_turns(numbers, place, in_turn(a, c, 0), in_turn(b, d, 0))
        _store_by_turns(numbers, place + 2 * LANES, in_turn(a, c, 1), in_turn(b, d, 1))
        place += 4 * LANES


@inlined_kernel
def _store_by_turns(numbers: Float32Array, place: int, first: Any, second: Any) -> None:
    store_some(numbers, place, in_turn(first, second, 0), LANES)
    store_some(numbers, place + LANES, in_turn(first, second, 1), LANES)


@kernel
def read_observation(
    frames: FrameArrays,
    layout: FrameLayout,
    first: int,
    slot: int,
    numbers: Float32Array,
    place: int,
) -> None:
    """Writes an observation `[H * W, S * c]` to flat numbers.

    Args:
        frames: of all runs.
        layout: of the frames.
        first: first slot of the run.
        slot: of the newest frame.
        numbers: written.
        place: of the first number.
    """
    if _is_common(frames, layout, first, slot):
        _read_four(frames, layout, first, slot, numbers, place)
        return
    is_before = False
    for age in range(layout.stack):
        to = place + (layout.stack - 1 - age) * layout.channels
        if is_before:
            read_nothing(layout, numbers, to)
        else:
            read_frame(frames.values, first + slot, layout, numbers, to)
        before = frames.previous[first + slot]
        is_before = is_before or (before == slot and not layout.repeats_first)
        slot = before


@cached_jit
def read_observations(
    frames: FrameArrays,
    layout: FrameLayout,
    firsts: IntArray,
    slots: IntArray,
    observations: Float32Array,
) -> None:
    """Writes observations `[M, D]`, as `read_observation` does.

    Args:
        frames: of all runs, in the memory of the CPU.
        layout: of the frames.
        firsts: `[M]` first slots of the runs.
        slots: `[M]` of the newest frames.
        observations: written.
    """
    numbers, size = observations.ravel(), observations.shape[1]
    for i in range(len(slots)):
        read_observation(frames, layout, firsts[i], slots[i], numbers, i * size)
