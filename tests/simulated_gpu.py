"""A GPU for machines without one: the CPU computes, and tensors refuse to mix as CUDA's do."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

GPU = torch.device("cuda", 0)
MIXING = (torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default)
"""Take tensors of both devices."""
INDEXING = (Tensor.__getitem__, Tensor.__setitem__)
"""Take indices of the CPU for tensors of a GPU."""


class GpuTensor(Tensor):
    """Says that it lies on a GPU; its numbers are in `host`, a tensor of the CPU."""

    host: Tensor

    @staticmethod
    def __new__(cls, host: Tensor) -> "GpuTensor":
        """Wraps a tensor of the CPU, whose memory it shares."""
        self: GpuTensor = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            host.shape,
            strides=host.stride(),
            storage_offset=host.storage_offset(),
            dtype=host.dtype,
            device="meta",  # Torch itself asks for a driver where it is told of a GPU.
        )
        self.host = host
        return self

    @property
    def device(self) -> torch.device:
        """The GPU."""
        return GPU

    @property
    def is_cuda(self) -> bool:
        """True."""
        return True

    def numpy(self, *, force: bool = False) -> Any:
        """Raises what CUDA raises."""
        raise TypeError("can't convert cuda:0 device type tensor to numpy.")

    def tolist(self) -> Any:
        """Returns the numbers, as CUDA does."""
        return self.host.tolist()

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Computes on the CPU; the results lie on the GPU, unless they are copied away.

        Views share the memory of their tensors, as those of the CPU do.
        """
        kwargs = dict(kwargs or {})
        _check_devices(function, args, kwargs)
        device = kwargs.pop("device", None)
        results = function(*tree_map(_to_host, args), **tree_map(_to_host, kwargs))
        if device is not None and torch.device(device).type == "cpu":
            return results
        written = _find_written(function, args, kwargs)
        return written if written is not None else tree_map(_to_gpu, results)


class SimulatedGpu(TorchFunctionMode):
    """While it is active, `device=cuda` makes tensors that say they lie on a GPU.

    Attributes:
        num_pinned: tensors that were made in page-locked memory.
        num_made: tensors that were made on the GPU, or copied to it.
    """

    def __init__(self) -> None:
        """Begins without tensors."""
        super().__init__()
        self.num_pinned = self.num_made = 0

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Makes tensors on the CPU and wraps them."""
        kwargs = dict(kwargs or {})
        self.num_pinned += kwargs.pop("pin_memory", False)
        if function is Tensor.to and len(args) == 2 and _is_gpu(args[1]):
            self.num_made += 1
            return args[0] if isinstance(args[0], GpuTensor) else GpuTensor(args[0].clone())
        if function not in (Tensor.to, torch.device) and _is_gpu(kwargs.get("device")):
            self.num_made += 1
            return _to_gpu(function(*args, **{**kwargs, "device": "cpu"}))
        # Torch would make numbers and indices tensors of the device that it is told of.
        if function in INDEXING and isinstance(args[0], GpuTensor):
            args = (args[0], tree_map(_to_gpu, args[1]), *map(torch.as_tensor, args[2:]))
        if function is torch.where:
            args = [torch.as_tensor(value) for value in args]
        return function(*args, **kwargs)


def _is_gpu(place: Any) -> bool:
    return isinstance(place, (str, torch.device)) and torch.device(place).type == "cuda"


def _to_host(value: Any) -> Any:
    return value.host if isinstance(value, GpuTensor) else value


def _to_gpu(value: Any) -> Any:
    is_host = isinstance(value, Tensor) and not isinstance(value, GpuTensor)
    return GpuTensor(value) if is_host else value


def _check_devices(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Raises what CUDA raises where tensors of both devices meet."""
    tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, Tensor)]
    # A single number of the CPU is allowed.
    strangers = [value for value in tensors if not isinstance(value, GpuTensor)]
    # Torch makes one itself where it is not told better.
    assert not any(value.device.type == "meta" for value in strangers), f"{function} got no data."
    if any(value.dim() for value in strangers) and function not in MIXING:
        raise RuntimeError(f"Expected all tensors of {function} to be on the same device.")


def _find_written(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Returns the tensor that a function wrote its result into, or None."""
    for position, argument in enumerate(function._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            return args[position] if position < len(args) else kwargs[argument.name]
    return None
