"""Frames that are stored once, against lists of whole observations."""

import resource
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from dqn_exp.buffer.frame_kernels import NEWEST, NUM_USED
from dqn_exp.buffer.frame_store import FrameStore
from dqn_exp.buffer.n_step import NStep
from dqn_exp.buffer.prioritized import PrioritizedBuffer
from dqn_exp.buffer.uniform import UniformBuffer
from dqn_exp.core.frame_format import FrameFormat
from dqn_exp.core.schedule import Schedule
from dqn_exp.core.transition import Transition, make_layout

CPU, GAMMA = torch.device("cpu"), 0.9


class Case(NamedTuple):
    """How frames are stored."""

    capacity: int
    stack: int
    n_step: int
    is_binary: bool = False
    repeats_first: bool = True
    is_prioritized: bool = False


def form_of(case: Case) -> FrameFormat:
    scale = 1.0 if case.is_binary else 1 / 255
    return FrameFormat(3, 2, 2, case.is_binary, 0.0, scale, case.stack, case.repeats_first)


def make_buffer(case: Case) -> UniformBuffer:
    capacities = np.array([case.capacity])
    frames = FrameStore(capacities, form_of(case), case.n_step, CPU)
    layout = make_layout(1, case.n_step)
    if not case.is_prioritized:
        return UniformBuffer(capacities, layout, CPU, frames)
    constant, never = np.ones(1), np.zeros(1, dtype=np.bool_)
    return PrioritizedBuffer(
        capacities,
        layout,
        CPU,
        frames,
        priority_exponent=constant,
        priority_epsilon=constant,
        importance_exponent=Schedule(constant, constant, np.ones(1, dtype=np.int64), never),
    )


class Naive:
    """Every observation as a whole, for each transition."""

    def __init__(self, case: Case) -> None:
        self.case, self.form = case, form_of(case)
        self.transitions: list[Transition] = []
        self.frames: list[np.ndarray] = []  # Of the current episode.
        self.steps: list[tuple[int, float]] = []

    def observation(self, index: int) -> np.ndarray:
        frames = []
        for place in range(index - self.case.stack + 1, index + 1):
            if place < 0:
                first = self.frames[0]
                frames.append(first if self.case.repeats_first else np.zeros_like(first))
            else:
                frames.append(self.frames[place])
        # Oldest first, in the channels of each pixel.
        images = [frame.reshape(3, 2, 2) for frame in frames]
        scale = np.float32(self.form.scale)
        return np.concatenate(images, axis=2).ravel().astype(np.float32) * scale

    def transition(self, begin: int, *, terminated: bool) -> Transition:
        """The transition that begins at a step of the current episode."""
        last, n_step = len(self.steps), self.case.n_step
        end = min(begin + n_step, last)
        rewards = np.zeros(n_step, dtype=np.float32)
        rewards[: end - begin] = [reward for _, reward in self.steps[begin:end]]
        discount = 0.0 if terminated and end == last else GAMMA ** (end - begin)
        action = self.steps[begin][0]
        return Transition(self.observation(begin), action, rewards, discount, self.observation(end))

    def complete(self) -> list[Transition]:
        """The transitions of the current episode whose steps are all known."""
        count = max(0, len(self.steps) - self.case.n_step + 1)
        return [self.transition(begin, terminated=False) for begin in range(count)]

    def end(self, *, terminated: bool) -> None:
        """Adds the transitions of a whole episode."""
        count = len(self.steps)
        self.transitions += [self.transition(one, terminated=terminated) for one in range(count)]
        self.frames, self.steps = [], []


def compare(buffer: UniformBuffer, naive: Naive) -> None:
    """Compares what is stored, from the oldest transition to the newest."""
    expected = naive.transitions[-naive.case.capacity :] + naive.complete()
    size = int(buffer.sizes[0])
    assert size == min(len(naive.transitions) + len(naive.complete()), naive.case.capacity)
    if not size:
        return
    begin = int(buffer.positions[0]) - size
    rows = np.arange(begin, begin + size) % naive.case.capacity
    stored = buffer.read(rows[None])
    newest = expected[-size:]
    for name in Transition._fields:
        wanted = np.stack([np.asarray(getattr(one, name), dtype=np.float32) for one in newest])
        np.testing.assert_array_equal(getattr(stored, name)[0].numpy(), wanted, err_msg=name)


