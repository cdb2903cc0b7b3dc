"""Where the numbers of a thread's memory lie: sizes and places of its parts."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dqn_exp.agent.native.dense import COLUMNS
from dqn_exp.core.vector import LANES, pad
from dqn_exp.network.convolution import Convolution, num_numbers
from dqn_exp.network.layers import Linear

INPUTS, OUTPUTS, WEIGHT, BIAS, UNITS, HEADS = range(6)
COUNT, WIDTH, FLAT, TRUE_INPUTS, TRUE_OUTPUTS, PANEL = range(6, 12)
"""Columns of the table of layers: the fields of `Layer`, then what tells where a layer lies in the
parameters `[P]` of a run. The outputs of a layer are divided into heads, each with an equal part
(`WIDTH`) of them, which is padded to `OUTPUTS`. The last layer has a head for each action. The
weights of a head are stored as `[outputs / PANEL, inputs, PANEL]`.

The inputs and outputs of a convolution are those of a whole image, but its weights are those of
one patch, in as many inputs and outputs as `TRUE_INPUTS` and `TRUE_OUTPUTS`."""

SIZE, STRIDE, CHANNELS, LINE, OUTPUT_HEIGHT, OUTPUT_WIDTH = range(6)
"""Columns of the table of convolutions: of the filters, the channels and numbers of a line of the
inputs, and height and width of the outputs."""

PART = 2**15
"""Parameters that one task of an optimizer's step updates."""

PLACES = np.dtype(
    [
        (name, "i8")
        for name in (
            *("num_parameters", "num_trained", "num_layers", "num_convolutions"),
            *("num_outputs", "width", "num_noise", "num_actions", "rows"),
            *("online", "target", "first", "second", "gradient"),
            *("units", "deltas", "outputs", "wanted", "factors", "priorities"),
            *("rewards", "discounts", "bonuses"),
            *("acting", "learning", "bootstrapping", "choosing"),
            *("noise_factors", "input_factors", "output_factors"),
            *("shifts", "scales", "support", "scratch", "positions", "upper", "mask"),
            *("transposed", "squares", "coefficients", "helpers", "rest"),
        )
    ]
)
"""Sizes, and places in the numbers of a `Memory`:

- `num_parameters`: packed parameters, without the scales of noise
- `num_trained`: packed parameters, with the scales of noise
- `num_layers`: trained layers; the folded heads of a dueling network do not count
- `num_convolutions`: those of the layers that are convolutions, the first ones
- `num_outputs`: K per action
- `width`: K, padded
- `num_noise`: factors of the noise of all weights
- `num_actions`: A
- `rows`: R, rows of the units
- `online`, `target`: parameters of the online and the target network
- `first`, `second`: the optimizer's moments
- `gradient`: of the online parameters
- `units`, `deltas`: units of all layers, and their gradients
- `outputs`: outputs `[A, R, width]`, a part of the units
- `wanted`: targets of a batch, `[R, width]`
- `factors`, `priorities`: importance weights and new priorities of a batch
- `rewards`, `discounts`: of a batch
- `bonuses`: what is added to the rewards of a batch
- `acting`, `learning`, `bootstrapping`, `choosing`: noisy weights in their roles
- `noise_factors`: factors of the noise
- `input_factors`, `output_factors`: those of one layer
- `shifts`, `scales`: means and inverse standard deviations of the observations
- `support`: atoms of a categorical value
- `scratch`, `positions`, `upper`: K numbers each, padded
- `mask`: K ones, padded with zeros
- `transposed`: weights of a convolution
- `squares`: their sums over the parts of the gradient
- `coefficients`: of a step of the optimizer
- `helpers`, `rest`: callbacks that call helpers, or are 0, and that rest for a moment
"""


class MemoryLayout(NamedTuple):
    """Layout of a memory.

    Attributes:
        table: of the layers, see `INPUTS`.
        convolutions: table of the convolutions, see `SIZE`.
        sizes: by their names in `PLACES`.
        places: by their names in `PLACES`.
        end: number of all numbers.
    """

    table: list[list[int]]
    convolutions: list[list[int]]
    sizes: dict[str, int]
    places: dict[str, int]
    end: int


