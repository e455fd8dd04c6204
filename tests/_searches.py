"""A search whose optimum is known."""

import numpy as np
from scipy import stats
from sklearn.base import BaseEstimator, RegressorMixin

from skreg import BayesSearchCV

ROWS = np.zeros((20, 1)), np.arange(20.0)
BOX = {"a": stats.uniform(-5, 10), "b": stats.uniform(-5, 10)}


class Surface(RegressorMixin, BaseEstimator):
    """An estimator whose score is a function of its parameters alone."""

    def __init__(self, a=0.0, b=0.0, c=None, fails_below=-np.inf):
        self.a = a
        self.b = b
        self.c = c
        self.fails_below = fails_below

    def fit(self, X, y, sample_weight=None):
        if self.a < self.fails_below:
            raise ValueError("a is too small")
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return np.zeros(len(X))

    def score(self, X, y):
        return -((self.a - 1.3) ** 2) - (self.b + 2.1) ** 2


def search_surface(space=BOX, **options):
    """Search the surface, whose best score is 0 at a = 1.3 and b = -2.1."""
    options = {"cv": 2, "random_state": 0} | options
    return BayesSearchCV(Surface(), space, **options).fit(*ROWS)


def candidates(search):
    """Return the candidates in the order in which they were evaluated."""
    return search.cv_results_["params"]
