"""The parameters and inputs that make a network convolutional."""

from typing import Any

from skreg.compatibility import StrOptions
from skreg.estimators.constraints import CONSTRAINTS
from skreg.estimators.inputs import Images
from skreg.parameters.checks import per_convolution
from skreg.parameters.image_shapes import DATA_FORMATS, full_shape
from skreg.parameters.intervals import COUNT
from skreg.typing import NDArray

# Parameters that networks of images do not have.
OF_TABLES = (
    *("numeric_embedding", "embedding_size", "embedding_scale", "ensemble"),
    *("categorical_features", "feature_groups", "feature_penalties"),
)
OF_IMAGES = {
    "image_shape": ["array-like", None],
    "data_format": [StrOptions(set(DATA_FORMATS))],
    "channels": ["array-like", COUNT],
    "kernel_size": ["array-like", COUNT],
    "pool": ["array-like", COUNT],
}


def image_constraints(constraints=CONSTRAINTS):
    """Return constraints of parameters with those of images for those of tables."""
    kept = {name: rule for name, rule in constraints.items() if name not in OF_TABLES}
    return kept | OF_IMAGES


class ConvolutionalMixin:
    """Convolutions before the dense layers of a network."""

    # The parameters of tables, with values that have no effect.
    numeric_embedding, embedding_size, embedding_scale = None, 1, 1.0
    ensemble = "independent"
    feature_groups = feature_penalties = None
    _layers_given_by = "channels and hidden_layer_sizes"
    _linear_with = "channels=() and hidden_layer_sizes=()"

    # Set by the network.
    _layout: Any
    coefs_: list[NDArray[Any]]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array, tags.input_tags.categorical = True, False
        return tags

    def _make_inputs(self):
        channels = per_convolution("channels", self.channels)
        kernels = per_convolution("kernel_size", self.kernel_size, len(channels))
        pools = per_convolution("pool", self.pool, len(channels))
        shape = None if self.image_shape is None else full_shape(self.image_shape)
        return Images(channels, kernels, pools, shape, data_format=self.data_format)

    @property
    def filters_(self) -> list[NDArray[Any]]:
        """Weights of the convolutions, each (height, width, inputs, outputs)."""
        shapes = self._layout.architecture.convolutions
        return [
            coef.reshape(shape.n_in, *shape.kernel, shape.n_out).transpose(1, 2, 0, 3)
            for coef, shape in zip(self.coefs_, shapes)
        ]
