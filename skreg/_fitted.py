"""What a fitted estimator is made of, and how it predicts."""

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg.modules import Architecture, StackedMLP

# Elements of the widest layer computed at a time, which bounds the memory.
ELEMENTS_AT_A_TIME = 2**22


class FittedNetworkMixin:
    """Attributes, prediction and pickling of an estimator with a trained network.

    The network lives in numpy arrays (`coefs_`, `intercepts_`, `_norms`); the torch
    module that predicts shares their memory and is not pickled.
    """

    def _state_attributes(self, state):
        """Return the attributes that make a network's state a fitted estimator."""
        n = len(self._architecture.layer_sizes) - 1
        return {
            "coefs_": list(state[:n]),
            "intercepts_": [bias[0] for bias in state[n : 2 * n]],
            "_norms": list(state[2 * n :]),
            "_module": self._inference_module(state),
        }

    def _inference_module(self, state):
        """Return a network's state as a stack of one."""
        # torch cannot hold arrays that are read-only, as those of a memory map are.
        state = [np.require(array, requirements="W") for array in state]
        dtype = torch.from_numpy(state[0]).dtype
        return StackedMLP(self._architecture, [state], dtype, self._device)

    @property
    def _state(self):
        biases = [bias[None] for bias in self.intercepts_]
        return [*self.coefs_, *biases, *self._norms]

    @property
    def _network(self):
        if "_module" not in self.__dict__:  # as after unpickling
            self._module = self._inference_module(self._state)
        return self._module

    def __getstate__(self):
        state = super().__getstate__()
        return {key: value for key, value in state.items() if key != "_module"}

    @torch.no_grad()
    def _raw_predict(self, X):
        """Return the raw outputs, an array of shape (n_samples, n_outputs)."""
        check_is_fitted(self)
        X = validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=(np.float64, np.float32),
            order="C",
            reset=False,
        )
        network, widths = self._network, self._architecture.layer_sizes
        size = max(1, ELEMENTS_AT_A_TIME // max(widths))
        if X.shape[0] <= size:
            return self._score_rows(network, X)
        parts = gen_batches(X.shape[0], size)
        return np.concatenate([self._score_rows(network, X[part]) for part in parts])

    def _score_rows(self, network, X):
        if sp.issparse(X):
            X = X.toarray()
        elif not X.flags.writeable:
            X = X.copy()  # torch warns of arrays that it could write to
        x = torch.from_numpy(X)
        # Centred in the precision of the data, as in training.
        if self.feature_offset_ is not None:
            x = x - torch.from_numpy(self.feature_offset_)
        if self.feature_scale_ is not None:
            x = x / torch.from_numpy(self.feature_scale_)
        weight = network.weights[0]
        return network(x.to(weight.device, weight.dtype)[None])[0].cpu().numpy()

    def _mean_prediction(self, X):
        """Return the inverse link of the raw outputs."""
        score = torch.from_numpy(self._raw_predict(X))
        return self._loss.inverse_link(score).numpy()

    @property
    def support_(self):
        """Which inputs the network uses: those with an outgoing weight that is not 0."""
        return (self.coefs_[0] != 0).any(axis=1)

    @property
    def sparsity_(self):
        """Share of the weights (biases aside) that are exactly zero."""
        return 1 - sum(map(np.count_nonzero, self.coefs_)) / sum(
            weights.size for weights in self.coefs_
        )

    @property
    def history_(self):
        """The skorch history: a list with one dict for each epoch."""
        from skorch.history import History

        history = History()
        if self._history:
            history.extend(self._history)
            return history
        curves = {
            "train_loss": self.loss_curve_,
            "valid_loss": self.validation_loss_curve_,
            "valid_score": self.validation_scores_,
        }
        curves = {key: curve for key, curve in curves.items() if curve is not None}
        for epoch, values in enumerate(zip(*curves.values()), start=1):
            history.append({"epoch": epoch, **dict(zip(curves, values))})
        return history

    @property
    def net_(self):
        """The trained network as an initialised skorch net, a stack of one model."""
        from skreg.net import inference_net

        return inference_net(self._network, self._loss, self.history_)

    def _linear_coef(self):
        """Return coefficients and intercepts of a linear model on the inputs' scale.

        Returns
        -------
        coef : ndarray of shape (n_outputs, n_features)
        intercept : ndarray of shape (n_outputs,)
        """
        if len(self.coefs_) > 1:
            raise AttributeError(
                f"{type(self).__name__} has coef_ and intercept_ only as a linear "
                "model, with hidden_layer_sizes=(). See coefs_ and intercepts_."
            )
        coef, intercept = self.coefs_[0].T, self.intercepts_[0]
        if self.feature_scale_ is not None:
            coef = coef / self.feature_scale_
        if self.feature_offset_ is not None:
            intercept = intercept - coef @ self.feature_offset_
        return coef, intercept


def architecture_of(n_features, hidden_layer_sizes, n_outputs, activation, batchnorm):
    """Return the `Architecture` that the public parameters stand for."""
    norm = {False: None, True: "before"}.get(batchnorm, batchnorm)
    # A linear model has nowhere to put either.
    if not hidden_layer_sizes:
        activation, norm = "identity", None
    sizes = (n_features, *hidden_layer_sizes, n_outputs)
    return Architecture(sizes, activation, norm)
