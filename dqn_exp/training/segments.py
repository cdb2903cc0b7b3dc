"""Steps of each run by itself, in segments on several threads."""

import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from dqn_exp.agent.native.engine import NativeEngine
from dqn_exp.core.arrays import BoolArray, IntArray
from dqn_exp.core.vector import aligned_zeros
from dqn_exp.training.episodes import FinishedEpisodes, join_finished
from dqn_exp.training.players import Player
from dqn_exp.training.segment import FINISHED, Worker
from dqn_exp.training.stretch import Stretch

SECONDS = 0.1
"""Length of a stretch of small networks; the runs advance as far as they can in this time."""

LEAST_SECONDS = 0.002
"""Shortest length of a segment, so that changing runs takes a small share of the time."""

COPIED_ARRAYS = 8
"""Copies of a run's parameters that changing runs makes: of two networks and two moments, to the
memory of a thread and back."""

SECONDS_PER_BYTE = 1e-8
"""Shortest length of a segment for each byte of them: about 100 times as long as copying takes."""

MOST_SECONDS = 1.0
"""Length of a stretch, at most, where such segments of all runs take longer than `SECONDS`."""

SEGMENTS_PER_STRETCH = 5
"""Segments that a run may make in a stretch, so that the threads share the work of few runs."""

MAX_FINISHED = 1_024
"""Finished episodes of a segment, at most."""


class _Speeds:
    """Steps per second of the newest segments, of runs that learn and of runs that do not yet."""

    def __init__(self) -> None:
        self._known = {False: 1_000.0, True: 100.0}  # At first: large networks are slow.

    def of(self, is_learning: bool) -> float:
        return self._known[is_learning]

    def note(self, is_learning: bool, speed: float) -> None:
        self._known[is_learning] = speed


def learns(records: Any) -> BoolArray:
    """Returns which runs `[N]` have stored enough to learn."""
    is_learning: BoolArray = records["size"] > records["learning_starts"]
    return is_learning


def first_update(records: Any) -> IntArray:
    """Returns the steps `[N]` at which runs have stored enough to learn, if no earlier one."""
    missing = records["learning_starts"] - records["size"] + 1
    step: IntArray = records["step"] + np.maximum(1, missing)
    return step


class Segments:
    """Advances runs on threads that take run after run, each by one segment.

    What a run computes depends neither on the threads nor on the length of the segments.
    """

    def __init__(self, engine: NativeEngine, player: Player, num_threads: int) -> None:
        """Takes the parts of the population.

        Args:
            engine: of the population.
            player: advances a run.
            num_threads: limit of threads.
        """
        self._engine, self._player = engine, player
        count = len(engine.agent.updates)
        num_threads = max(1, min(num_threads, count))
        size = min(count, player.max_group)
        self._workers = [_make_worker(engine, size) for _ in range(num_threads)]
        self._pool = ThreadPoolExecutor(num_threads)
        self._speeds = _Speeds()
        self._num_bytes = COPIED_ARRAYS * engine.agent.online.nbytes / count

    def compile(self) -> None:
        """Compiles or loads the code."""
        records = self._engine.load(np.zeros(len(self._engine.agent.updates), dtype=np.int64))
        self._player.load(records)
        self._player.compile(records, self._workers[0])

    def advance(self, steps: IntArray, until: IntArray, last_episodes: IntArray) -> Stretch:
        """Advances all runs until something is due for them or the time is up."""
        records = self._engine.load(steps)
        self._player.load(records)
        records["due"], records["last_episode"] = until, last_episodes
        learned = learns(records)
        groups, began = self._player.group(len(steps)), time.perf_counter()
        workers = self._workers[: min(self._player.num_threads, len(groups))]
        lengths = self._lengths(len(steps), len(groups), len(workers))
        stretch = _Stretch(records, self._player, groups, self._speeds, *lengths)
        if len(workers) == 1:
            stretch.work(workers[0])
        else:
            list(self._pool.map(stretch.work, workers))
        if learned.any() and np.array_equal(learned, learns(records)):  # Learning takes longer.
            taken = int((records["step"] - steps).sum())
            self._player.note_rate(taken / (time.perf_counter() - began))
        self._engine.store(records)
        self._player.store(records)
        finished = join_finished(stretch.finished)
        self._player.episodes.note(finished)
        diverged = records["is_diverged"].copy()
        return Stretch(records["step"].copy(), finished, diverged, self._player.take_errors())

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown()
        self._player.close()

    def _lengths(self, num_runs: int, num_groups: int, num_workers: int) -> tuple[float, float]:
        """Returns how many seconds a segment and a stretch take."""
        share = num_workers / num_groups
        least = SECONDS_PER_BYTE * self._num_bytes * num_runs / num_groups
        least = min(least, MOST_SECONDS * share)
        segment = max(LEAST_SECONDS, least, SECONDS * min(share, 1 / SEGMENTS_PER_STRETCH))
        return segment, max(SECONDS, least / share)


