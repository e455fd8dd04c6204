"""The training of an estimator with several strengths of a penalty."""

import copy
import math
from dataclasses import replace
from functools import cached_property

import numpy as np
from sklearn.base import clone

from skreg.compatibility import safe_indexing
from skreg.data.random_streams import seed_of
from skreg.estimators.conflicts import validate_parameters
from skreg.estimators.members import check_single
from skreg.estimators.preparation import prepare
from skreg.estimators.request import layer_settings, make_request
from skreg.estimators.trained import become_trained
from skreg.training.active_set import Unsolved
from skreg.training.input_penalties import columns_of_rows
from skreg.training.sparse_path import SparsePath, takes
from skreg.training.stack import loss_gradients
from skreg.training.train import train


class PathProblem:
    """An estimator to train on some of the rows with several strengths.

    Parameters
    ----------
    estimator : BaseNetwork
    penalty : {"l1", "l2", "group_l1"}
        The parameter that varies.
    X, y
        All rows.
    rows : ndarray of int
        The indices of the training rows.
    sample_weight : array-like or None

    Attributes
    ----------
    model : BaseNetwork
        A clone of the estimator without the penalty.
    prepared : Prepared
    request : FitRequest
    is_varied : ndarray of bool of shape (n_layers,)
        Whether the strength in a layer of weights varies. That of a linear skip
        connection may be fixed.
    """

    def __init__(self, estimator, penalty, X, y, rows, sample_weight):
        self.penalty = penalty
        self.model = clone(estimator).set_params(**{penalty: 0.0})
        validate_parameters(self.model)
        check_single(self.model, "For each strength, regularization_path trains")
        if sample_weight is not None:
            sample_weight = np.asarray(sample_weight)[rows]
        seed = seed_of(self.model.random_state)
        self.prepared = prepare(
            self.model,
            safe_indexing(X, rows),
            safe_indexing(y, rows),
            sample_weight,
            seed=seed,
        )
        self.request = make_request(self.model, self.prepared, seed)
        one, two = map(self._layer_strengths, (1.0, 2.0))
        self.is_varied = np.not_equal(one, two)

    @property
    def unpenalised(self):
        """Which rows no strength makes zero, by the position of the layer."""
        inputs = self.request.inputs
        if inputs is None or inputs.factors is None:
            return {}
        rows = columns_of_rows(self.request.architecture).items()
        return {layer: inputs.factors[of_rows] == 0 for layer, of_rows in rows}

    def _layer_strengths(self, strength):
        """Return the strength of the penalty in each layer, as a fit would use it."""
        model = self._model_with(strength)
        return layer_settings(model, self.request.architecture)[self.penalty]

    @property
    def is_convex(self):
        """Whether each strength has a single optimum, which the solver finds.

        The path must also start from zero weights, including those of a linear skip
        connection.
        """
        request, all_varied = self.request, self.is_varied.all()
        return request.architecture.is_linear and request.is_certified and all_varied

    def with_strength(self, strength, **changes):
        """Return the request with a strength and other changes."""
        settings = self.request.settings | {
            self.penalty: self._layer_strengths(strength)
        }
        return replace(self.request, settings=settings, **changes)

    def full_batches(self):
        """Return the changes to a request that make it use the full-batch solver."""
        return {"solver": "lbfgs", "max_iter": self.request.max_polish}

    def fitted(self, result, strength):
        """Return the estimator fitted with a strength, and its tracker."""
        model = become_trained(self._model_with(strength), self.prepared, result)
        return model, result.tracker

    def _model_with(self, strength):
        """Return a copy of the estimator with a strength."""
        model = copy.copy(self.model)
        setattr(model, self.penalty, strength)  # `set_params` looks at all parameters
        return model

    @cached_property
    def sparse_path(self):
        """The `SparsePath` of a convex problem, or None where it has none."""
        try:
            return SparsePath(self.request) if takes(self.request) else None
        except Unsolved:  # the biases have no optimum
            return None

    def empty_gradients(self):
        """Return the gradients of the loss of a linear model without weights.

        Returns
        -------
        list of Tensor of shape (1, n_in, n_out)
            One for each matrix of weights.
        """
        if self.sparse_path:
            return [self.sparse_path.gradient]
        return loss_gradients(replace(self.request, initial=self.empty_state()))

    def empty_state(self):
        """Return the optimum of a linear model whose weights are fixed at zero."""
        n_layers = len(self.request.settings["l1"])
        settings = self.request.settings | {"l1": [math.inf] * n_layers}
        alone = replace(
            self.request, settings=settings, solver="lbfgs", tol=1e-12, max_iter=1000
        )
        (result,) = train([alone])
        return result.state


def fit_path(problems, strengths, max_features=None):
    """Train all problems with all strengths.

    Parameters
    ----------
    problems : list of PathProblem
        They differ only in their rows.
    strengths : ndarray of shape (n_strengths,)
        In descending order.
    max_features : int or None, default=None
        Strengths from the first one on with which the model of the first problem uses
        more inputs are left out.

    Returns
    -------
    list of list of (estimator, Tracker)
        For each strength, the model and the tracker of each problem.
    """
    fit = _fit_onward if problems[0].is_convex else _fit_anew
    fits, strengths = [], strengths.tolist()
    for of_strength in fit(problems, strengths):
        n_used = np.count_nonzero(of_strength[0][0].support_)
        if max_features is not None and n_used > max_features:
            break
        fits.append(of_strength)
    return fits


def _fit_onward(problems, strengths):
    """Train linear models, each from the optimum of the previous strength.

    Yields
    ------
    list of (estimator, Tracker)
        For each strength, the model and the tracker of each problem.
    """
    states = [None] * len(problems)
    for strength in strengths:
        requests = [
            problem.with_strength(strength, **problem.full_batches())
            for problem in problems
        ]
        results = [
            problem.sparse_path and problem.sparse_path.fit(request)
            for problem, request in zip(problems, requests)
        ]
        if None in results:
            _finish(problems, requests, states, results)
        yield [problem.fitted(r, strength) for problem, r in zip(problems, results)]
        states = [result.state for result in results]


def _finish(problems, requests, states, results):
    """Train what has no result yet with the full-batch solver, together.

    Parameters
    ----------
    problems, requests
        As in `_fit_onward`.
    states : list of (list of ndarray) or None
        The optimum of each problem at the previous strength, if there was one.
    results : list of FitResult or None
        It is completed.
    """
    rest = [i for i, result in enumerate(results) if result is None]
    for i in rest:
        initial = states[i] or problems[i].empty_state()
        requests[i] = replace(requests[i], initial=initial)
    for i, result in zip(rest, train([requests[i] for i in rest])):
        results[i] = result
        if problems[i].sparse_path and result.tracker.error is None:
            problems[i].sparse_path.move_to(result.state)


def _fit_anew(problems, strengths):
    """Train networks with all strengths on all folds together, as `_fit_onward`."""
    pairs = [(strength, problem) for strength in strengths for problem in problems]
    results = train([problem.with_strength(strength) for strength, problem in pairs])
    fits = [
        problem.fitted(r, strength) for (strength, problem), r in zip(pairs, results)
    ]
    for start in range(0, len(fits), len(problems)):
        yield fits[start : start + len(problems)]
