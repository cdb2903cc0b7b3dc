"""Values that are known when code is compiled, and functions that are chosen by them."""

from collections.abc import Callable, Hashable
from typing import Any

from numba import types
from numba.core.imputils import lower_constant
from numba.extending import (
    NativeValue,
    models,
    overload,
    register_model,
    typeof_impl,
    unbox,
)

from dqn_exp.core.jit import KERNEL


class StaticType(types.Type):  # type: ignore[misc]
    """Type of a `Static` in compiled code; each value has a type of its own."""

    def __init__(self, value: Hashable) -> None:
        """Takes the value, whose representation is the name of the type."""
        self.value = value
        super().__init__(f"Static({value!r})")


class Static:
    """An argument of compiled code whose value is known when the code is compiled.

    A function is compiled separately for each value, with nothing that the value does not need.
    """

    def __init__(self, value: Hashable) -> None:
        """Takes a value whose representation tells it from others."""
        self._numba_type_ = StaticType(value)


@typeof_impl.register(Static)  # type: ignore[untyped-decorator]
def _typeof(value: Static, _context: Any) -> StaticType:
    return value._numba_type_


@register_model(StaticType)
class _StaticModel(models.OpaqueModel):  # type: ignore[misc]
    """Nothing is left of the value when the code runs."""


@unbox(StaticType)  # type: ignore[untyped-decorator]
def _unbox(_kind: Any, _value: Any, context: Any) -> NativeValue:
    return NativeValue(context.context.get_dummy_value())


@lower_constant(StaticType)  # type: ignore[untyped-decorator]
def _lower(context: Any, _builder: Any, _kind: Any, _value: Any) -> Any:
    return context.get_dummy_value()


def chosen(choose: Callable[[Any], Any]) -> Any:
    """Turns a function that maps a static value to a kernel into one that compiled code can call.

    The result takes the arguments of the kernels, of which the first is a `Static`.
    """

    def function(*_arguments: Any) -> Any:
        raise TypeError(f"{choose.__name__} can only be called from compiled code.")

    @overload(function, strict=False, jit_options={**KERNEL, "forceinline": True})  # type: ignore[untyped-decorator]
    def _implement(static: Any, *_arguments: Any) -> Any:
        return choose(static.value).py_func

    return function
