"""How many cores there are for this process."""

import os


def num_cores() -> int:
    """Returns how many cores this process may use."""
    # Only some systems tell that.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
