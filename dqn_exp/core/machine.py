"""The cores, the free memory and the memory allocator of this machine."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_MMAP_THRESHOLD = 32 * 2**20
LARGEST_INT = 2**31 - 1

MEMORY_INFO = Path("/proc/meminfo")
GROUP = Path("/sys/fs/cgroup")


def num_cores() -> int:
    """Returns the number of cores that this process may use."""
    # Only some systems provide this.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_memory() -> int:
    """Returns the bytes of memory that are free, or all bytes where that is not known."""
    try:
        lines = MEMORY_INFO.read_text().splitlines()
        (available,) = (line for line in lines if line.startswith("MemAvailable:"))
        free = int(available.split()[1]) * 1_024
    except (OSError, ValueError):
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([free, *_limits_of_group()])


def _limits_of_group() -> Iterator[int]:
    """Yields what is left of the memory limit of this process's control group."""
    with suppress(OSError, ValueError):
        limit, used = (int((GROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        yield limit - used + _reclaimable_bytes()


def _reclaimable_bytes() -> int:
    """Returns the bytes of files that this process's control group caches and can do without."""
    lines = (GROUP / "memory.stat").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))


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