def check(case: Case, seed: int) -> None:
    """Plays episodes of all lengths, and compares all transitions again and again."""
    generator = np.random.default_rng(seed)
    buffer, naive, n_step = make_buffer(case), Naive(case), NStep(1, 1, case.n_step)
    assert buffer.frames is not None
    run, num_ends = np.zeros(1, dtype=np.int64), []
    high = 2 if case.is_binary else 256

    def draw(*, is_first: bool) -> np.ndarray:
        frame = generator.integers(0, high, (1, 12)).astype(np.uint8)
        naive.frames.append(frame[0])
        return buffer.add_frames(run, frame, np.array([is_first]))

    while len(naive.transitions) < 3 * case.capacity + 10:
        observation = draw(is_first=True)
        compare(buffer, naive)
        length = int(
            generator.integers(1, 1 + max(3, case.capacity // int(generator.integers(1, 5))))
        )
        terminated = bool(generator.random() < 0.5)
        for step in range(1, length + 1):
            action, reward = int(generator.integers(3)), float(np.float32(generator.normal()))
            following, is_last = draw(is_first=False), step == length
            naive.steps.append((action, reward))
            discount = 0.0 if terminated and is_last else GAMMA
            transition = Transition(
                observation,
                np.array([action]),
                np.array([[reward]], dtype=np.float32),
                np.array([discount]),
                following,
            )
            buffer.add(*n_step.push(transition, np.array([is_last])))
            observation = following
            if not is_last and (case.capacity < 13 or step % 7 == 0):
                compare(buffer, naive)
        naive.end(terminated=terminated)
        compare(buffer, naive)
        num_ends.append(length)
    # One slot for each transition, each last frame among them, and the first frames of a stack.
    ends = max(_ends_within(num_ends, case.capacity))
    most = case.capacity + ends + case.stack + case.n_step + 2
    assert buffer.frames.marks[0, NUM_USED] <= most


def _ends_within(lengths: list[int], capacity: int) -> list[int]:
    """How many episodes end in each window of transitions, and one more at its border."""
    ends = np.cumsum(lengths)
    return [int(((ends > end - capacity) & (ends <= end)).sum()) + 1 for end in ends]


@pytest.mark.parametrize("capacity", [*range(1, 13), 37, 200])
def test_every_transition_is_what_it_would_be_if_it_were_stored_as_a_whole(capacity):
    for stack in range(1, 5):
        n_step = 1 + (capacity + stack) % 3
        if n_step <= capacity:
            odd = stack % 2 == 1
            check(Case(capacity, stack, n_step, odd, capacity % 2 == 0, not odd), seed=capacity)


@pytest.mark.parametrize(("capacity", "n_step"), [(20, 20), (31, 20), (90, 7)])
def test_long_returns_are_stored_as_well(capacity, n_step):
    for stack in (1, 4):
        check(Case(capacity, stack, n_step, is_prioritized=stack == 4), seed=n_step)


@pytest.mark.slow
@pytest.mark.parametrize("capacity", range(1, 201))
def test_the_same_holds_for_every_capacity(capacity):
    for stack in range(1, 5):
        for n_step in range(1, 4):
            flags = (capacity + 3 * stack + 5 * n_step) % 8
            if n_step <= capacity:
                kinds = (bool(flags & 1), bool(flags & 2), bool(flags & 4))
                check(Case(capacity, stack, n_step, *kinds), seed=flags)


def test_a_run_that_is_loaded_reads_and_stores_the_same():
    case = Case(9, 3, 2)
    first, second, generator = make_buffer(case), make_buffer(case), np.random.default_rng(0)
    run, n_step = np.zeros(1, dtype=np.int64), NStep(1, 1, 2)

    def step(buffers: list[UniformBuffer], observation: np.ndarray, *, is_last: bool) -> np.ndarray:
        frame = generator.integers(0, 256, (1, 12)).astype(np.uint8)
        found = [one.add_frames(run, frame, np.array([False])) for one in buffers]
        reward = np.ones((1, 1), dtype=np.float32)
        transition = Transition(observation, run, reward, np.array([GAMMA]), found[0])
        runs, complete = n_step.push(transition, np.array([is_last]))
        for one in buffers:
            one.add(runs, complete)
        assert all(np.array_equal(one, found[0]) for one in found)
        return found[0]

    newest = first.add_frames(run, np.zeros((1, 12), np.uint8), np.array([True]))
    for index in range(31):
        newest = step([first], newest, is_last=index % 7 == 6)
    second.load_state_dict(0, first.state_dict(0))
    for index in range(20):
        newest = step([first, second], newest, is_last=index % 5 == 4)
        rows = np.arange(9)[None]
        for ours, theirs in zip(first.read(rows), second.read(rows), strict=True):
            assert torch.equal(ours, theirs)
    assert first.frames is not None and second.frames is not None
    newest_slots = [one.frames.marks[0, NEWEST] for one in (first, second)]
    assert newest_slots[0] == newest_slots[1]


def test_a_state_of_another_format_is_refused():
    big, small = make_buffer(Case(9, 1, 1)), make_buffer(Case(9, 1, 1, is_binary=True))
    big.add_frames(np.zeros(1, np.int64), np.zeros((1, 12), np.uint8), np.array([True]))
    with pytest.raises(ValueError, match=r"state of FrameStore: expected at most .* of 2 bytes"):
        small.load_state_dict(0, big.state_dict(0))


MEASURED = {
    "minatar": (FrameFormat(10, 10, 4, True, 0.0, 1.0), 45e6),
    "atari": (FrameFormat(84, 84, 1, False, 0.0, 1 / 255, 4), 0.75e9),
}


@pytest.mark.parametrize("name", ["minatar", pytest.param("atari", marks=pytest.mark.slow)])
def test_a_full_buffer_takes_the_memory_of_its_frames_once(name):
    form, most = MEASURED[name]
    fill(form, 10, 20)  # Compiles.
    before = resident_bytes()
    buffer = fill(form, 100_000, 105_000)
    taken = resident_bytes() - before
    assert buffer.sizes[0] == 100_000
    assert 0.9 * 100_000 * form.num_bytes < taken < most


def fill(form: FrameFormat, capacity: int, num_steps: int) -> UniformBuffer:
    capacities = np.array([capacity])
    buffer = UniformBuffer(capacities, make_layout(1, 1), CPU, FrameStore(capacities, form, 1, CPU))
    run, frame = np.zeros(1, np.int64), np.ones((1, form.num_values), np.uint8)
    for step in range(num_steps):
        newest = buffer.add_frames(run, frame, np.array([step % 100 == 0]))
        one = Transition(newest, run, np.ones((1, 1), np.float32), np.ones(1), newest)
        buffer.add(run, one)
    return buffer


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def test_a_buffer_may_have_room_for_more_than_the_memory_of_the_machine():
    form = MEASURED["atari"][0]
    store = FrameStore(np.array([4_000_000, 4_000_000]), form, 1, CPU)
    frame, none = np.full((1, 7_056), 9, np.uint8), np.array([-1])
    for run in (0, 1):
        slots = [store.add(np.array([run]), frame, np.array([True]), none)[0] for _ in range(3)]
        assert slots == [0, 1, 2]
        assert (store.newest(run) == 9).all()


@pytest.mark.parametrize("repeats_first", [True, False])
@pytest.mark.parametrize("kind", ["bits", "bytes", "four gray frames"])
def test_tensors_and_compiled_code_read_the_same_observations(kind, repeats_first):
    is_binary = kind == "bits"
    form = form_of(Case(0, 3, 1, is_binary, repeats_first))
    if kind == "four gray frames":
        form = FrameFormat(4, 8, 1, False, 3.0, 1 / 255, 4, repeats_first)
    store = FrameStore(np.array([30, 40]), form, 1, CPU)
    generator, slots = np.random.default_rng(0), []
    for step in range(25):
        frames = generator.integers(0, 2 if is_binary else 256, (2, form.num_values))
        frames = frames.astype(np.uint8)
        slots.append(store.add(np.arange(2), frames, np.full(2, step % 6 == 0), np.full(2, -1)))
    firsts = np.repeat(store.offsets, 25)
    chosen = np.array(slots).T.ravel()
    compiled, tensors = (
        read(firsts, chosen) for read in (store._read_compiled, store._read_tensors)
    )
    np.testing.assert_array_equal(compiled.numpy(), tensors.numpy())
