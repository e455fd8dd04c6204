"""A fitted estimator: its attributes, its predictions, and its networks one by one."""

import copy
import warnings
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skreg.compatibility import ParametersMixin, callback_attributes
from skreg.estimators.effects import level_effects
from skreg.estimators.fits import CURVES
from skreg.estimators.inference import Inference
from skreg.estimators.members import ALONE
from skreg.estimators.validation import ReadRows, is_valid, read
from skreg.networks.columns import places_of
from skreg.training.gradual_pruning import sparsity
from skreg.training.input_penalties import columns_of_rows
from skreg.typing import NDArray
from skreg.version import __version__


class FittedNetwork(ParametersMixin, BaseEstimator):
    """Attributes, prediction and pickling of an estimator with trained networks.

    All attributes are derived from three values: the `Layout` (`_layout`), a `Fit` for
    each network (`_fits`), and the device. The torch module that predicts shares the
    memory of the arrays and is not pickled.
    """

    # The parameters of a model without hidden layers.
    _linear_with = "hidden_layer_sizes=()"

    def _become(self, layout, device, fits):
        """Set the fitted attributes, those of the first network; return self."""
        vars(self).update(fitted_attributes(layout, device, fits))
        return self

    def _alone(self, seed):
        """Return a copy of this estimator with the parameters of a single network."""
        member = copy.copy(self)
        # Callbacks belong to the fit of the whole ensemble.
        for name in callback_attributes(member):
            delattr(member, name)
        return member.set_params(**ALONE, random_state=seed)

    @property
    def estimators_(self) -> list[Self]:
        """The fitted networks, each an estimator that predicts alone.

        Those of members that share weights are given their own copies.
        """
        check_is_fitted(self)
        fits, layout = self._fits, self._layout
        architecture = layout.architecture
        if architecture.n_members > 1:
            fits = fits[0].of_members(architecture)
            layout = replace(layout, architecture=replace(architecture, n_members=1))
        return [
            self._alone(fit.seed)._become(layout, self._device, [fit]) for fit in fits
        ]

    def __sklearn_is_fitted__(self):
        return "_fits" in vars(self)

    def __getstate__(self):
        state = super().__getstate__() | {"_skreg_version": __version__}
        return {key: value for key, value in state.items() if key != "_inference"}

    def __setstate__(self, state):
        state = dict(state)
        version = state.pop("_skreg_version", "an unknown version")
        if version != __version__:
            warnings.warn(
                f"This {type(self).__name__} was pickled by skreg {version}, and is "
                f"read by {__version__}, where it may fail or predict something else. "
                f"Read it with skreg {version}, or fit it again.",
                stacklevel=2,
            )
        super().__setstate__(state)

    def _get_inference(self):
        if "_inference" not in vars(self):  # as after unpickling
            states = [state for fit in self._fits for state in fit.states]
            self._inference = Inference(self._layout, states, self._device)
        return self._inference

    def _raw_predict(self, X):
        """Return the raw outputs, an array of shape (n_samples, n_outputs)."""
        X = self._checked(X)
        return self._get_inference().scores(X)

    def _checked(self, X):
        """Return rows to predict as the networks take them."""
        if not self.__sklearn_is_fitted__():
            check_is_fitted(self)  # it has the message
        layout = self._layout
        if isinstance(X, ReadRows):
            X = X.view(np.ndarray)
        else:
            if layout.inputs.categories is None and is_valid(self, X):
                return X
            X, inputs = layout.inputs.rows_of(X)
            X = read(self, X, inputs)
        return layout.filled(X)

    def _input_weights(self):
        """Return, for each network, the weights that leave each input."""
        architecture = self._layout.architecture
        return [input_weights(architecture, fit.state) for fit in self._fits]

    @property
    def support_(self) -> NDArray[np.bool_]:
        """Which inputs are used: those with a weight other than zero in any network."""
        used = [(weights != 0).any(axis=1) for weights in self._input_weights()]
        return np.any(used, axis=0)

    @property
    def feature_importances_(self) -> NDArray[Any]:
        """Euclidean norm of each input's outgoing weights, 0 outside `support_`.

        The mean over the networks of an ensemble.
        """
        norms = [np.linalg.norm(weights, axis=1) for weights in self._input_weights()]
        return np.mean(norms, axis=0)

    @property
    def sparsity_(self) -> float:
        """Share of the weights (biases aside) that are exactly zero."""
        n_layers = self._layout.architecture.n_weights
        return sparsity([w for fit in self._fits for w in fit.state[:n_layers]])

    @property
    def history_(self) -> Any:
        """The skorch history: a list with one dict for each epoch."""
        from skorch.history import History

        history, fit = History(), self._fits[0]
        if fit.history:
            history.extend(fit.history)
            return history
        names = ("train_loss", "valid_loss", "valid_score")
        curves = {name: fit.curves[curve] for name, curve in zip(names, CURVES)}
        curves = {name: curve for name, curve in curves.items() if curve is not None}
        for epoch, values in enumerate(zip(*curves.values()), start=1):
            history.append({"epoch": epoch, **dict(zip(curves, values))})
        return history

    @property
    def net_(self) -> Any:
        """The trained network as an initialised skorch net: a stack of one model.

        With `n_estimators` and `n_snapshots`, a stack of the networks whose predictions
        are averaged. Members that share weights are rows of its outputs: those of each
        row of the inputs, one below the other.
        """
        from skreg.training.skorch_net import inference_net

        network = self._get_inference().network
        return inference_net(network, self._layout.loss, self.history_)

    def _linear_coef(self):
        """Return coefficients and intercepts of a linear model, on the data's scale.

        Returns
        -------
        coef : ndarray of shape (n_outputs, n_inputs)
        intercept : ndarray of shape (n_outputs,)
            The outputs where numbers are 0 and categories at their means.
        """
        check_is_fitted(self)
        layout, name = self._layout, type(self).__name__
        scaling = layout.scaling
        if scaling.clips or layout.architecture.embedding:
            raise AttributeError(
                f"{name} has coef_ and intercept_ only where outputs are linear in the "
                "inputs, without numeric_embedding and standardize='robust'. See "
                "coefs_ and intercepts_."
            )
        if layout.architecture.n_hidden:
            raise AttributeError(
                f"{name} has coef_ and intercept_ only as a linear model, with "
                f"{self._linear_with}. See coefs_ and intercepts_."
            )
        if len(self._fits) > 1 and layout.loss.out_activation != "identity":
            raise AttributeError(
                f"{name} has no coef_ and intercept_ with n_estimators="
                f"{len(self._fits)}: a mean of probabilities, counts or sorted "
                "quantiles is not a linear model. Those of its networks are in "
                "estimators_."
            )
        coef = np.mean([fit.state[0] for fit in self._fits], axis=0).T
        intercept = np.mean([fit.state[1][0] for fit in self._fits], axis=0)
        if scaling.scale is not None:
            coef = coef / scaling.scale
        if scaling.offset is not None:
            intercept = intercept - coef @ scaling.offset
        if scaling.encoding is not None:
            levels = places_of(scaling.encoding.columns).levels
            intercept = intercept + coef[:, levels] @ scaling.encoding.fill[levels]
        return coef, intercept

    def _coef_of_columns(self, coef):
        """Return the coefficients of the columns, given those of the inputs."""
        columns = self._layout.architecture.columns
        if columns is None:
            return coef
        if any(columns.n_codes):
            raise AttributeError(
                f"{type(self).__name__} has no coef_ with categories, which have a "
                "coefficient for each level. See level_effects_, and coefs_."
            )
        return coef[:, places_of(columns).first]

    @property
    def level_effects_(self) -> dict[Any, dict[Any, Any]]:
        """The effects of levels and of missing numbers on the outputs, by column.

        Of a linear model, see `coef_`. An array of shape (n_outputs,) for each level,
        relative to the mean of the column in the training rows. None is missing.
        """
        coef, layout = self._output_coef(), self._layout
        if layout.scaling.encoding is None:
            return {}
        return level_effects(layout.inputs, layout.scaling.encoding, coef)


