"""The rows of a linear model, from which a few inputs at a time are read."""

import numpy as np
import scipy.sparse as sp
import torch

from skreg.data.encoding import encoded
from skreg.data.scaling import scaled

# Up to this number of elements, scaled inputs are kept. Beyond it, and for sparse
# inputs, those that are needed are scaled each time.
KEPT_ELEMENTS = 2**22


class LinearRows:
    """The training rows of a linear model, in double precision.

    Parameters
    ----------
    request : FitRequest
        Of a linear model without an embedding.

    Attributes
    ----------
    target : Tensor of shape (1, n_rows, n_outputs)
        After label smoothing.
    weight : Tensor of shape (1, n_rows, 1)
        The weights of the rows, which sum to one.
    """

    def __init__(self, request):
        rows, self._scaling = request.train, request.scaling
        n_rows = len(rows.index)
        weight = np.ones(n_rows) if rows.weight is None else rows.weight[rows.index]
        weight = torch.tensor(weight, dtype=torch.float64)
        self.weight = (weight / (n_rows * weight.mean())).view(1, -1, 1)
        self.target = _smoothed(request, rows.y[rows.index])
        self._x, self._by_input = rows.X[rows.index], None
        if self._scaling.encoding is not None:
            inputs = encoded(torch.from_numpy(self._x), self._scaling.encoding)
            self._x = inputs.numpy()
        self._is_sparse = sp.issparse(self._x)
        # Inputs that are kept have a row each, so that some can be read at once.
        if self._is_sparse:
            self._by_input = self._scaled_sparse()
        elif self._x.size <= KEPT_ELEMENTS:
            self._by_input = self._scaled_dense(self._x).T.contiguous()
        if self._by_input is not None:
            self._x = None

    def _scaled_sparse(self):
        x = self._x.tocsc()
        data = x.data
        if self._scaling.scale is not None:
            # Divide in the precision of the data, as `Batches` does.
            data = data / np.repeat(self._scaling.scale, np.diff(x.indptr))
        parts = data.astype(np.float64), x.indices, x.indptr
        return sp.csr_array(parts, shape=x.shape[::-1])

    def _scaled_dense(self, x, inputs=slice(None)):
        """Return a tensor of some rows, of which `x` has the given inputs only."""
        offset, scale, clips = self._scaling.tensors()
        offset = None if offset is None else offset[inputs]
        scale = None if scale is None else scale[inputs]
        return scaled(torch.tensor(x), offset, scale, clips).to(torch.float64)

    def columns(self, inputs):
        """Return some of the scaled inputs.

        Parameters
        ----------
        inputs : LongTensor of shape (n,)

        Returns
        -------
        Tensor of shape (n_rows, n)
        """
        if self._is_sparse:
            return torch.from_numpy(self._by_input[inputs.numpy()].toarray()).T
        if self._by_input is not None:
            return self._by_input[inputs].T
        return self._scaled_dense(self._x[:, inputs.numpy()], inputs)

    def gradient(self, slopes):
        """Return the gradient of the loss for the weights of all inputs.

        Parameters
        ----------
        slopes : Tensor of shape (1, n_rows, n_outputs)
            The derivatives of the loss with respect to the raw outputs.

        Returns
        -------
        Tensor of shape (1, n_inputs, n_outputs)
        """
        slopes = slopes[0]
        if self._is_sparse:
            return torch.from_numpy(self._by_input @ slopes.numpy())[None]
        if self._by_input is not None:
            return (self._by_input @ slopes)[None]
        total, size = 0, max(1, KEPT_ELEMENTS // self._x.shape[1])
        for start in range(0, len(slopes), size):
            part = slice(start, start + size)
            total += self._scaled_dense(self._x[part]).T @ slopes[part]
        return total[None]


class Products:
    """The products of inputs with one another, each of which is computed once.

    The Hessian of a squared error consists of them.

    Parameters
    ----------
    weight : Tensor of shape (1, n_rows, 1)
        The weights of the rows.
    n_inputs : int
    """

    def __init__(self, weight, n_inputs):
        n_rows = weight.size(1)
        self._scale = weight[0, :, 0].sqrt()
        self._place = torch.full((n_inputs,), -1)
        self._x, self._products = weight.new_zeros(0, n_rows), weight.new_zeros(0, 0)

    def of(self, inputs, x):
        """Return the weighted products of some inputs.

        Parameters
        ----------
        inputs : LongTensor of shape (n,)
            Their positions among all inputs. Some may occur several times.
        x : Tensor of shape (n_rows, n)
            Their columns.

        Returns
        -------
        Tensor of shape (n, n)
        """
        unknown = self._place[inputs] < 0
        if unknown.any():
            self._add(inputs[unknown], x[:, unknown])
        places = self._place[inputs]
        return self._products[places][:, places]

    def _add(self, inputs, x):
        # Of an input that occurs several times, the last place is used.
        n = len(self._x)
        self._place[inputs] = torch.arange(n, n + len(inputs))
        rows = x.T * self._scale
        self._x = torch.cat([self._x, rows])
        new = self._x @ rows.T
        products = new.new_empty(len(self._x), len(self._x))
        products[:n, :n], products[:, n:], products[n:] = self._products, new, new.T
        self._products = products


def _smoothed(request, target):
    """Return the encoded targets of a request, of shape (1, n_rows, n_outputs)."""
    target = torch.tensor(target, dtype=torch.float64)[None]
    smoothing = request.settings["label_smoothing"]
    if smoothing:
        uniform = request.loss.uniform_target(target.size(2))
        target += smoothing * (uniform - target)
    return target
