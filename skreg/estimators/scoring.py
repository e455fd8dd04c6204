"""Scores by scikit-learn's scorers, of labels of any kind and rows of any classes."""

import math
from inspect import signature
from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer

from skreg.compatibility import is_of_classes, metric_of, told_labels
from skreg.estimators.labels import Labels


def score_function(scoring, targets):
    """Return a function that scores a fitted estimator.

    A score by name is that of labels coded as 0, 1, 2, ..., so that "f1" is that of the
    second of two classes, whatever their names. A scorer or a function of the user gets
    the labels as they are. Rows may lack a class: scorers of probabilities are told all
    classes.

    Parameters
    ----------
    scoring : str or callable
    targets : Labels or Numbers
        The targets that the estimator was fitted to.

    Returns
    -------
    callable
        With the arguments ``(model, X, y, **options)``. Of these, `sample_weight` only
        counts if the score takes weights. If `y` has other labels than the targets,
        which have no probabilities, scores of probabilities raise a ValueError.
    """
    scorer = get_scorer(scoring)
    is_coded = isinstance(scoring, str) and has_one_label(targets)
    if has_one_label(targets):
        classes = targets.classes
        scorer = told_labels(scorer, np.arange(len(classes)) if is_coded else classes)
    takes_weights = "sample_weight" in signature(metric_of(scorer)).parameters

    def score(model, X, y, **options):
        if not takes_weights:
            options.pop("sample_weight", None)
        if is_coded:
            y = y if is_of_classes(scorer) else targets.check(np.asarray(y))
            model, y = Coded(model, targets.classes), targets.codes(y)
        return scorer(model, X, y, **options)

    return score


def comparable_score(parameter, scoring, targets):
    """Return a function that scores a fitted estimator with a number to compare.

    A score by name that is undefined for the predictions is minus infinity, the worst.

    Parameters
    ----------
    parameter : str
        The name of the parameter, for messages.
    scoring : str or callable
    targets : Labels or Numbers
        The targets that the estimator was fitted to.

    Returns
    -------
    callable
        As that of `score_function`. If a function of the user does not return a number,
        there is a ValueError.
    """
    compute, is_named = score_function(scoring, targets), isinstance(scoring, str)

    def score(model, X, y, **options):
        try:
            value = compute(model, X, y, **options)
        except ValueError:
            if not is_named:
                raise
            value = math.nan
        # Some scores are undefined for some predictions, such as those of one class.
        if is_named:
            return float(value) if math.isfinite(value) else -math.inf
        if isinstance(value, Real) and not math.isnan(value):
            return float(value)
        raise ValueError(
            f"{parameter}={scoring!r} must give a number for the predictions of "
            f"n_samples={len(y)} rows, got {value!r}."
        )

    return score


def has_one_label(targets):
    """Return whether each row has one of several classes."""
    return isinstance(targets, Labels) and not targets.is_multilabel


class Coded(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose classes are called 0, 1, 2, ...

    Parameters
    ----------
    model : estimator
        The fitted classifier.
    names : ndarray of shape (n_classes,)
        Its classes, in their order.
    """

    def __init__(self, model, names):
        self.model, self.names = model, names
        self.classes_ = np.arange(len(names))

    def predict(self, X):
        """Return the index of the predicted class of each row."""
        return np.searchsorted(self.names, self.model.predict(X))

    def __getattr__(self, name):
        # Probabilities and raw outputs have the order of the classes already.
        if name in ("predict_proba", "decision_function"):
            return getattr(self.model, name)
        raise AttributeError(name)

    def __sklearn_is_fitted__(self):
        return True
