"""Devices of this machine, and arrays on them."""

import math
from contextlib import suppress

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dqn_exp.core.machine import free_memory

MEMORY_SHARE = 0.9
"""Of the free memory that the runs of a population may take."""


def to_device(array: npt.NDArray[np.generic], device: torch.device) -> Tensor:
    """Returns an array as a tensor on a device; on the CPU, both share their memory.

    A copy to a GPU need not wait for the work that the GPU still has to do.
    """
    return torch.from_numpy(array).to(device, non_blocking=True)


def to_host(tensor: Tensor) -> Tensor:
    """Returns a tensor on the CPU whose storage has nothing else, so that a file holds it alone.

    A tensor that is on the CPU already shares its memory with the result.
    """
    return torch.from_numpy(tensor.cpu().numpy())


def check_device(device: str) -> list[str]:
    """Returns the problems of a device on this machine."""
    with suppress(RuntimeError):  # Torch raises it for other names.
        chosen = torch.device(device)
        counts = {"cpu": 1, "cuda": torch.cuda.device_count()}
        # Of large indices, torch keeps the last bits.
        if str(chosen) == device and 0 <= (chosen.index or 0) < counts.get(chosen.type, 0):
            return []
    return [f"device: expected a device of this machine, {_known_devices()}, got {device!r}."]


def _known_devices() -> str:
    if torch.version.cuda is None:
        return "which is cpu, since this build of PyTorch has no CUDA"
    count = torch.cuda.device_count()
    return ", ".join(["cpu", *(f"cuda:{index}" for index in range(count))])


def usable_memory(device: str) -> float:
    """Returns the bytes that runs on a device may take together; infinite if not known."""
    return MEMORY_SHARE * free_memory() if torch.device(device).type == "cpu" else math.inf
