"""A score that the search of a linear baseline can always use."""

import math

from sklearn.metrics import get_scorer


class InnerScorer:
    """A score by its name, which is minus infinity where it cannot be computed.

    Strengths for which it cannot be computed are then not chosen, like candidates that
    fail in scikit-learn's searches.

    scikit-learn's LogisticRegressionCV makes a new scorer of a named one, so that it
    can pass the positive class. This fails for scores that are averaged over classes,
    which are already told that there is none. It calls other functions as they are.

    Parameters
    ----------
    scoring : str
        Name of a score of scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from skreg.comparison.inner_scorer import InnerScorer
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> f"{InnerScorer('f1_macro')(RidgeClassifier().fit(X, y), X, y):.2f}"
    '0.96'
    """

    def __init__(self, scoring):
        self.scoring = scoring

    def __call__(self, estimator, X, y, **params):
        """Return the score of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        **params : dict
            Further arguments of the scorer, such as sample weights.

        Returns
        -------
        float
        """
        try:
            score = get_scorer(self.scoring)(estimator, X, y, **params)
        except ValueError:  # such as a deviance of negative predictions
            return -math.inf
        return -math.inf if math.isnan(score) else score

    def __repr__(self):
        return f"{type(self).__name__}({self.scoring!r})"
