"""What a fitted estimator is made of, and how it predicts."""

import math

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg.data.batches import smooth_clip
from skreg.networks.shared_members import mean_of_members
from skreg.networks.stacked import StackedNetwork
from skreg.training.threads import threads_for

# Elements of the widest layer computed at a time: few enough for a core's cache.
ELEMENTS_AT_A_TIME = 2**17
ROWS_AT_LEAST = 64


class FittedNetworkMixin:
    """Attributes, prediction and pickling of an estimator with a trained network.

    The network lives in numpy arrays (`coefs_`, `intercepts_`, ...); the torch
    module that predicts shares their memory and is not pickled.
    """

    # The parameters of a model without hidden layers.
    _linear_with = "hidden_layer_sizes=()"

    def _state_attributes(self, state, snapshots=None):
        """Return the attributes that make a network's state a fitted estimator.

        With `snapshots`, a list of states, these are what predicts.
        """
        n = self._architecture.n_hidden + 1
        shared = self._architecture.n_members > 1
        has_skip = self._architecture.skip == "linear"
        rest = state[n + has_skip :]
        return {
            "coefs_": list(state[:n]),
            "skip_coef_": state[n] if has_skip else None,
            "intercepts_": [bias if shared else bias[0] for bias in rest[:n]],
            "_others": list(rest[n:]),
            "snapshots_": snapshots,
            "_members": None,
            "_inference": self._make_inference(snapshots or [state]),
        }

    def _make_inference(self, states):
        """Return networks' states as a stack, and their inputs' scaling."""
        # torch cannot hold arrays that are read-only, as those of a memory map are.
        states = [
            [np.require(array, requirements="W") for array in state] for state in states
        ]
        dtype = torch.from_numpy(states[0][0]).dtype
        network = StackedNetwork(self._architecture, states, dtype, self._device)
        return network, *self._scaling_tensors()

    def _scaling_tensors(self):
        """Return the offset and the scale of the inputs, each a tensor or None."""
        arrays = (self.feature_offset_, self.feature_scale_)
        return [None if array is None else torch.tensor(array) for array in arrays]

    def _standardised(self, x, offset, scale):
        """Return inputs as the network sees them, in the precision of the data.

        Those that are not standardised are returned as they are.
        """
        if offset is not None:
            x = x - offset
        if scale is not None:
            x = x / scale if offset is None else x.div_(scale)
        return smooth_clip(x) if self._smooth_clip else x

    @property
    def _state(self):
        biases = [np.atleast_2d(bias) for bias in self.intercepts_]
        return [*self._weights, *biases, *self._others]

    @property
    def _states(self):
        """The states of all networks whose predictions are averaged."""
        states = [m.snapshots_ or [m._state] for m in self._networks]
        return [state for of_member in states for state in of_member]

    @property
    def _n_predicting(self):
        """How many networks predict each row."""
        n_snapshots = len(self.snapshots_ or [None])
        return n_snapshots * len(self._networks) * self._architecture.n_members

    @property
    def _weights(self):
        skip = () if self.skip_coef_ is None else (self.skip_coef_,)
        return [*self.coefs_, *skip]

    @property
    def _input_weights(self):
        """The weights that leave each input, of shape (n_features, n_weights).

        Of pixels, which share those of their channel, the norm of these.
        """
        if self._architecture.convolutions:
            shape = self._architecture.convolutions[0]
            filters = self.coefs_[0].reshape(shape.n_in, -1).astype(np.float64)
            norms = np.linalg.norm(filters, axis=1, keepdims=True)
            weights = np.tile(norms, (shape.height * shape.width, 1))
        else:
            columns = self._architecture.embedding_columns()
            weights = np.zeros((*columns.shape, self.coefs_[0].shape[1]))
            weights[columns] = self.coefs_[0]
            weights = weights.reshape(len(columns), -1)
        if self.skip_coef_ is None:
            return weights
        return np.hstack([weights, self.skip_coef_])

    def _get_inference(self):
        if "_inference" not in self.__dict__:  # as after unpickling
            self._inference = self._make_inference(self._states)
        return self._inference

    def __sklearn_is_fitted__(self):
        return hasattr(self, "coefs_")

    def __getstate__(self):
        state = super().__getstate__()
        return {key: value for key, value in state.items() if key != "_inference"}

    def _raw_predict(self, X):
        """Return the raw outputs, an array of shape (n_samples, n_outputs)."""
        return self._forward(X, lambda score: score)

    def _mean_prediction(self, X):
        """Return the inverse link of the raw outputs."""
        return self._forward(X, lambda score: self._loss.inverse_link(score))

    def _as_rows(self, X):
        """Return inputs with a row for each sample, which images become."""
        return X

    def _forward(self, X, link):
        """Check `X` and return a function of the raw outputs, row by row."""
        check_is_fitted(self)
        if not self._is_valid(X):
            X = validate_data(
                self,
                self._as_rows(X),
                accept_sparse="csr",
                dtype=(np.float64, np.float32),
                order="C",
                reset=False,
            )
        architecture, n_rows = self._architecture, X.shape[0]
        widest = architecture.widest * self._n_predicting
        size = max(ROWS_AT_LEAST, ELEMENTS_AT_A_TIME // widest)
        with threads_for(min(size, n_rows) * architecture.largest_product):
            if n_rows <= size:
                return link(self._forward_rows(X)).numpy()
            # Filled in place: small results kept between large ones tear memory up.
            result = np.empty((n_rows, self.n_outputs_), self.coefs_[0].dtype)
            for part in gen_batches(n_rows, size):
                result[part] = link(self._forward_rows(X[part])).numpy()
            return result

    def _is_valid(self, X):
        """Tell arrays that scikit-learn's validation would return as they are.

        Its checks take three times as long as predicting a row.
        """
        like_training = (
            type(X) is np.ndarray
            and X.dtype in (np.float64, np.float32)
            and X.ndim == 2
            and X.shape[0] > 0
            and X.shape[1] == self.n_features_in_
            and X.flags.c_contiguous
            and not hasattr(self, "feature_names_in_")
        )
        if not like_training:
            return False
        with np.errstate(over="ignore", invalid="ignore"):
            return math.isfinite(X.sum())

    def _forward_rows(self, X):
        if sp.issparse(X):
            X = X.toarray()
        elif not X.flags.writeable:
            X = X.copy()  # torch warns of arrays that it could write to
        network, offset, scale = self._get_inference()
        x, weight = torch.from_numpy(X).unsqueeze(0), network.weights[0]
        x = self._standardised(x, offset, scale)
        if x.dtype != weight.dtype or weight.device.type != "cpu":
            x = x.to(weight.device, weight.dtype)
        n_models = network.n_models
        score = network.forward(x.expand(n_models, -1, -1) if n_models > 1 else x)
        score = mean_of_members(score, self._architecture.n_members, self._loss)
        score = self._loss.mean_score(score) if n_models > 1 else score.squeeze(0)
        return score if score.device.type == "cpu" else score.cpu()

    @property
    def support_(self):
        """Which inputs are used: those with a weight other than zero in any network."""
        used = [(net._input_weights != 0).any(axis=1) for net in self._networks]
        return np.any(used, axis=0)

    @property
    def feature_importances_(self):
        """Euclidean norm of each input's outgoing weights, 0 outside `support_`.

        The mean over the networks of an ensemble.
        """
        norms = [np.linalg.norm(net._input_weights, axis=1) for net in self._networks]
        return np.mean(norms, axis=0)

    @property
    def sparsity_(self):
        """Share of the weights (biases aside) that are exactly zero."""
        weights = [array for net in self._networks for array in net._weights]
        n_weights = sum(array.size for array in weights)
        return 1 - sum(map(np.count_nonzero, weights)) / n_weights

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
        """The trained network as an initialised skorch net: a stack of one model.

        With `n_estimators` and `n_snapshots`, a stack of the networks whose predictions
        are averaged. Members that share weights are rows of its outputs: those of each
        row of the inputs, one below the other.
        """
        from skreg.training.skorch_net import inference_net

        network = self._get_inference()[0]
        return inference_net(network, self._loss, self.history_)

    def _linear_coef(self):
        """Return coefficients and intercepts of a linear model on the inputs' scale.

        Returns
        -------
        coef : ndarray of shape (n_outputs, n_features)
        intercept : ndarray of shape (n_outputs,)
        """
        if self._smooth_clip or self._architecture.embedding:
            raise AttributeError(
                f"{type(self).__name__} has coef_ and intercept_ only where outputs "
                "are linear in the inputs, without numeric_embedding and "
                "standardize='robust'. See coefs_ and intercepts_."
            )
        if len(self.coefs_) > 1:
            raise AttributeError(
                f"{type(self).__name__} has coef_ and intercept_ only as a linear "
                f"model, with {self._linear_with}. See coefs_ and intercepts_."
            )
        if len(self._networks) > 1 and self.out_activation_ != "identity":
            raise AttributeError(
                f"{type(self).__name__} has no coef_ and intercept_ with n_estimators="
                f"{len(self._networks)}: a mean of probabilities or counts is not a "
                "linear model. Those of its networks are in estimators_."
            )
        coef = np.mean([net.coefs_[0] for net in self._networks], axis=0).T
        intercept = np.mean([net.intercepts_[0] for net in self._networks], axis=0)
        if self.feature_scale_ is not None:
            coef = coef / self.feature_scale_
        if self.feature_offset_ is not None:
            intercept = intercept - coef @ self.feature_offset_
        return coef, intercept
