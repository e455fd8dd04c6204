"""The plan of networks for the compiled library: where tensors are, and all numbers."""

from copy import copy
from dataclasses import fields

import numpy as np
import scipy.sparse as sp
import torch

from skreg.compiled.structures import (
    ACTIVATIONS,
    LAYER,
    MODEL,
    NORMS,
    PARAMETER,
    PLAN,
)
from skreg.losses.kinds import (
    AbsoluteError,
    BinaryLogLoss,
    HuberLoss,
    LogLoss,
    PoissonLoss,
    QuantileLoss,
    SquaredError,
)
from skreg.networks.architecture import parameter_shapes
from skreg.networks.columns import places_of
from skreg.networks.embeddings import encoding
from skreg.training.noise import cuts

# In the order of their codes in `compiled/src/plan.h`.
LOSSES = (
    LogLoss,
    BinaryLogLoss,
    SquaredError,
    AbsoluteError,
    HuberLoss,
    PoissonLoss,
    QuantileLoss,
)
# What stands in place of the first code in columns of numbers, as in `src/plan.h`.
NUMBER, MARKED_NUMBER = -1, -2
# Elements of a matrix of weights from which on the library is slower than torch.
HUGE_WEIGHTS = 2**21
# The same for all weights of a network: an interrupt would wait for their copies.
HUGE_NETWORK = 2**24
# Multiplications in a batch that is normalised, from which on its gradient takes half a
# second.
HUGE_BATCH = 2**31
# The activation and the normalisation of a unit take as long as so many.
PRODUCTS_OF_UNIT = 512
# Inputs from which on scaling the rows takes as long as their products.
MANY_INPUTS = 2048
# The random changes of a batch that the library makes.
NOISE = {"dropout", "input_dropout", "input_noise", "label_smoothing"}


def _of_outputs(loss, n_outputs):
    """Return the number that a loss depends on, for each output."""
    number = getattr(loss, "delta", getattr(loss, "quantile", np.nan))
    return np.array(np.broadcast_to(number, n_outputs), float)


def covers_network(module):
    """Return whether the library knows the layers of networks."""
    architecture = module.architecture
    return (
        _is_as_built(module)
        and architecture.activation in ACTIVATIONS
        and not architecture.convolutions
        and architecture.n_members == 1
        and architecture.skip != "residual"
        and architecture.embedding != "periodic"
    )


def _is_as_built(module):
    """Return whether networks are on the CPU, with all tensors as they were built."""
    dtype = module.weights[0].dtype
    shapes = parameter_shapes(module.architecture).values()
    return dtype in (torch.float32, torch.float64) and all(
        tensor.device.type == "cpu"
        and tensor.dtype == dtype
        and tensor.shape == (module.n_models, *shape)
        and tensor.is_contiguous()
        for tensor, shape in zip(module.parameters(), shapes)
    )


def covers_loss(loss):
    """Return whether the library has a loss; not those of users, even if they derive.

    Parameters
    ----------
    loss : Loss
    """
    return type(loss) in LOSSES


def covers_rows(x, scaling):
    """Return whether the library can read rows and scale them in their precision."""
    if x.dtype not in (np.float32, np.float64):
        return False
    arrays = [x]
    if sp.issparse(x):
        if x.format != "csr" or x.indptr.dtype != x.indices.dtype:
            return False
        arrays = [x.data, x.indptr, x.indices]
    dtype = torch.float64 if x.dtype == np.float64 else torch.float32
    parts = [part for part in (scaling.offset, scaling.scale) if part is not None]
    if scaling.encoding is not None:
        parts += [scaling.encoding.marks, scaling.encoding.fill]
    return (
        all(part.dtype == dtype and part.is_contiguous() for part in parts)
        and all(array.flags.c_contiguous and array.flags.aligned for array in arrays)
        and x.dtype.isnative
    )


def covers_gradient(problem):
    """Return whether the library can differentiate the objective of networks.

    Parameters
    ----------
    problem : Stack or Objective
    """
    on = {name for name, is_on in problem.noise.active.items() if is_on}
    return (
        covers_network(problem.module)
        and covers_loss(problem.loss)
        and on <= NOISE
        and problem.batches.augmentation is None
        and covers_rows(problem.batches.pool.x, problem.batches.scaling)
    )


def covers_steps(stack):
    """Return whether the library can take the steps of a stack."""
    penalties = stack.penalties
    return (
        not penalties.inputs
        and bool(torch.isfinite(penalties.strengths["l2"]).all())
        and covers_gradient(stack)
    )


def is_for_torch(problem, is_full_batch):
    """Return whether torch is faster, or is interrupted earlier.

    It is faster where copies of huge weights take longer than they save. Of a full
    batch of many inputs, it keeps the scaled rows from iteration to iteration. And an
    interrupt waits for the copies of a network, and for the whole of a batch that is
    normalised.

    Parameters
    ----------
    problem : Stack or Objective
    is_full_batch : bool
    """
    module = problem.module
    if max(weight[0].numel() for weight in module.weights) > HUGE_WEIGHTS:
        return True
    if is_huge(module):
        return True
    if is_full_batch and module.architecture.n_inputs > MANY_INPUTS:
        return True
    return _products_to_normalise(module, problem.batches) > HUGE_BATCH


