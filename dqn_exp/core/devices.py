"""Arrays of the CPU on the device of the networks."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def to_device(array: npt.NDArray[np.generic], device: torch.device) -> Tensor:
    """Returns an array as a tensor on a device; on the CPU, both share their memory.

    A copy to a GPU need not wait for the work that the GPU still has to do.
    """
    return torch.from_numpy(array).to(device, non_blocking=True)
