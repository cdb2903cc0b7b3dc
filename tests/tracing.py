"""A Hydra callback that remembers what it was told."""

from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback

EVENTS: list[tuple[Any, ...]] = []


class Trace(Callback):
    """Remembers the events of jobs and multiruns."""

    def on_job_start(self, config: Any, **kwargs: Any) -> None:
        assert HydraConfig.get().job.num == config.hydra.job.num
        EVENTS.append(("start", config.hydra.job.num))

    def on_job_end(self, config: Any, job_return: Any, **kwargs: Any) -> None:
        assert HydraConfig.get().job.num == config.hydra.job.num
        EVENTS.append(
            ("end", config.hydra.job.num, job_return.status.name, job_return._return_value)
        )

    def on_multirun_end(self, config: Any, **kwargs: Any) -> None:
        EVENTS.append(("multirun end",))
