"""Convolutions and a multi-layer perceptron as Q-network for images."""

from collections.abc import Sequence

from torch import Tensor

from dqn_exp.network.convolution import Convolution, ImageShape, as_images, num_numbers
from dqn_exp.network.layers import Linear, ParameterLayout
from dqn_exp.network.mlp import ACTIVATIONS, MLP


class ConvNet:
    """Convolutions, whose flattened outputs are the observations of a multi-layer perceptron.

    Human-level control through deep reinforcement learning, https://doi.org/10.1038/nature14236.
    """

    def __init__(
        self,
        image: ImageShape,
        convolutions: Sequence[tuple[int, int, int]],
        hidden_sizes: Sequence[int],
        num_actions: int,
        *,
        num_outputs: int = 1,
        activation: str = "relu",
        dueling: bool = False,
    ) -> None:
        """Creates the network without parameters.

        Args:
            image: shape of the observations, frames of a stack in the channels.
            convolutions: filters, size and stride of each convolution, at least one.
            hidden_sizes: units of the hidden layers after the convolutions; may be empty.
            num_actions: A.
            num_outputs: K.
            activation: of the convolutions and hidden layers, one of `ACTIVATIONS`.
            dueling: whether the value and the advantages have heads of their own.

        Raises:
            ValueError: If the activation is unknown, or the images are smaller than a filter.
        """
        self._image, self.num_features = image, num_numbers(image)
        self.convolutions = _chain(image, convolutions)
        self.mlp = MLP(
            num_numbers(self.convolutions[-1].output),
            hidden_sizes,
            num_actions,
            num_outputs=num_outputs,
            activation=activation,
            dueling=dueling,
        )
        self._activation = ACTIVATIONS[activation]
        self.layers: list[Convolution | Linear] = [*self.convolutions, *self.mlp.layers]
        self.layout = ParameterLayout(self.layers)

    def forward(self, parameters: Sequence[Tensor], observations: Tensor) -> Tensor:
        """Returns outputs `[N, B, A, K]` for observations `[N, B, D]`, which are images."""
        count = 2 * len(self.convolutions)
        return self.mlp.forward(parameters[count:], self.convolve(parameters[:count], observations))

    def convolve(self, parameters: Sequence[Tensor], observations: Tensor) -> Tensor:
        """Returns the outputs `[N, B, F]` of the last convolution."""
        images = as_images(observations, self._image)
        for convolution, weight, bias in zip(
            self.convolutions, parameters[::2], parameters[1::2], strict=True
        ):
            images = self._activation(convolution.forward(images, weight, bias))
        return images.flatten(2)


def _chain(image: ImageShape, convolutions: Sequence[tuple[int, int, int]]) -> list[Convolution]:
    """Returns convolutions, each of the outputs of the one before."""
    chain: list[Convolution] = []
    for filters, size, stride in convolutions:
        if size > min(image.height, image.width):
            raise ValueError(
                f"network.convolutions: expected filters that fit into the images, got "
                f"{size}x{size} for convolution {len(chain) + 1}, whose inputs are "
                f"{image.height}x{image.width}."
            )
        chain.append(Convolution(image, filters, size, stride))
        image = chain[-1].output
    return chain
