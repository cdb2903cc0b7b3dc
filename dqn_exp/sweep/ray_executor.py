"""Training as tasks of Ray, https://docs.ray.io."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ray

from dqn_exp.core.errors import WorkerError, last_line_of
from dqn_exp.files.result import Result
from dqn_exp.sweep.executor import Report, Task, train_task
from dqn_exp.training.progress import Progress


@dataclass(frozen=True)
class _RayTask:
    """A task that was submitted to Ray."""

    reference: Any

    def is_done(self) -> bool:
        ready, _ = ray.wait([self.reference], timeout=0)
        return bool(ready)

    def results(self) -> list[Result]:
        try:
            found: list[Result] = ray.get(self.reference)
        except Exception as error:  # Ray raises errors of many kinds.
            raise WorkerError(last_line_of(error)) from error
        return found


class RayExecutor:
    """Trains each population as a task of a cluster or of this machine."""

    has_workers = True

    def __init__(
        self, num_workers: int | None, address: str | None, num_cpus: int, num_gpus: int
    ) -> None:
        """Connects to a cluster.

        Args:
            num_workers: tasks at once; None for as many as fit on the cluster.
            address: of the cluster; None starts Ray on this machine.
            num_cpus: cores of each task.
            num_gpus: GPUs per task.
        """
        ray.init(address=address, include_dashboard=None if address else False, log_to_driver=False)
        room = ray.cluster_resources()  # type: ignore[no-untyped-call]
        needs = {"CPU": num_cpus, "GPU": num_gpus}
        rooms = [room.get(name, 0) // need for name, need in needs.items() if need]
        self.num_workers = num_workers or max(1, int(min(rooms)))
        self.num_threads: int | None = num_cpus
        # Retries are the dispatcher's decision, which knows the checkpoints.
        self._train = ray.remote(num_cpus=num_cpus, num_gpus=num_gpus, max_retries=0)(train_task)
        self._references: list[Any] = []

    def submit(
        self, task: Task, report: Report, should_stop: Callable[[], bool], progress: Progress
    ) -> _RayTask:
        """Submits a task."""
        del report, should_stop, progress
        reference = self._train.remote(task)
        self._references.append(reference)
        return _RayTask(reference)

    def stop(self) -> None:
        """Cancels all tasks; they end after the current step, with checkpoints."""
        for reference in self._references:
            ray.cancel(reference)

    def close(self) -> None:
        """Disconnects from the cluster, which ends its tasks."""
        ray.shutdown()
