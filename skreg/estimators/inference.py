"""Prediction with the trained networks of an estimator, as one stack."""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils import gen_batches

from skreg.compiled.library import library
from skreg.data.scaling import Scaling, StackedScaling
from skreg.networks.shared_members import mean_of_members
from skreg.networks.stacked import StackedNetwork
from skreg.parameters.devices import device_here
from skreg.training.compiled_passes import SHARED_PRODUCTS
from skreg.training.compiled_plan import (
    NetworkPlan,
    covers_loss,
    covers_network,
    covers_rows,
    is_huge,
)
from skreg.training.threads import allowed_threads, threads_for

# Elements of the widest layer computed at a time: few enough for a core's cache.
ELEMENTS_AT_A_TIME = 2**17
ROWS_AT_LEAST = 64
# The library copies the weights, which takes longer than torch's whole prediction of
# few rows if there are many weights.
FEW_ROWS, FEW_WEIGHTS = 64, 2**16
# From this number of elements of X on, inputs that are not used are left out.
MANY = 2**16


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
    scalings : list of Scaling or None, default=None
        The scaling of each network, where it is not that of the layout.

    Attributes
    ----------
    network : StackedNetwork
    """

    def __init__(self, layout, states, device, scalings=None):
        # torch cannot hold arrays that are read-only, as those of a memory map are.
        states = [
            [array if array.flags.writeable else array.copy() for array in state]
            for state in states
        ]
        dtype = torch.from_numpy(states[0][0]).dtype
        device = device_here(device)
        self.network = StackedNetwork(layout.architecture, states, dtype, device)
        self._layout = layout
        self._scaling = StackedScaling.of(scalings or [layout.scaling], "cpu")
        self._dtype = states[0][0].dtype
        self._plan, self._n_weights = None, 0

    def predictions(self, X):
        """Return what the `scores` of rows predict: their inverse link."""
        if self.network.n_models == 1 and self._used_inputs(X) is None:
            found = self._with_library(X, links=True)
            if found is not None:
                return found[0]
        score = self.scores(X)
        with threads_for(score.size):
            return self._layout.loss.inverse_link(torch.from_numpy(score)).numpy()

    def scores(self, X):
        """Return the raw outputs for all rows, computed in parts that fit the cache.

        Parameters
        ----------
        X : {ndarray, CSR} of shape (n_samples, n_features)
            Checked rows.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
            After the inverse link, they predict the mean of the networks.
        """
        used = self._used_inputs(X)
        if used is not None:
            return self._of_inputs(used).scores(X[:, used])
        found = self._with_library(X)
        if found is not None:
            is_single = len(found) == 1
            return (
                found[0] if is_single else self._mean(torch.from_numpy(found)).numpy()
            )
        architecture, n_rows = self._layout.architecture, X.shape[0]
        n_networks = self.network.n_models * architecture.n_members
        widest = architecture.widest * n_networks
        size = max(ROWS_AT_LEAST, ELEMENTS_AT_A_TIME // widest)
        with threads_for(min(size, n_rows) * architecture.largest_product):
            if n_rows <= size:
                return self._mean(self._with_torch(X)).numpy()
            # Filled in place, because small results between large ones fragment memory.
            result = np.empty((n_rows, self._layout.targets.n_outputs), self._dtype)
            for part in gen_batches(n_rows, size):
                result[part] = self._mean(self._with_torch(X[part])).numpy()
            return result

    def scores_of_each(self, X):
        """Return the raw outputs of each network for a few rows.

        Parameters
        ----------
        X : {ndarray, CSR} of shape (n_samples, n_features)
            Checked rows.

        Returns
        -------
        ndarray of shape (n_networks, n_samples, n_outputs)
        """
        found = self._with_library(X)
        if found is None:
            with threads_for(X.shape[0] * self._layout.architecture.largest_product):
                found = self._with_torch(X).cpu().numpy()
        return found

    def _used_inputs(self, X):
        """Return the inputs that are used, if it is worth leaving the others out.

        Returns
        -------
        ndarray of int or None
        """
        if X.shape[0] * X.shape[1] < MANY:
            return None
        architecture = self._layout.architecture
        is_plain = not (
            architecture.convolutions
            or architecture.embedding
            or architecture.skip
            or architecture.columns
        )
        if not is_plain or architecture.n_members > 1:
            return None
        is_used = self.network.weights[0].any(2).any(0)
        # One at least, because there are no networks without inputs.
        used = (
            is_used.nonzero()[:, 0].cpu().numpy() if is_used.any() else np.zeros(1, int)
        )
        return used if len(used) < len(is_used) / 2 else None

    def _of_inputs(self, inputs):
        """Return the networks of some inputs, of which the others are not used."""
        layout = self._layout
        architecture, scaling = layout.architecture, layout.scaling
        sizes = (len(inputs), *architecture.layer_sizes[1:])
        parts = [scaling.offset, scaling.scale]
        parts = [None if part is None else part[inputs] for part in parts]
        layout = replace(
            layout,
            architecture=replace(architecture, layer_sizes=sizes),
            scaling=Scaling(*parts, scaling.clips),
        )
        tensors = [tensor.cpu().numpy() for tensor in self.network.state]
        states = [[first[inputs], *others] for first, *others in zip(*tensors)]
        device = self.network.weights[0].device
        return Inference(layout, states, device)

    def _mean(self, score):
        """Return raw outputs of their mean, a tensor of shape (n_rows, n_outputs).

        `score` are those of each network, of shape (n_networks, n_rows, n_outputs).
        """
        is_single = score.size(0) == 1
        score = score.squeeze(0) if is_single else self._layout.loss.mean_score(score)
        return score if score.device.type == "cpu" else score.cpu()

    def _with_library(self, X, links=False):
        """Return raw outputs, computed by the compiled library, or their inverse links.

        Returns
        -------
        ndarray of shape (n_networks, n_rows, n_outputs) or None
            None if the library cannot compute them, or not faster than torch.
        """
        plan = self._plan_for(X)
        if plan is None:
            return None
        architecture, n_rows = self._layout.architecture, X.shape[0]
        n_models, dense = self.network.n_models, X
        if sp.issparse(X):
            plan, dense = plan.for_data(X), None
        scores = np.empty((n_models, n_rows, architecture.layer_sizes[-1]), self._dtype)
        products = n_models * n_rows * architecture.largest_product
        n_threads = allowed_threads() if products >= SHARED_PRODUCTS else 1
        library().predict(plan.address, dense, links, n_threads, scores)
        return scores

    def _plan_for(self, X):
        """Return a plan of the networks, or None, as `_with_library`."""
        network, found = self.network, library()
        if found is None or not covers_rows(X, self._scaling):
            return None
        if not covers_loss(self._layout.loss):
            return None
        if self._plan is None or not self._plan.is_current():
            weight = network.weights[0]
            is_same = str(weight.dtype) == f"torch.{self._dtype}"
            if not (is_same and covers_network(network)) or is_huge(network):
                return None
            self._n_weights = sum(weight.numel() for weight in network.weights)
            plan = NetworkPlan(network, self._layout.loss)
            plan.set_scaling(self._scaling)
            self._plan = plan  # complete, because other threads may predict with it
        is_little = X.shape[0] < FEW_ROWS and self._n_weights > FEW_WEIGHTS
        return None if is_little else self._plan

    def _with_torch(self, X):
        """Return raw outputs, computed by torch: a tensor of the same shape."""
        if sp.issparse(X):
            X = X.toarray()
        elif not X.flags.writeable:
            X = X.copy()  # torch warns of arrays that it could write to
        network, layout = self.network, self._layout
        x, weight = self._scaling.of_rows(torch.from_numpy(X)), network.weights[0]
        if x.dtype != weight.dtype or weight.device.type != "cpu":
            x = x.to(weight.device, weight.dtype)
        n_models = network.n_models
        score = network.forward(x.expand(n_models, -1, -1) if n_models > 1 else x)
        return mean_of_members(score, layout.architecture.n_members, layout.loss)