def make_memory_layout(
    layers: Sequence[Linear | Convolution],
    *,
    num_outputs: int | None,
    is_dueling: bool,
    num_rows: int,
    num_copies: int,
) -> MemoryLayout:
    """Lays out a memory; the arguments are those of `memory.make_memory`."""
    rows = pad(num_rows)
    table, num_parameters, num_units = _make_table(layers, rows, num_outputs)
    num_trained, num_folded, num_layers = num_copies * num_parameters, 0, len(table)
    if is_dueling:
        folded, num_folded = _fold(table[-1], num_trained)
        table.append(folded)
    last = table[-1]
    convolutions = [layer for layer in layers if isinstance(layer, Convolution)]
    sizes = {
        "num_parameters": num_parameters,
        "num_trained": num_trained,
        "num_layers": num_layers,
        "num_convolutions": len(convolutions),
        "num_outputs": num_outputs or 1,
        "width": last[OUTPUTS],
        "num_noise": sum(layer.num_noise for layer in layers),
        "num_actions": last[COUNT],
        "rows": rows,
    }
    places, end = _lay_out(
        dict.fromkeys(("units", "deltas"), num_units)
        | dict.fromkeys(("shifts", "scales"), table[0][INPUTS])
        | _sizes_of_parameters(sizes, num_folded)
        | _sizes_of_batch(sizes)
        | _sizes_of_noise(sizes, table)
        | {"transposed": max((each.fan_in * each.filters for each in convolutions[1:]), default=0)}
    )
    places["outputs"] = places["units"] + last[HEADS]
    return MemoryLayout(table, [_geometry(each) for each in convolutions], sizes, places, end)


def _geometry(layer: Convolution) -> list[int]:
    """Returns the row of a convolution in their table, see `SIZE`."""
    channels, (height, width, _) = layer.image.channels, layer.output
    return [layer.size, layer.stride, channels, layer.image.width * channels, height, width]


def _lay_out(sizes: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """Returns the aligned places of parts of given sizes, one after the other, and their end."""
    places, end = {}, 0
    for name, size in sizes.items():
        places[name], end = end, end + pad(size)
    return places, end


def _sizes_of_parameters(known: Mapping[str, int], num_folded: int) -> dict[str, int]:
    """Returns the sizes of the parameters, and of what has as many numbers."""
    size = known["num_trained"] + num_folded
    is_noisy = known["num_trained"] > known["num_parameters"]
    roles = ("acting", "learning", "bootstrapping", "choosing")
    return {
        **dict.fromkeys(("online", "target", "gradient"), size),
        **dict.fromkeys(("first", "second"), known["num_trained"]),
        **dict.fromkeys(roles, size if is_noisy else 0),
        "squares": -(-known["num_trained"] // PART),
        "coefficients": LANES,
    }


def _sizes_of_batch(known: Mapping[str, int]) -> dict[str, int]:
    """Returns the sizes of what a batch needs."""
    rows = known["rows"]
    return {
        "wanted": rows * known["width"],
        **dict.fromkeys(("factors", "priorities", "rewards", "discounts", "bonuses"), rows),
        **dict.fromkeys(("support", "scratch", "positions", "upper", "mask"), known["width"]),
    }


def _sizes_of_noise(known: Mapping[str, int], table: Sequence[Sequence[int]]) -> dict[str, int]:
    """Returns the sizes of the factors of the noise."""
    return {
        "noise_factors": pad(known["num_noise"] + 2, 2 * LANES),
        "input_factors": max(row[INPUTS] for row in table),
        "output_factors": max(row[COUNT] * row[OUTPUTS] for row in table),
    }


def _make_table(
    layers: Sequence[Linear | Convolution], rows: int, num_outputs: int | None
) -> tuple[list[list[int]], int, int]:
    """Returns the table of layers, and the numbers of packed parameters and of units."""
    table: list[list[int]] = []
    parameters = flat = units = 0
    first = layers[0]
    inputs = num_numbers(first.image) if isinstance(first, Convolution) else first.inputs
    for layer in layers:
        true_inputs, true_outputs = layer.shapes[0]
        width, is_last = true_outputs, layer is layers[-1]
        if is_last:
            width = num_outputs or 1
        if isinstance(layer, Convolution):
            outputs, panel = pad(num_numbers(layer.output), COLUMNS), width
            num_weights, num_biases = true_inputs * width, width
        else:
            if is_last and num_outputs is None:
                inputs, outputs, panel = pad(inputs, COLUMNS), 1, 1
            else:
                outputs, panel = pad(width, COLUMNS), COLUMNS
            num_biases = true_outputs // width * outputs
            num_weights = num_biases * inputs
        count = true_outputs // width
        bias = parameters + pad(num_weights)
        heads = units + pad(rows * inputs)
        table.append(
            [
                *(inputs, outputs, parameters, bias, units, heads, count, width),
                *(flat, true_inputs, true_outputs, panel),
            ]
        )
        parameters = bias + pad(num_biases)
        flat += (true_inputs + 1) * true_outputs
        inputs, units = outputs, heads
    last = table[-1]
    return table, parameters, units + pad(rows * last[COUNT] * last[OUTPUTS])


def _fold(last: Sequence[int], weight: int) -> tuple[list[int], int]:
    """Returns the layer with a head for each action that is made of dueling heads, and its size."""
    folded = list(last)
    folded[COUNT] -= 1
    folded[WEIGHT] = weight
    folded[BIAS] = weight + folded[COUNT] * folded[INPUTS] * folded[OUTPUTS]
    return folded, folded[BIAS] + pad(folded[COUNT] * folded[OUTPUTS]) - weight
