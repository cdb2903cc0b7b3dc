"""The cores and the memory allocator of this machine."""

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_MMAP_THRESHOLD = 32 * 2**20
LARGEST_INT = 2**31 - 1


def num_cores() -> int:
    """Returns the number of cores that this process may use."""
    # Only some systems provide this.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_freed_memory() -> None:
    """Makes the C library keep freed memory for later allocations.

    By default glibc returns large blocks to the system at once. Every step of a large population
    then allocates its activations as fresh pages, which costs more than the arithmetic. See
    mallopt(3), https://man7.org/linux/man-pages/man3/mallopt.3.html. Other C libraries are left
    unchanged.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)
        mallopt(M_TRIM_THRESHOLD, LARGEST_INT)
