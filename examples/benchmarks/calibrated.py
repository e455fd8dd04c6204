"""A classifier of pytabkit with temperature scaling on its validation rows.

pytabkit 1.7.3 documents `calibration_method` for this, and its scikit-learn classifiers
ignore it: their probabilities are those without it, bit for bit. Stopping at what the
scaling would leave then leaves log losses several times as large.
"""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import train_test_split

# The share that pytabkit sets aside itself.
VALIDATION_SHARE = 0.2


class TemperatureScaled(ClassifierMixin, BaseEstimator):
    """Scale a classifier's log probabilities by what is best on its validation rows.

    Parameters
    ----------
    classifier : object
        Unfitted, of pytabkit: `fit` takes validation rows.
    random_state : int
        Draws the validation rows, stratified by class.
    """

    def __init__(self, classifier, random_state):
        self.classifier = classifier
        self.random_state = random_state

    def fit(self, X, y):
        """Fit the classifier, and then the temperature."""
        from probmetrics.calibrators import get_calibrator

        X, X_val, y, y_val = train_test_split(
            X,
            y,
            test_size=VALIDATION_SHARE,
            stratify=y,
            random_state=self.random_state,
        )
        self.classifier_ = clone(self.classifier).fit(X, y, X_val, y_val)
        self.classes_ = self.classifier_.classes_
        self.calibrator_ = get_calibrator("ts-mix").fit(
            self.classifier_.predict_proba(X_val), np.searchsorted(self.classes_, y_val)
        )
        return self

    def predict_proba(self, X):
        """Return scaled probabilities, of shape (n_rows, n_classes)."""
        return self.calibrator_.predict_proba(self.classifier_.predict_proba(X))
