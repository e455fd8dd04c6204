"""Prediction with the trained networks of an estimator, as one stack."""

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils import gen_batches

from skreg.data.scaling import scaled
from skreg.networks.shared_members import mean_of_members
from skreg.networks.stacked import StackedNetwork
from skreg.parameters.devices import device_here
from skreg.training.threads import threads_for

# Elements of the widest layer computed at a time: few enough for a core's cache.
ELEMENTS_AT_A_TIME = 2**17
ROWS_AT_LEAST = 64


class Inference:
    """Networks whose predictions are averaged.

    Parameters
    ----------
    layout : Layout
    states : list of list of ndarray
        The state of each network. The module shares its memory.
    device : torch.device
        That of the fit. Without it, as where a fitted estimator was loaded on another
        machine, the networks are on the CPU.

    Attributes
    ----------
    network : StackedNetwork
    """

    def __init__(self, layout, states, device):
        # torch cannot hold arrays that are read-only, as those of a memory map are.
        states = [
            [np.require(array, requirements="W") for array in state] for state in states
        ]
        dtype = torch.from_numpy(states[0][0]).dtype
        device = device_here(device)
        self.network = StackedNetwork(layout.architecture, states, dtype, device)
        self._layout, self._scaling = layout, layout.scaling.tensors()
        self._dtype = states[0][0].dtype

    def predict(self, X, link):
        """Predict all rows, in parts that fit the cache.

        Parameters
        ----------
        X : {ndarray, CSR} of shape (n_samples, n_features)
            Checked rows.
        link : callable
            Function of the raw outputs, a tensor of shape (n_rows, n_outputs), that
            keeps the shape.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
        """
        architecture, n_rows = self._layout.architecture, X.shape[0]
        n_networks = self.network.n_models * architecture.n_members
        widest = architecture.widest * n_networks
        size = max(ROWS_AT_LEAST, ELEMENTS_AT_A_TIME // widest)
        with threads_for(min(size, n_rows) * architecture.largest_product):
            if n_rows <= size:
                return link(self._scores(X)).numpy()
            # Filled in place, because small results between large ones fragment memory.
            result = np.empty((n_rows, self._layout.targets.n_outputs), self._dtype)
            for part in gen_batches(n_rows, size):
                result[part] = link(self._scores(X[part])).numpy()
            return result

    def _scores(self, X):
        """Return raw outputs, a tensor of shape (n_rows, n_outputs)."""
        if sp.issparse(X):
            X = X.toarray()
        elif not X.flags.writeable:
            X = X.copy()  # torch warns of arrays that it could write to
        network, layout = self.network, self._layout
        x, weight = torch.from_numpy(X).unsqueeze(0), network.weights[0]
        x = scaled(x, *self._scaling)
        if x.dtype != weight.dtype or weight.device.type != "cpu":
            x = x.to(weight.device, weight.dtype)
        n_models = network.n_models
        score = network.forward(x.expand(n_models, -1, -1) if n_models > 1 else x)
        score = mean_of_members(score, layout.architecture.n_members, layout.loss)
        score = layout.loss.mean_score(score) if n_models > 1 else score.squeeze(0)
        return score if score.device.type == "cpu" else score.cpu()
