"""Activations of hidden units, in compiled code."""

from typing import Any, NamedTuple

from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import kernel
from dqn_exp.core.vector import fill
from dqn_exp.core.vector_functions import positive_part, where_positive
from dqn_exp.core.vector_math import tanh


class NoActivation(NamedTuple):
    """Stands for the `Spec` in the last layer."""

    activation: str = "none"
    has_convolutions: bool = False


LINEAR = Static(NoActivation())


@kernel
def _keep(_spec: Static, heads: Any) -> Any:
    return heads


@kernel
def _relu(_spec: Static, heads: Any) -> Any:
    return positive_part(heads)


@kernel
def _tanh(_spec: Static, heads: Any) -> Any:
    return tanh(heads)


@kernel
def _slope_of_relu(_spec: Static, units: Any, deltas: Any) -> Any:
    return where_positive(units, deltas)


@kernel
def _slope_of_tanh(_spec: Static, units: Any, deltas: Any) -> Any:
    return deltas * (fill(1.0) - units * units)


@chosen
def activate(spec: Any) -> Any:
    """Returns the activated units of a vector of heads."""
    return {"none": _keep, "relu": _relu, "tanh": _tanh}[spec.activation]


@chosen
def slope(spec: Any) -> Any:
    """Returns the gradients before an activation, given activated units and their gradients."""
    return {"relu": _slope_of_relu, "tanh": _slope_of_tanh}[spec.activation]
