"""Scores by scikit-learn's scorers, of labels of any kind and rows of any classes."""

import math
import warnings
from inspect import signature
from numbers import Real
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
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
    is_coded = isinstance(scoring, str) and _has_one_label(targets)
    if _has_one_label(targets):
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


def check_score(parameter, scoring, targets, y, **options):
    """Raise an error if a score cannot be computed for some rows, before training.

    Guesses are scored instead of predictions. Functions of the user that are no scorers
    are not called.

    Parameters
    ----------
    parameter : str
        The name of the parameter, for the message.
    scoring : str or callable
    targets : Labels or Numbers
    y : ndarray
        Checked, unencoded targets of the rows.
    **options
        What the scorer gets besides, such as `sample_weight`.

    Raises
    ------
    ValueError
    """
    if metric_of(get_scorer(scoring)) is scoring:
        return
    compute = score_function(scoring, targets)
    problems = [_problem(compute, guess, y, options) for guess in _guesses(targets)]
    # Every class can be predicted, but a ratio may need errors, or a logarithm numbers
    # that are not negative.
    fatal = [each for each in problems if each and each.is_error]
    if not isinstance(targets, Labels) or not fatal:
        fatal = problems if all(problems) else []
    if fatal:
        raise ValueError(
            f"{parameter}={scoring!r} cannot be computed for {_described(targets, y)}: "
            f"{fatal[0].reason}"
        )


class Problem(NamedTuple):
    """Why a score cannot be computed, and whether the metric raised an error."""

    reason: str
    is_error: bool


def _guesses(targets):
    """Return estimators that guess in different ways."""
    if not isinstance(targets, Labels):
        return [GuessedNumbers(distance) for distance in (0.3, 30.3)]
    n_kinds = 2 if targets.is_multilabel else len(targets.classes)
    # All classes are guessed for each row, if there are not too many of them.
    return [GuessedLabels(targets, shift) for shift in range(min(n_kinds, 5))]


def _problem(compute, guess, y, options):
    """Return the `Problem` of scoring a guess, or None if there is a number."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            score = compute(guess, y, y, **options)
        except (ValueError, AttributeError, TypeError, ArithmeticError) as error:
            return Problem(str(error), True)
    if isinstance(score, Real) and math.isfinite(score):
        return None
    reasons = dict.fromkeys(str(each.message) for each in caught)
    return Problem("; ".join([f"it is {score!r}", *reasons]), False)


def _has_one_label(targets):
    return isinstance(targets, Labels) and not targets.is_multilabel


def _described(targets, y):
    """Return a description of rows, for messages."""
    rows = f"n_samples={len(y)} rows to be scored"
    if _has_one_label(targets):
        classes = targets.classes.tolist()
        return f"{rows} with the classes {np.unique(y).tolist()} of {classes}"
    if isinstance(targets, Labels):
        return f"{rows} with {targets.n_outputs} labels each"
    return f"{rows} of a regression"


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


class GuessedLabels(ClassifierMixin, BaseEstimator):
    """A classifier whose inputs are the labels, and which guesses others.

    Parameters
    ----------
    targets : Labels
    shift : int
        How many classes further the guess is; 0 is right.
    """

    def __init__(self, targets, shift):
        self.targets, self.shift = targets, shift
        self.classes_ = targets.classes

    def predict(self, X):
        """Return the guessed labels."""
        if self.targets.is_multilabel:
            return 1 - X if self.shift else X
        codes = self.targets.codes(X) + self.shift
        return self.classes_[codes % len(self.classes_)]

    def predict_proba(self, X):
        """Return probabilities of 0 and 1."""
        if self.targets.is_multilabel:
            return self.predict(X).astype(float)
        return np.eye(len(self.classes_))[self.targets.codes(self.predict(X))]

    def decision_function(self, X):
        """Return numbers in the order of the probabilities."""
        probability = self.predict_proba(X)
        is_binary = not self.targets.is_multilabel and len(self.classes_) == 2
        return probability[:, 1] if is_binary else probability

    def __sklearn_is_fitted__(self):
        return True


class GuessedNumbers(RegressorMixin, BaseEstimator):
    """A regressor whose inputs are the targets, and which guesses larger numbers.

    Parameters
    ----------
    distance : float
        By how much; not a whole number, as predictions are none.
    """

    def __init__(self, distance):
        self.distance = distance

    def predict(self, X):
        """Return the guessed numbers."""
        return X + self.distance

    def __sklearn_is_fitted__(self):
        return True