def fitted_attributes(layout, device, fits):
    """Return the attributes of an estimator that is fitted with some networks.

    Parameters
    ----------
    layout : Layout
    device : torch.device
    fits : list of Fit
        Of each network; the public attributes are the first one's.

    Returns
    -------
    dict
    """
    first, architecture = fits[0], layout.architecture
    n_layers, n_weights = architecture.n_hidden + 1, architecture.n_weights
    has_skip = n_weights > n_layers
    biases = first.state[n_weights : n_weights + n_layers]
    states = [state for fit in fits for state in fit.states]
    attributes = {
        "_layout": layout,
        "_device": device,
        "_fits": fits,
        "_inference": Inference(layout, states, device),
        "coefs_": list(first.state[:n_layers]),
        "skip_coef_": first.state[n_layers] if has_skip else None,
        "intercepts_": biases if architecture.n_members > 1 else [b[0] for b in biases],
        "snapshots_": first.snapshots,
        "t_": first.samples_seen,
        "n_layers_": n_layers + 1,
        "out_activation_": layout.loss.out_activation,
    }
    attributes |= {f"{name}_": first.curves[name] for name in CURVES}
    attributes |= layout.attributes | first.attributes
    if first.attributes:
        attributes["kkt_violation_"] = max(fit.kkt_violation for fit in fits)
    return attributes


def input_weights(architecture, state):
    """Return the weights that leave each column, of shape (n_features, n_weights).

    Pixels share the weights of their channel and have the norm of these.

    Parameters
    ----------
    architecture : Architecture
    state : list of ndarray
    """
    if architecture.convolutions:
        shape = architecture.convolutions[0]
        filters = state[0].reshape(shape.n_in, -1).astype(np.float64)
        norms = np.linalg.norm(filters, axis=1, keepdims=True)
        weights = [np.tile(norms, (shape.height * shape.width, 1))]
        if architecture.skip == "linear":
            weights.append(state[architecture.n_hidden + 1])
        return np.hstack(weights)
    layers = columns_of_rows(architecture).items()
    return np.hstack(
        [_side_by_side(state[layer], of_rows) for layer, of_rows in layers]
    )


def _side_by_side(weights, columns):
    """Return the rows of weights that belong to each column side by side.

    Columns with fewer rows than others get zeros.

    Parameters
    ----------
    weights : ndarray of shape (n_rows, n_out)
    columns : ndarray of shape (n_rows,)
        The column of each row, in ascending order.
    """
    n_rows = np.bincount(columns)
    places = np.arange(len(columns)) - (np.cumsum(n_rows) - n_rows)[columns]
    found = np.zeros((len(n_rows), n_rows.max(), weights.shape[1]))
    found[columns, places] = weights
    return found.reshape(len(n_rows), -1)
