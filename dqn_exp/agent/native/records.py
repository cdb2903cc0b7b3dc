"""The numbers of a run that compiled code reads and writes, as one record per run."""

from typing import Any

import numpy as np

from dqn_exp.core.schedule import Schedule

SCHEDULE = np.dtype(
    [("start", "f8"), ("end", "f8"), ("decay_steps", "i8"), ("is_exponential", "?")], align=True
)

HYPERPARAMETERS: dict[str, Any] = {
    "seed": "u8",
    "num_actions": "i8",
    "gamma": "f8",
    "bootstrap_truncated": "?",
    "epsilon": SCHEDULE,
    "learning_rate": SCHEDULE,
    "learning_starts": "i8",
    "train_every": "i8",
    "gradient_steps": "i8",
    "target_update_period": "i8",
    "target_update_tau": "f8",
    "max_grad_norm": "f4",
    "reward_limit": "f4",
    "huber_delta": "f4",
    "v_min": "f4",
    "v_max": "f4",
    "scale": "f4",
    "temperature": "f4",
    "clip": "f4",
    "optimizer_epsilon": "f4",
    "optimizer_share": "f4",
    "weight_decay": "f8",
    "offset": "i8",
    "capacity": "i8",
    "first_slot": "i8",
    "n_step": "i8",
    "priority_exponent": "f8",
    "priority_epsilon": "f8",
    "importance_exponent": SCHEDULE,
}
"""Fields that stay the same, with their types."""

STATE: dict[str, Any] = {
    "step": "i8",
    "updates": "i8",
    "beta1_power": "f8",
    "beta2_power": "f8",
    "position": "i8",
    "size": "i8",
    "begin": "i8",
    "count": "i8",
    "total_mass": "f8",
    "max_priority": "f8",
    "max_mass": "f8",
    "num_observed": "i8",
    "loss": "f4",
    "grad_norm": "f4",
    "target_distance": "f4",
}
"""Fields that training changes."""


def to_records(schedule: Schedule) -> Any:
    """Returns a schedule of all runs as records `[N]`."""
    records = np.zeros(len(schedule.start), dtype=SCHEDULE)
    for field in SCHEDULE.names or ():
        records[field] = getattr(schedule, field)
    return records
