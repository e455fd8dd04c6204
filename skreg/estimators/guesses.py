"""Guesses that tell if a score can be computed, before a model is fitted."""

import math
import warnings
from numbers import Real
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from skreg.estimators.labels import Labels


class Problem(NamedTuple):
    """Why a score cannot be computed, and whether the metric raised an error."""

    reason: str
    is_error: bool


def problem_of(compute, targets, y, **options):
    """Return why some rows cannot be scored, or None if they can.

    Parameters
    ----------
    compute : callable
        The score, with the arguments ``(model, X, y, **options)``.
    targets : Labels or Numbers
    y : ndarray
        Checked, unencoded targets of the rows.
    **options
        What the scorer gets besides, such as `sample_weight`.

    Returns
    -------
    Problem or None
    """
    found = [_problem(compute, guess, y, options) for guess in _guesses(targets)]
    # Every class can be predicted, but a ratio may need errors, or a logarithm numbers
    # that are not negative.
    fatal = [each for each in found if each and each.is_error]
    if not isinstance(targets, Labels) or not fatal:
        fatal = found if all(found) else []
    return fatal[0] if fatal else None


def _guesses(targets):
    """Return estimators that guess in different ways."""
    if not isinstance(targets, Labels):
        return [GuessedNumbers(targets, distance) for distance in (0.3, 30.3)]
    n_kinds = 2 if targets.is_multilabel else len(targets.classes)
    # All classes are guessed for each row, if there are not too many of them.
    return [GuessedLabels(targets, shift) for shift in range(min(n_kinds, 5))]


def _problem(compute, guess, y, options):
    """Return the `Problem` of scoring a guess, or None if there is a number."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            score = compute(guess, y, y, **options)
        # Metrics raise all kinds of errors for targets that they are not made for.
        except Exception as error:
            return Problem(str(error), True)
    if isinstance(score, Real) and math.isfinite(score):
        return None
    reasons = dict.fromkeys(str(each.message) for each in caught)
    return Problem("; ".join([f"it is {score!r}", *reasons]), False)


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
    targets : Numbers
    distance : float
        By how much; not a whole number, as predictions are none.
    """

    def __init__(self, targets, distance):
        self.targets, self.distance = targets, distance

    def predict(self, X):
        """Return the guessed numbers."""
        guess = X + self.distance
        if self.targets.levels:
            return np.repeat(guess[:, None], self.targets.n_outputs, axis=1)
        return guess

    def __sklearn_is_fitted__(self):
        return True
