"""The training of an estimator with several strengths of a penalty."""

import copy
import math
from dataclasses import replace

import numpy as np
from sklearn.base import clone

from skreg.compatibility import safe_indexing
from skreg.data.random_streams import seed_of
from skreg.estimators.conflicts import validate_parameters
from skreg.estimators.members import check_single
from skreg.estimators.preparation import prepare
from skreg.estimators.request import layer_settings, make_request
from skreg.estimators.trained import become_trained
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

    def _layer_strengths(self, strength):
        """Return the strength of the penalty in each layer, as a fit would use it."""
        model = copy.copy(self.model).set_params(**{self.penalty: strength})
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
        model = copy.copy(self.model).set_params(**{self.penalty: strength})
        return become_trained(model, self.prepared, result), result.tracker

    def empty_state(self):
        """Return the optimum of a linear model whose weights are fixed at zero."""
        n_layers = len(self.request.settings["l1"])
        settings = self.request.settings | {"l1": [math.inf] * n_layers}
        alone = replace(
            self.request, settings=settings, solver="lbfgs", tol=1e-12, max_iter=1000
        )
        (result,) = train([alone])
        return result.state


def fit_path(problems, strengths):
    """Train all problems with all strengths.

    Parameters
    ----------
    problems : list of PathProblem
        They differ only in their rows.
    strengths : ndarray of shape (n_strengths,)
        In descending order.

    Returns
    -------
    list of list of (estimator, Tracker)
        For each strength, the model and the tracker of each problem.
    """
    fit = _fit_onward if problems[0].is_convex else _fit_anew
    return fit(problems, strengths.tolist())


def _fit_onward(problems, strengths):
    """Train linear models, each from the optimum of the previous strength."""
    states, fits = [problem.empty_state() for problem in problems], []
    for strength in strengths:
        requests = [
            problem.with_strength(strength, **problem.full_batches(), initial=state)
            for problem, state in zip(problems, states)
        ]
        results = train(requests)
        fits.append(
            [problem.fitted(r, strength) for problem, r in zip(problems, results)]
        )
        states = [result.state for result in results]
    return fits


def _fit_anew(problems, strengths):
    """Train networks with all strengths on all folds together."""
    pairs = [(strength, problem) for strength in strengths for problem in problems]
    results = train([problem.with_strength(strength) for strength, problem in pairs])
    fits = [
        problem.fitted(r, strength) for (strength, problem), r in zip(pairs, results)
    ]
    return [fits[i : i + len(problems)] for i in range(0, len(fits), len(problems))]