def is_huge(module):
    """Return whether copies of the weights of a network take long."""
    return _n_weights(module) > HUGE_NETWORK


def _n_weights(module):
    return sum(weight[0].numel() for weight in module.weights)


def _products_to_normalise(module, batches):
    """Return the multiplications in the largest batch, 0 if it is not normalised."""
    if not module.architecture.batchnorm:
        return 0
    n_units = sum(module.architecture.layer_sizes[1:-1])
    n_rows = min(batches.batch_size, max(map(len, batches.indices)))
    return n_rows * (_n_weights(module) + PRODUCTS_OF_UNIT * n_units)


class NetworkPlan:
    """Where the tensors of networks are. They must stay where they are.

    Parameters
    ----------
    module : StackedNetwork
    loss : Loss

    Attributes
    ----------
    address : int
        The address of the plan, for the functions of the library.
    models : ndarray of MODEL of shape (n_models,)
        The numbers of each model.
    batch_size : int
        Set by `set_batches`.
    """

    def __init__(self, module, loss):
        self._alive, self.module, self.loss = [], module, loss
        architecture = module.architecture
        self.models = np.zeros(module.n_models, MODEL)
        self._plan, self._parameters = np.zeros(1, PLAN), self._tensors()
        self._set(
            is_double=module.weights[0].dtype == torch.float64,
            n_models=module.n_models,
            n_hidden=architecture.n_hidden,
            n_inputs=architecture.n_inputs,
            n_columns=architecture.n_columns,
            sizes=np.array(architecture.layer_sizes, np.int64),
            activation=ACTIVATIONS.index(architecture.activation),
            loss=LOSSES.index(type(loss)),
            loss_parameters=_of_outputs(loss, architecture.layer_sizes[-1]),
            norm=NORMS.index(architecture.batchnorm),
            has_skip=architecture.skip == "linear",
            parameters=self._parameters,
            n_parameters=len(self._parameters),
            group_rows=architecture.group_rows,
            models=self.models,
        )
        self._set(**self._statistics(module))
        if architecture.embedding:
            inputs, parts = encoding(
                module.embedding_edges, architecture.embedding_columns()
            )
            self._set(embedded_inputs=inputs.contiguous())
            parts = [part.contiguous() for part in parts]
            self._set(**dict(zip(("low", "width", "lower", "upper"), parts)))

    @property
    def address(self):
        return self._plan.ctypes.data

    def is_current(self):
        """Return whether the parameters are still where they were."""
        tensors = _parameters_of(self.module)
        addresses = self._parameters["value"].tolist()
        return [tensor.data_ptr() for tensor in tensors] == addresses

    def for_data(self, x):
        """Return a copy of the plan for the prediction of other rows."""
        other = copy(self)
        other._plan, other._alive = self._plan.copy(), [self]
        other.set_data(x)
        return other

    def _address(self, array):
        """Return the address of an array or tensor, which is kept, or 0 for None."""
        if array is None:
            return 0
        if isinstance(array, torch.Tensor):
            assert array.is_contiguous()
            self._alive.append(array.detach())
            return array.data_ptr()
        assert array.flags.c_contiguous
        self._alive.append(array)
        return array.ctypes.data

    def _set(self, **values):
        """Set fields of the plan to numbers, or to the addresses of arrays."""
        for name, value in values.items():
            if PLAN[name] == np.uintp:
                value = self._address(value)
            self._plan[name] = value

    def _tensors(self):
        """Return the parameters, weights first."""
        module, tensors = self.module, _parameters_of(self.module)
        parameters = np.zeros(len(tensors), PARAMETER)
        parameters["n_rows"] = [tensor.size(1) for tensor in tensors]
        parameters["n_columns"] = [tensor.size(2) for tensor in tensors]
        parameters["is_weight"][: len(module.weights)] = 1
        parameters["is_fixed"][_fixed(module.architecture)] = 1
        parameters["value"] = list(map(self._address, tensors))
        parameters["gradient"] = [self._address(tensor.grad) for tensor in tensors]
        return parameters

    def _statistics(self, network, prefix=""):
        """Return the addresses of the running statistics of batch normalisation."""
        architecture, found = network.architecture, {}
        if architecture.batchnorm:
            for name, ending in (("mean", "means"), ("var", "variances")):
                addresses = [
                    self._address(getattr(network, f"running_{name}_{layer}"))
                    for layer in range(architecture.n_hidden)
                ]
                found[prefix + ending] = np.array(addresses, np.uintp)
        return found

    def set_data(self, x, y=None, weight=None, mean_weight=None):
        """Set the rows, of which models take some.

        Parameters
        ----------
        x : {ndarray, CSR} of shape (n, n_features)
        y : Tensor of shape (n, n_outputs), default=None
        weight : Tensor of shape (n,) or (n, n_labels), default=None
        mean_weight : Tensor of shape (n_models, 1 or n_labels), default=None
        """
        if sp.issparse(x):
            self._set(
                row_ends=x.indptr,
                columns=x.indices,
                has_long_indices=x.indptr.dtype == np.int64,
            )
            x = x.data
        self._set(
            x=x,
            x_is_double=x.dtype == np.float64,
            y=None if y is None else y.contiguous(),
            weight=None if weight is None else weight.contiguous(),
            n_weights=0 if weight is None else mean_weight.size(1),
            mean_weight=mean_weight,
        )

    def set_scaling(self, scaling):
        """Set the `StackedScaling` of the inputs, which has their precision."""
        self._set(
            offset=scaling.offset,
            scale=scaling.scale,
            shares_scaling=scaling.is_shared,
            clips=scaling.clips,
        )
        if scaling.encoding is not None:
            self._set_encoding(scaling.encoding)

    def _set_encoding(self, encoding):
        """Set the `StackedEncoding`, which makes inputs of the columns."""
        columns = encoding.columns
        places = places_of(columns)
        starts = np.where(columns.is_marked, MARKED_NUMBER, NUMBER)
        starts[places.categories] = places.code_starts
        self._set(
            first_inputs=np.append(places.first, columns.n_inputs),
            code_starts=starts,
            column_of_input=places.columns,
            slots=encoding.slots,
            marks=encoding.marks,
            fill=encoding.fill,
            n_codes=encoding.slots.size(1),
            n_marks=encoding.marks.size(2),
            shares_encoding=encoding.slots.size(0) == 1,
        )

    def set_batches(self, batches):
        """Set the rows of each model, and the size of the batches."""
        pool, models = batches.pool, self.models
        self.set_data(pool.x, pool.y, pool.weight, batches.mean_weight)
        self.set_scaling(batches.scaling)
        self.batch_size = batches.batch_size
        self._set(batch_size=self.batch_size)
        rows = [np.ascontiguousarray(index, np.int64) for index in batches.indices]
        models["n_rows"] = list(map(len, rows))
        models["n_batches"] = batches.n_batches
        models["rows"] = models["order"] = list(map(self._address, rows))
        for model, n in enumerate(batches.n_batches):
            # The order within a single batch does not matter.
            if batches.streams and n > 1:
                models["order"][model] = self._address(np.empty_like(rows[model]))

    def set_noise(self, noise):
        """Set the random changes of batches."""
        models = self.models
        models["input_noise"] = noise.input_noise.numpy()
        models["label_smoothing"] = noise.label_smoothing.numpy()
        models["input_dropout"] = cuts(noise.input_dropout).numpy()
        n_weights = self.module.architecture.n_weights
        self.layers = np.zeros((len(models), n_weights), LAYER)
        dropout = cuts(noise.dropout).numpy()
        self.layers["dropout"][:, : dropout.shape[1]] = dropout
        start, step = self._address(self.layers), n_weights * LAYER.itemsize
        models["layers"] = start + step * np.arange(len(models))

    def set_streams(self, streams):
        """Set where the random numbers of the present epoch come from."""
        models, keys = self.models, np.stack([stream.key for stream in streams])
        models["key_0"], models["key_1"] = keys.T
        models["epoch"] = [stream.epoch for stream in streams]

    def set_optimizer(self, stack):
        """Set the optimiser, the penalties, weight averages and pruning of a stack."""
        optimizer, models, parameters = stack.optimizer, self.models, self._parameters
        self._set(
            is_adam=optimizer.n_buffers == 2,
            has_nesterov=optimizer.nesterov,
        )
        for field in fields(optimizer.settings):
            models[field.name] = getattr(optimizer.settings, field.name).numpy()
        for name, strengths in stack.penalties.strengths.items():
            values = strengths.numpy()
            self.layers[name] = values != 0 if name == "positive" else values
        moments = zip(("first_moment", "second_moment"), optimizer.buffers)
        for name, buffers in moments:
            parameters[name] = list(map(self._address, buffers))
        if stack.pruning:
            masks = list(map(self._address, stack.pruning.masks))
            parameters["mask"][: len(masks)] = masks
        if stack.averages:
            network = stack.averages.network
            tensors = map(self._address, _parameters_of(network))
            parameters["average"] = list(tensors)
            models["ema_decay"] = stack.averages.decays
            self._set(**self._statistics(network, "average_"))


def _parameters_of(module):
    """Return the parameters of networks, weights first."""
    return [*module.weights, *module.free_parameters]


def _fixed(architecture):
    """Return the positions of the biases that are not trained."""
    first, n_hidden = architecture.n_weights, architecture.n_hidden
    fixed = []
    if architecture.batchnorm == "before":
        fixed += range(first, first + n_hidden)
    if not architecture.has_intercept:
        fixed.append(first + n_hidden)
    return fixed