class _Stretch:
    """One stretch, which the threads work on together.

    Attributes:
        finished: episodes that have finished, those of a run in their order.
    """

    def __init__(
        self,
        records: Any,
        player: Player,
        groups: Iterable[IntArray],
        speeds: _Speeds,
        segment_seconds: float,
        stretch_seconds: float,
    ) -> None:
        self._records, self._player = records, player
        self._waiting = deque(groups)
        self._deadline = time.perf_counter() + stretch_seconds
        self._speeds, self._seconds = speeds, segment_seconds
        self.finished: list[FinishedEpisodes] = []

    def work(self, worker: Worker) -> None:
        """Advances one group after another until none is left or the time is up."""
        while self._waiting:
            try:
                runs = self._waiting.popleft()
            except IndexError:  # Another thread has taken it.
                return
            self._advance(runs, worker)
            runs = runs[[not self._is_done(run) for run in runs]]
            if len(runs) and time.perf_counter() < self._deadline:
                self._waiting.append(runs)

    def _is_done(self, run: int) -> bool:
        record = self._records[run]
        has_ended = record["is_diverged"] or record["episode"] >= record["last_episode"]
        return bool(has_ended or record["step"] >= record["due"]) or self._player.has_failed(run)

    def _advance(self, runs: IntArray, worker: Worker) -> None:
        records, began = self._records, time.perf_counter()
        first, is_learning = records["step"][runs], bool(learns(records[runs]).any())
        length = max(1, int(self._speeds.of(is_learning) * self._seconds / len(runs)))
        records["until"][runs] = np.minimum(records["due"][runs], first + length)
        if not is_learning:
            records["until"][runs] = np.minimum(records["until"][runs], first_update(records[runs]))
        self._player.advance(records, runs, worker)
        if count := int((records["step"][runs] - first).sum()):
            self._speeds.note(is_learning, count / (time.perf_counter() - began))
        for k, run in enumerate(runs.tolist()):
            if num_finished := int(records["num_finished"][run]):
                self.finished.append(_copy(worker.finished[k, :num_finished], run))


def _make_worker(engine: NativeEngine, size: int) -> Worker:
    """Returns what a thread needs for groups of at most `size` runs."""
    memory = engine.make_memory()
    numbers = aligned_zeros(size * len(memory.numbers)).reshape(size, -1)
    numbers[:] = memory.numbers
    return Worker(
        memory._replace(numbers=numbers[0]), numbers, np.zeros((size, MAX_FINISHED), dtype=FINISHED)
    )


def _copy(found: npt.NDArray[Any], run: int) -> FinishedEpisodes:
    return FinishedEpisodes(
        rows=np.full(len(found), run),
        numbers=found["number"].copy(),
        steps=found["step"].copy(),
        returns=found["return_"].copy(),
        lengths=found["length"].copy(),
        terminated=found["terminated"].copy(),
    )
